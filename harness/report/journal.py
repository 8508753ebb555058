# SPDX-License-Identifier: GPL-2.0-only
"""The journal: a run's append-only record, a JSON line for each thing that is known for good.

First ``{"kind": "run"}``, then ``{"kind": "plan"}`` with everything that is to run, one
``{"kind": "kernel"}`` each, a ``{"kind": "result"}`` for each finished case, ``{"kind": "note"}``
for what a reader should know, at last ``{"kind": "end"}``. A run that is taken up again goes on in
the same file after ``{"kind": "resume"}``. A line is on disk before anybody is shown what it says.

A line that was cut, or cut and written on behind, is damaged and counts for nothing: what it said
is unknown, so its case runs again. Kinds and fields that this version does not know are passed
over.
"""

import contextlib
import errno
import fcntl
import json
import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar

from harness.closing import Closing
from harness.errors import HostError, UsageError
from harness.verdict.outcome import Result

FORMAT = 1
NAME = "journal.jsonl"
SUBTESTS = "subtests"
"""Fact of a result: how many results of its subtests follow, each with the case as its parent."""
T = TypeVar("T")


@dataclass(frozen=True)
class RunInfo:
    """What a run was.

    Attributes:
        id: the run folder's name.
        started: ISO 8601 with offset.
        command: as it was typed.
        kharness: kharness's version.
        qemu: QEMU's version.
        seed: of every random choice.
        shuffled: the seed decided the order of the cases.
        start: folder that it was started in.
        options: what was asked for, by the names that ``kharness run`` has for it.
    """

    id: str
    started: str
    command: str
    kharness: str
    qemu: str
    seed: int = 0
    shuffled: bool = False
    start: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Plan:
    """What is to run.

    Attributes:
        cases: node id and kernel of each case, in order.
        kernels: name of each kernel to the SHA-256 of its image.
        programs: path in the guest of each case program to its SHA-256.
        inputs: what else the results hang on, by the words that a person has for it: command
            lines and the guest's size as they are, suites as digests.
    """

    cases: tuple[tuple[str, str], ...] = ()
    kernels: Mapping[str, str] = field(default_factory=dict)
    programs: Mapping[str, str] = field(default_factory=dict)
    inputs: Mapping[str, str] = field(default_factory=dict)


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
        plan: what was to run, None when its line is missing.
        notes: what a reader should know.
        resumed: how often the run was taken up again.
    """

    run: RunInfo | None = None
    kernels: list[KernelInfo] = field(default_factory=list)
    results: list[Result] = field(default_factory=list)
    ended: bool = False
    damaged: int = 0
    plan: Plan | None = None
    notes: list[str] = field(default_factory=list)
    resumed: int = 0

    def done(self) -> set[tuple[str, str]]:
        """Node id and kernel of what has a result, with all that belong to it."""
        last = {(r.case, r.kernel): r for r in self.results}
        subtests = Counter((r.parent, r.kernel) for r in last.values() if r.parent)
        return {key for key, r in last.items() if subtests[key] >= int(r.extra.get(SUBTESTS, 0))}

    def missing(self) -> list[tuple[str, str]]:
        """Node id and kernel of what was to run and has no result, in order."""
        done = self.done()
        return [key for key in (self.plan.cases if self.plan else ()) if key not in done]


class JournalWriter(Closing):
    """Writes a journal; a context manager. Only the controller of a run has one.

    It holds a lock on the file, which goes with the process: nobody else writes to it meanwhile.

    Args:
        path: the file; made, with mode 0600, or written on when it is there.
        durable: wait for the disk after each line; False where all of it can be made again.

    Raises:
        UsageError: another process writes to it.
        HostError: it cannot be written.
    """

    def __init__(self, path: Path, *, durable: bool = True) -> None:
        self._path = path
        self._durable = durable
        self._failed: HostError | None = None
        new = not path.exists()
        try:
            flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
            self._fd = os.open(path, flags, 0o600)
        except OSError as error:
            raise HostError(f"cannot write {path}: {error.strerror}") from error
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self.close()
            raise UsageError(
                f"{path.parent} is being written by a run that still goes on",
                "wait for its end, or stop it",
            ) from error
        if new:
            self._name_is_on_disk()
        else:
            self._end_torn_line()

    def run(self, info: RunInfo) -> None:
        """The first line."""
        self._write({"kind": "run", "format": FORMAT, **asdict(info)})

    def plan(self, plan: Plan) -> None:
        """What is to run."""
        self._write({"kind": "plan", **asdict(plan)})

    def resume(self, started: str, command: str) -> None:
        """The run is taken up again; ``started`` is ISO 8601 with offset."""
        self._write({"kind": "resume", "started": started, "command": command})

    def kernel(self, info: KernelInfo) -> None:
        """A kernel that cases ran on."""
        self._write({"kind": "kernel", **asdict(info)})

    def result(self, result: Result) -> None:
        """A finished case."""
        self._write({"kind": "result", **result.to_json()})

    def note(self, text: str) -> None:
        """What a reader of any report should know."""
        self._write({"kind": "note", "text": text})

    def end(self, exit_code: int) -> None:
        """The last line."""
        self._write({"kind": "end", "exit_code": exit_code})

    def close(self) -> None:
        """Closes the file and gives the lock back."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _name_is_on_disk(self) -> None:
        """A file that was synced and has no name after a power cut is lost all the same."""
        for folder in (self._path.parent, self._path.parent.parent):
            with contextlib.suppress(OSError):
                fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
                try:
                    os.fsync(fd)
                finally:
                    os.close(fd)

    def _end_torn_line(self) -> None:
        """What follows must not join a line that was cut."""
        size = os.fstat(self._fd).st_size
        if size and os.pread(self._fd, 1, size - 1) != b"\n":
            self._append(b"\n")

    def _write(self, data: dict[str, Any]) -> None:
        if self._failed is not None:
            raise self._failed  # what may be half a line must stay the last one
        self._append(json.dumps(data, ensure_ascii=True).encode() + b"\n")

    def _append(self, line: bytes) -> None:
        size = os.fstat(self._fd).st_size
        try:
            written = os.write(self._fd, line)
            if written != len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            if self._durable:
                os.fdatasync(self._fd)
        except OSError as error:
            # Half a line would join with the next one.
            with contextlib.suppress(OSError):
                os.ftruncate(self._fd, size)
            self._failed = HostError(
                f"cannot write {self._path}: {error.strerror}",
                "make room; what is in the journal is kept, and kharness resume goes on from it",
            )
            raise self._failed from error


