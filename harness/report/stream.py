# SPDX-License-Identifier: GPL-2.0-only
"""A journal of any size, result by result: what reports are made from in bounded memory.

One pass over the journal notes where each result stands (:mod:`harness.report.notes`).
"""

import json
import math
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, fields
from itertools import chain
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import Any, BinaryIO, TypeVar, cast

from harness.closing import Closing
from harness.errors import HostError
from harness.report.journal import Journal, KernelInfo, RunInfo, check_format
from harness.report.notes import Mark, Notes
from harness.verdict.outcome import Attempt, Outcome, Result

T = TypeVar("T")
TEXTS = tuple(f.name for f in fields(Result) if f.type is str)
NUMBERS = tuple(f.name for f in fields(Result) if f.type in (int, float))
ATTEMPT_TEXTS = tuple(f.name for f in fields(Attempt) if f.type is str)
ATTEMPT_NUMBERS = tuple(f.name for f in fields(Attempt) if f.type in (int, float))
UNREADABLE = (ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError)
NO_MARK = Mark(0)
SPOOL_BYTES = 16 << 20
"""A journal in memory is written anew as a file, which above this is one on the disk."""


def iter_journal(stream: BinaryIO) -> Iterator[tuple[int, dict[str, Any] | None]]:
    """The records of a journal with the byte at which each starts; None for an unreadable line."""
    offset = stream.tell()
    for line in stream:
        if line.strip():
            try:
                record = json.loads(line)
            except UNREADABLE:
                record = None
            yield offset, record if isinstance(record, dict) else None
        offset += len(line)


def iter_results(path: Path) -> Iterator[Result]:
    """The results of a journal's file, in the order in which they came.

    Raises:
        HostError: it cannot be read.
    """
    for record in _records(path):
        if record.get("kind") == "result":
            try:
                yield sound(Result.from_json(record))
            except UNREADABLE:
                continue


def run_of(path: Path) -> RunInfo | None:
    """What run a journal's file is of; None when it does not say so, or has no result.

    Raises:
        HostError: it cannot be read.
        UsageError: a newer kharness wrote it.
    """
    run, has_result = None, False
    for record in _records(path):
        try:
            kind = record.pop("kind", "")
            if kind == "run":
                check_format(record, path)
                run = run or _known(RunInfo, record)
            elif kind == "result" and not has_result:
                has_result = bool(sound(Result.from_json(record)))
        except UNREADABLE:
            continue
        if run and has_result:
            return run
    return None


def _records(path: Path) -> Iterator[dict[str, Any]]:
    try:
        with path.open("rb") as stream:
            yield from (record for _, record in iter_journal(stream) if record is not None)
    except OSError as error:
        raise HostError(f"cannot read {path}: {error.strerror}") from error


def _records_of(journal: Journal) -> Iterator[dict[str, Any]]:
    """The records of a journal that is in memory, in the order of a file."""
    if journal.run:
        yield {"kind": "run", **asdict(journal.run)}
    if journal.plan:
        yield {"kind": "plan", **asdict(journal.plan)}
    for kernel in journal.kernels:
        yield {"kind": "kernel", **asdict(kernel)}
    for result in journal.results:
        yield {"kind": "result", **result.to_json()}
    for text in journal.notes:
        yield {"kind": "note", "text": text}
    if journal.ended:
        yield {"kind": "end", "exit_code": 0}


