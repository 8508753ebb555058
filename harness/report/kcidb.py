# SPDX-License-Identifier: GPL-2.0-only
"""A run as KCIDB's JSON for KernelCI: one checkout, a build for each kernel, a test for each case.

Source of the format: schema v5.3 of the package kcidb-io (``kcidb_io.schema.LATEST``), with which
the tests validate; nothing of that package is needed to write it.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

from harness.cache import digest
from harness.report.facts import Facts, evidence, facts_of, splat_titles
from harness.report.journal import KernelInfo
from harness.report.json_text import json_object
from harness.report.stream import JournalIndex
from harness.verdict.outcome import Outcome, Result
from harness.verdict.text import clean, one_line, shorten_middle

VERSION = {"major": 5, "minor": 3}
RFC3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)", re.ASCII)
"""Python takes more than that for a time: weeks, offsets with seconds."""
EXCERPT = 16_384
"""Characters that the schema allows in log_excerpt."""
STATUS = {
    Outcome.PASS: "PASS",
    Outcome.FAIL: "FAIL",
    Outcome.SKIP: "SKIP",
    Outcome.XFAIL: "FAIL",
    Outcome.XPASS: "PASS",
    Outcome.CRASH: "FAIL",
    Outcome.TIMEOUT: "FAIL",
    Outcome.ERROR: "MISS",
    Outcome.FLAKY: "FAIL",
}
"""KCIDB wants what the kernel did, not whether it was expected: that is in ``misc.outcome``."""


@dataclass(frozen=True)
class Source:
    """Where the results and the kernel come from; what is empty is left out.

    Attributes:
        origin: the CI system, as KernelCI knows it: ``[a-z0-9_]+``.
        tree: name of the tree: ``mainline``, ``net-next``.
        git_url: the repository, ``https://...``.
        git_commit: full hash of the commit, 40 hex digits.
    """

    origin: str = "kharness"
    tree: str = ""
    git_url: str = ""
    git_commit: str = ""


def kcidb(index: JournalIndex, source: Source | None = None) -> Iterator[str]:
    """The report as JSON, in pieces.

    Ids are digests of what they name, so the same run has the same ids.
    """
    source = source or Source()
    facts = facts_of(index)
    run = _run_key(index)
    checkout = _id(source, run, "checkout")
    yield from json_object(
        {
            "version": VERSION,
            "checkouts": [_checkout(source, index, facts, checkout)],
            "builds": [_build(source, run, k, checkout) for k in facts.kernels.values()],
            "tests": (_test(source, run, index, facts, r) for r in index.results()),
        }
    )
    yield "\n"


def _run_key(index: JournalIndex) -> str:
    """What tells the run from all others.

    Jobs of one pipeline may start in the same second, with one command and folder name. A log that
    was parsed does not even say when it was: then its results do.
    """
    told = index.run
    if told and told.started:
        facts = [told.id, told.started, told.command, told.seed, told.options]
        return digest(json.dumps(facts))
    found = sha256(_bytes(f"{told.id}\0{told.command}\0" if told else ""))
    for result in index.results():
        found.update(json.dumps(result.to_json()).encode())
    return found.hexdigest()


def _id(source: Source, run: str, *parts: str) -> str:
    return f"{source.origin}:{digest(*map(_bytes, (run, *parts)))[:40]}"


def _checkout(source: Source, index: JournalIndex, facts: Facts, name: str) -> dict[str, Any]:
    missing = "; ".join(facts.missing)
    return _without_empty(
        {
            "id": name,
            "origin": source.origin,
            "tree_name": source.tree,
            "git_repository_url": source.git_url,
            "git_commit_hash": source.git_commit,
            "comment": one_line(", ".join(k.release or k.name for k in facts.kernels.values())),
            "start_time": _time(index.run.started) if index.run else "",
            "misc": {"kharness": _without_empty({"incomplete": missing, **_run(index)})},
        }
    )


def _run(index: JournalIndex) -> dict[str, str]:
    if index.run is None:
        return {}
    return {"run": index.run.id, "version": index.run.kharness, "qemu": index.run.qemu}


def _build(source: Source, run: str, k: KernelInfo, checkout: str) -> dict[str, Any]:
    return _without_empty(
        {
            "id": _id(source, run, "build", k.name),
            "checkout_id": checkout,
            "origin": source.origin,
            "comment": one_line(f"{k.name} {k.release}"),
            "architecture": re.sub(r"[^a-z0-9_]", "_", k.arch.lower()),
            "config_name": one_line(k.spec),
            # What a build that booted was is known; one that did not is for whoever built it.
            "status": "PASS" if k.release else "",
            "misc": {"kharness": {"kernel": clean(k.name), "release": clean(k.release)}},
        }
    )


def _test(source: Source, run: str, index: JournalIndex, facts: Facts, r: Result) -> dict[str, Any]:
    kernel = facts.kernels[r.kernel]
    qemu = index.run.qemu if index.run else ""
    about: dict[str, Any] = {
        "outcome": r.outcome.value,
        "case": clean(r.case),
        "message": one_line(r.message),
        "isolation": r.isolation,
        "reproduce": clean(r.reproduce),
        "splats": [clean(words) for words in splat_titles(r)],
        "attempts": [f"{a.outcome.value}: {one_line(a.message)}" for a in r.attempts],
    }
    machine = " ".join(part for part in ("QEMU", qemu, r.accel or kernel.accel) if part)
    excerpt = "" if r.outcome in (Outcome.PASS, Outcome.SKIP) else evidence(r)
    return _without_empty(
        {
            "id": _id(source, run, "test", r.kernel, r.case),
            "build_id": _id(source, run, "build", r.kernel),
            "origin": source.origin,
            "path": _path(r),
            "comment": one_line(r.message or r.case),
            "status": STATUS[r.outcome],
            "start_time": _time(r.started),
            "duration": round(r.duration_s, 6),
            "log_excerpt": shorten_middle(excerpt, EXCERPT - 100),
            "environment": {"comment": one_line(machine)},
            "misc": {"kharness": _without_empty(about)},
        }
    )


def _bytes(text: str) -> bytes:
    # Different texts stay different, or two tests had one id.
    return text.encode("utf-8", "surrogatepass")


def _path(r: Result) -> str:
    """Where a test belongs in KernelCI's tree of tests.

    Namesakes share it: the schema has it name a node of the tree, which is the same in every run
    and for every CI system, and not a test run. That is what ``id`` is for.
    """
    parts = ["kharness", *r.classname.split("."), r.name]
    words = [re.sub(r"[^A-Za-z0-9_-]+", "_", part) for part in parts]
    return ".".join(word for word in words if word)


def _time(text: str) -> str:
    """The time when it is one of RFC 3339 with an offset, as the schema wants it; else nothing."""
    try:
        return text if RFC3339.fullmatch(text) and datetime.fromisoformat(text) else ""
    except ValueError:
        return ""


def _without_empty(values: Mapping[str, Any]) -> dict[str, Any]:
    """No property may be null; what is not known is left out."""
    return {key: value for key, value in values.items() if value not in ("", [], {})}