def read_journal(path: Path) -> Journal:
    """Reads a journal, also one that was cut off anywhere.

    Raises:
        HostError: it cannot be read at all.
        UsageError: a newer kharness wrote it.
    """
    journal = Journal()
    try:
        data = path.read_bytes()
    except OSError as error:
        raise HostError(f"cannot read {path}: {error.strerror}") from error
    for line in data.split(b"\n"):
        if line.strip():
            try:
                _take(journal, json.loads(line), path)
            except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
                journal.damaged += 1
    return journal


def check_format(record: dict[str, Any], name: str | Path) -> None:
    """Refuses a journal whose first line says that this kharness would misread it.

    Args:
        record: the first line.
        name: what the journal is called in the error.

    Raises:
        UsageError: its format is newer.
    """
    number = record.get("format")
    if isinstance(number, int) and number > FORMAT:
        raise UsageError(
            f"{name} has format {number}, and this kharness knows up to {FORMAT}",
            "take the kharness that wrote it, or a newer one",
        )


def _take(journal: Journal, line: dict[str, Any], path: Path) -> None:
    kind = str(line.pop("kind"))
    if kind == "run":
        check_format(line, path)
        journal.run = journal.run or _known(RunInfo, line)
    elif kind == "plan":
        cases = tuple((str(case), str(kernel)) for case, kernel in line["cases"])
        inputs = dict(line.get("inputs", {}))
        journal.plan = Plan(cases, dict(line["kernels"]), dict(line["programs"]), inputs)
    elif kind == "resume":
        journal.resumed += 1
        journal.ended = False
    elif kind == "kernel":
        info = _known(KernelInfo, line)
        if info not in journal.kernels:
            journal.kernels.append(info)
    elif kind == "result":
        journal.results.append(Result.from_json(line))
    elif kind == "note":
        text = str(line["text"])
        if text not in journal.notes:
            journal.notes.append(text)
    elif kind == "end":
        journal.ended = True


def _known(kind: type[T], line: dict[str, Any]) -> T:
    """A record of the fields that this version knows."""
    names = {f.name for f in fields(kind)}  # type: ignore[arg-type]
    return kind(**{key: value for key, value in line.items() if key in names})
