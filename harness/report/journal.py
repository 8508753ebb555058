# SPDX-License-Identifier: GPL-2.0-only
"""The journal: a run's append-only record, a JSON line for each thing that is known for good.

First ``{"kind": "run"}``, one ``{"kind": "kernel"}`` each, a ``{"kind": "result"}`` for each
finished case, at last ``{"kind": "end"}``. A line is on disk before anybody is shown what it says.
"""

import contextlib
import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from harness.errors import HostError
from harness.verdict.outcome import Result

FORMAT = 1


@dataclass(frozen=True)
class RunInfo:
    """What a run was: id, start (ISO 8601 with offset), command, kharness's and QEMU's version."""

    id: str
    started: str
    command: str
    kharness: str
    qemu: str


@dataclass(frozen=True)
class KernelInfo:
    """A kernel of the run; ``accel_reason`` says why it did not run with KVM."""

    name: str
    spec: str
    release: str
    arch: str
    accel: str
    accel_reason: str = ""


@dataclass
class Journal:
    """A journal as it was read.

    Attributes:
        run: the run, None when its line is missing.
        kernels: in order.
        results: in order; of one case on one kernel the last counts.
        ended: the run came to its end.
        damaged: lines that could not be read.
    """

    run: RunInfo | None = None
    kernels: list[KernelInfo] = field(default_factory=list)
    results: list[Result] = field(default_factory=list)
    ended: bool = False
    damaged: int = 0


class JournalWriter:
    """Writes a journal; a context manager. Only the controller of a run has one.

    Args:
        path: the file; made, with mode 0600.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
            self._fd = os.open(path, flags, 0o600)
        except OSError as error:
            raise HostError(f"cannot write {path}: {error.strerror}") from error

    def run(self, info: RunInfo) -> None:
        """The first line."""
        self._write({"kind": "run", "format": FORMAT, **asdict(info)})

    def kernel(self, info: KernelInfo) -> None:
        """A kernel that cases ran on."""
        self._write({"kind": "kernel", **asdict(info)})

    def result(self, result: Result) -> None:
        """A finished case."""
        self._write({"kind": "result", **result.to_json()})

    def end(self, exit_code: int) -> None:
        """The last line."""
        self._write({"kind": "end", "exit_code": exit_code})

    def close(self) -> None:
        """Closes the file."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _write(self, data: dict[str, Any]) -> None:
        line = json.dumps(data, ensure_ascii=True).encode() + b"\n"
        size = os.fstat(self._fd).st_size
        try:
            written = os.write(self._fd, line)
            if written != len(line):
                raise OSError(28, "No space left on device")
            os.fdatasync(self._fd)
        except OSError as error:
            # Half a line would join with the next one.
            with contextlib.suppress(OSError):
                os.ftruncate(self._fd, size)
            raise HostError(
                f"cannot write {self._path}: {error.strerror}",
                "make room; what is in the journal is kept",
            ) from error


def read_journal(path: Path) -> Journal:
    """Reads a journal, also one that was cut off anywhere.

    Raises:
        HostError: it cannot be read at all.
    """
    journal = Journal()
    try:
        data = path.read_bytes()
    except OSError as error:
        raise HostError(f"cannot read {path}: {error.strerror}") from error
    for line in data.split(b"\n"):
        if line.strip():
            try:
                _take(journal, json.loads(line))
            except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
                journal.damaged += 1
    return journal


def _take(journal: Journal, line: dict[str, Any]) -> None:
    kind = line.pop("kind")
    if kind == "run":
        line.pop("format", None)
        journal.run = RunInfo(**line)
    elif kind == "kernel":
        journal.kernels.append(KernelInfo(**line))
    elif kind == "result":
        journal.results.append(Result.from_json(line))
    elif kind == "end":
        journal.ended = True
    else:
        raise ValueError(f"unknown line {kind}")