class JournalIndex(Closing):
    """What a journal says, without holding it; a context manager.

    Its length is the number of results: of each case on each kernel the last one counts.

    Args:
        stream: the journal, seekable; closed with the index.
        name: what the journal is called in errors.

    Attributes:
        run: the run, None when its line is missing.
        kernels: the kernels of which there is a line, in order.
        names: names of all kernels that have a line, a result or a place in the plan, in order.
        ran_on: names of the kernels that have a result, in the order of the first of each.
        ended: the run came to its end.
        damaged: lines that could not be read.
        planned: how many results there should be, None when the journal does not say.
        plan_kernels: name of each kernel of the plan to the SHA-256 of its image.
        plan_programs: path in the guest of each program of the plan to its SHA-256.
        notes: what a reader should know.
        superseded: earlier results that gave way to later ones.
        counts: results by kernel's name and outcome.
        seconds: sum of the durations by kernel's name, seconds.

    Raises:
        HostError: the journal, or the temporary file of notes, cannot be read or written.
        UsageError: a newer kharness wrote the journal.
    """

    def __init__(self, stream: BinaryIO, name: str) -> None:
        self.run: RunInfo | None = None
        self.ended = False
        self.damaged = 0
        self.planned: int | None = None
        self.plan_kernels: Mapping[str, str] = {}
        self.plan_programs: Mapping[str, str] = {}
        self.plan_inputs: Mapping[str, str] = {}
        self.notes: list[str] = []
        self._name, self._stream = name, stream
        self._kernels: dict[str, KernelInfo] = {}
        self._taken = 0
        self._rows = Notes(name)
        try:
            with self._reading():
                self._fill()
        except BaseException:
            self.close()
            raise

    @classmethod
    def open(cls, path: Path) -> "JournalIndex":
        """The index of a journal's file."""
        try:
            return cls(path.open("rb"), str(path))
        except OSError as error:
            raise HostError(f"cannot read {path}: {error.strerror}") from error

    @classmethod
    def of(cls, journal: Journal) -> "JournalIndex":
        """The index of a journal that is in memory already."""
        stream = SpooledTemporaryFile(SPOOL_BYTES)  # noqa: SIM115 - the index closes it
        try:
            for line in chain(map(json.dumps, _records_of(journal)), ["?"] * journal.damaged):
                stream.write(line.encode() + b"\n")
            stream.seek(0)
        except OSError as error:
            stream.close()
            raise HostError(f"cannot write a temporary file: {error.strerror}") from error
        return cls(cast(BinaryIO, stream), "the journal")

    def close(self) -> None:
        """Closes the journal and drops the notes."""
        self._rows.close()
        self._stream.close()

    def __len__(self) -> int:
        return sum(sum(counts.values()) for counts in self.counts.values())

    @property
    def kernels(self) -> list[KernelInfo]:
        """See the class."""
        return list(self._kernels.values())

    @property
    def names(self) -> list[str]:
        """See the class."""
        return list(dict.fromkeys([*self._kernels, *self._rows.kernels]))

    def kernel(self, name: str) -> KernelInfo | None:
        """The last line of a kernel."""
        return self._kernels.get(name)

    @property
    def total(self) -> Counter[Outcome]:
        """Results by outcome, of all kernels."""
        return sum(self.counts.values(), Counter())

    def by_class(self) -> dict[str, dict[str, Counter[Outcome]]]:
        """Results by class name, kernel's name and outcome; class names as they first came."""
        found: dict[str, dict[str, Counter[Outcome]]] = {}
        for row in self._rows.sums_by_class():
            kernels = found.setdefault(row.classname or "", {})
            kernels.setdefault(row.kernel, Counter())[row.outcome] += row.count
        return found

    # Results

    def results(
        self,
        kernel: str | None = None,
        *,
        outcomes: Collection[Outcome] = (),
        marks: Mark = NO_MARK,
    ) -> Iterator[Result]:
        """The last result of each case, at the place of its first.

        Args:
            kernel: of one kernel only, or None.
            outcomes: those with one of these outcomes,
            marks: and those with one of these marks; all when neither is given.

        Raises:
            HostError: the journal changed since it was opened, or cannot be read.
        """
        for _, result in self.numbered(kernel, outcomes=outcomes, marks=marks):
            yield result

    def numbered(
        self,
        kernel: str | None = None,
        *,
        outcomes: Collection[Outcome] = (),
        marks: Mark = NO_MARK,
    ) -> Iterator[tuple[int, Result]]:
        """:meth:`results`, each with its number among all of the journal, from 0."""
        for number, offset in self._rows.offsets(kernel, outcomes, marks):
            try:
                self._stream.seek(offset)
                result = Result.from_json(json.loads(self._stream.readline()))
            except (OSError, *UNREADABLE) as error:
                raise HostError(f"{self._name} changed while it was read") from error
            yield number, result

    def count(self, *, outcomes: Collection[Outcome] = (), marks: Mark = NO_MARK) -> int:
        """How many results :meth:`results` gives, without reading them."""
        return self._rows.count(outcomes, marks)

    def outcomes(self) -> Iterator[tuple[str, str, Outcome]]:
        """Node id, kernel and outcome of each result, in order, without reading them."""
        return self._rows.outcomes()

    def namesakes(self, kernel: str) -> dict[str, int]:
        """Cases of a kernel that share class name and name with others: their number, by node id.

        See :mod:`harness.report.namesakes`.
        """
        return self._rows.namesakes(kernel)

    # The plan

    def planned_cases(self) -> Iterator[tuple[str, str]]:
        """Node id and kernel of what was to run, in order."""
        return self._rows.planned()

    @property
    def missing(self) -> int:
        """How many results of the plan are not there; 0 without a plan."""
        return sum(1 for name in self.names for _ in self.missing_cases(name))

    def missing_cases(self, kernel: str) -> Iterator[str]:
        """Node ids of the plan's cases that have no result on a kernel, in the plan's order."""
        return self._rows.missing(kernel)

    def done(self) -> Iterator[tuple[str, str]]:
        """Node id and kernel of what has a result, with all that belong to it."""
        return self._rows.done()

    def unfinished(self) -> Iterator[tuple[str, str]]:
        """Node id and kernel of what was to run and is not done, in order.

        Beside what is missing that are programs of whose subtests some have no result.
        """
        return self._rows.unfinished()

    # Filling

    def _fill(self) -> None:
        for offset, record in iter_journal(self._stream):
            try:
                if record is None:
                    raise ValueError("no record")
                self._take(offset, record)
            except UNREADABLE:
                self.damaged += 1
        self._rows.flush()
        self.counts: dict[str, Counter[Outcome]] = {name: Counter() for name in self.names}
        self.seconds: dict[str, float] = dict.fromkeys(self.names, 0.0)
        for row in self._rows.sums():
            self.counts[row.kernel][row.outcome] = row.count
            self.seconds[row.kernel] += row.seconds
        self.ran_on = self._rows.ran_on()
        self.superseded = self._taken - len(self)
        if self.planned is not None:
            self.planned = self._rows.planned_count()

    def _take(self, offset: int, record: dict[str, Any]) -> None:
        kind = record.pop("kind")
        if kind == "result":
            self._rows.take(offset, sound(Result.from_json(record)))
            self._taken += 1
        elif kind == "run":
            check_format(record, self._name)
            self.run = self.run or _known(RunInfo, record)
        elif kind == "kernel":
            kernel = _known(KernelInfo, record)
            self._kernels[kernel.name] = kernel
        elif kind == "plan":
            self._rows.plan(record["cases"])
            self.plan_kernels = dict(record.get("kernels", {}))
            self.plan_programs = dict(record.get("programs", {}))
            self.plan_inputs = dict(record.get("inputs", {}))
            self.planned = 0
        elif kind == "note":
            text = str(record["text"])
            self.notes += [] if text in self.notes else [text]
        elif kind in ("end", "resume"):
            self.ended = kind == "end"

    @contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise HostError(f"cannot read {self._name}: {error.strerror}") from error


