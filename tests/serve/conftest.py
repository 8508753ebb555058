# SPDX-License-Identifier: GPL-2.0-only
"""Folders of runs, and a real server over them on a free port of this machine."""

import http.client
import json
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from harness.report.journal import Journal
from harness.serve.importing import Imported, import_folder
from harness.serve.server import Refresher, Server
from harness.serve.store import NAME, Store
from harness.verdict.outcome import Outcome
from tests.report.example_run import KERNELS, result, run, write_run


def put(path: Path, journal: Journal, *, exist_ok: bool = False) -> Path:
    """Writes a run folder; gives its journal."""
    return write_run(path, journal, exist_ok=exist_ok) / "journal.jsonl"


def history(runs: Path, outcomes: str, kernel: str = "debian-6.12") -> None:
    """A run a day with one case, whose outcome has this first letter (``-``: another case ran)."""
    letters = {"p": Outcome.PASS, "f": Outcome.FAIL, "s": Outcome.SKIP, "e": Outcome.ERROR}
    for day, letter in enumerate(outcomes, 1):
        name = "other" if letter == "-" else "case"
        results = [
            result(0, letters.get(letter, Outcome.PASS), kernel, name=name, case=f"c.c::{name}")
        ]
        put(runs / f"run-{day}", Journal(run(day), KERNELS[:1], results, ended=True))


@dataclass(frozen=True)
class Reply:
    """What a server sent."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()


@dataclass(frozen=True)
class Site:
    """A folder of runs and its server."""

    runs: Path
    store: Store
    server: Server

    def update(self) -> Imported:
        """Imports what is new."""
        return import_folder(self.store, self.runs)

    def ask(self, path: str, method: str = "GET", **headers: str) -> Reply:
        """Asks the server; ``If_None_Match`` is the header ``If-None-Match``."""
        connection = http.client.HTTPConnection("127.0.0.1", self.server.server_port, timeout=60)
        try:
            named = {key.replace("_", "-"): value for key, value in headers.items()}
            connection.request(method, path, headers=named)
            got = connection.getresponse()
            return Reply(got.status, dict(got.getheaders()), got.read())
        finally:
            connection.close()

    def json(self, path: str) -> Any:
        """An answer that must be one."""
        reply = self.ask(path)
        assert reply.status == 200, reply.text
        assert reply.headers["Content-Type"] == "application/json"
        return json.loads(reply.body)

    def all(self, path: str, key: str) -> list[Any]:
        """The rows of all pages, by their ``next`` links."""
        rows: list[Any] = []
        following: str | None = path
        while following:
            found = self.json(following)
            assert found[key] or following == path, "an empty page was linked to"
            rows += found[key]
            following = found["next"]
        return rows


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    runs = tmp_path / "runs"
    runs.mkdir()
    store = Store(tmp_path / NAME)
    with Server(store, Refresher(store, runs, print), "127.0.0.1", 0) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield Site(runs, store, server)
        finally:
            server.shutdown()
            thread.join()
            server.refresher.finish()