@contextmanager
def opened(source: "JournalIndex | Journal") -> Iterator[JournalIndex]:
    """The index of a journal, whichever is given; one that is made here is closed at the end."""
    if isinstance(source, JournalIndex):
        yield source
    else:
        with JournalIndex.of(source) as index:
            yield index


def sound(result: Result) -> Result:
    """The result, whose fields have the types that they should have.

    Raises:
        ValueError: one has not: somebody else wrote, or damaged, the journal.
    """
    for part, texts, numbers in (
        (result, TEXTS, NUMBERS),
        *((attempt, ATTEMPT_TEXTS, ATTEMPT_NUMBERS) for attempt in result.attempts),
    ):
        for name in texts:
            if type(getattr(part, name)) is not str:
                raise ValueError(f"{name} is no text")
        for name in numbers:
            value = getattr(part, name)
            if type(value) not in (int, float) or not math.isfinite(value):
                raise ValueError(f"{name} is no number")
    for named in (result.evidence, result.files, result.extra):
        for key, text in named.items():
            if type(key) is not str or type(text) is not str:
                raise ValueError(f"{key} is no text")
    return result


def _known(kind: type[T], record: dict[str, Any]) -> T:
    """A newer kharness may have written more than this one knows."""
    known = {f.name for f in fields(kind)}  # type: ignore[arg-type]
    return kind(**{key: value for key, value in record.items() if key in known})
