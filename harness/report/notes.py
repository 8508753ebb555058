# SPDX-License-Identifier: GPL-2.0-only
"""Where each result of a journal stands, and the little of it that reports look for.

The notes lie in a database that SQLite keeps in a temporary file of its own, so that a million
results need no more memory than a thousand.
"""

import sqlite3
from collections.abc import Collection, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from enum import IntFlag
from typing import Any

from harness.errors import HostError
from harness.report.journal import SUBTESTS
from harness.report.namesakes import numbered, shared_name
from harness.verdict.outcome import Outcome, Result

BATCH = 200
"""Notes that are written at a time."""
CACHE_KIB = 16 * 1024
"""Memory that SQLite may use for pages."""
MOST_SUBTESTS = 2**31
"""More than any program has; SQLite takes 63 bits."""
OUTCOMES = tuple(Outcome)
TABLES = """
create table result(
    kernel integer, case_ blob, name blob, class blob, parent blob, subtests integer,
    offset integer, outcome integer, seconds real, marks integer, unique(kernel, case_));
create table plan(kernel integer, case_ blob, unique(kernel, case_));
"""
INSERT = """
insert into result values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) on conflict(kernel, case_) do update set
    name = excluded.name, class = excluded.class, parent = excluded.parent,
    subtests = excluded.subtests, offset = excluded.offset, outcome = excluded.outcome,
    seconds = excluded.seconds, marks = excluded.marks
"""


class Mark(IntFlag):
    """What a report may look for among results, so that it need not read them all."""

    EXPECTED = 1
    """The kernel reported something that was expected."""
    TOLD = 2
    """It was tried more than once, or lost a guest."""
    TROUBLED = 4
    """It is not good, or flaky, or the kernel reported something."""
    TALKS = 8
    """It is not troubled, and printed something or left files."""


def marks_of(r: Result) -> Mark:
    """The marks of a result."""
    marks = Mark(0)
    if any(splat.expected for splat in r.splats):
        marks |= Mark.EXPECTED
    if "tries" in r.extra or "first_guest" in r.extra:
        marks |= Mark.TOLD
    if not r.outcome.good or r.outcome is Outcome.FLAKY or r.splats:
        marks |= Mark.TROUBLED
    elif r.stdout or r.stderr or r.console or r.detail or r.evidence or r.files:
        marks |= Mark.TALKS
    return marks


@dataclass(frozen=True)
class Sum:
    """Results of one kernel and outcome, and of one class where ``classname`` is not None."""

    kernel: str
    outcome: Outcome
    count: int
    seconds: float = 0.0
    classname: str | None = None


class Notes:
    """The notes on one journal; closed by whoever made them.

    Args:
        name: what the journal is called in errors.

    Raises:
        HostError: the temporary file cannot be made; so do all methods when it cannot be used.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._numbers: dict[str, int] = {}
        self._rows: list[tuple[object, ...]] = []
        # An empty name is a temporary database on disk (sqlite.org/inmemorydb.html).
        self._db = sqlite3.connect("", isolation_level=None)
        try:
            with self._failing():
                self._db.execute(f"pragma cache_size = -{CACHE_KIB}")
                self._db.execute("pragma journal_mode = off")
                self._db.executescript(TABLES)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Drops the notes."""
        self._db.close()

    @property
    def kernels(self) -> list[str]:
        """Names of all kernels that have a result or a place in the plan, as they came."""
        return list(self._numbers)

    # Taking notes

    def take(self, offset: int, r: Result) -> None:
        """Notes a result; the last one of a case on a kernel counts, at the place of its first.

        Args:
            offset: the byte of the journal where it stands.
            r: the result.

        Raises:
            ValueError: what it says of its subtests is no number.
        """
        subtests = int(r.extra.get(SUBTESTS, 0))
        if not 0 <= subtests <= MOST_SUBTESTS:
            raise ValueError(f"{SUBTESTS} is {subtests}")
        name = _bytes(shared_name(r.classname, r.name))
        self._rows.append(
            (
                *(self._number(r.kernel), _bytes(r.case), name, _bytes(r.classname)),
                *(_bytes(r.parent) if r.parent else None, subtests, offset),
                *(OUTCOMES.index(r.outcome), float(r.duration_s), int(marks_of(r))),
            )
        )
        if len(self._rows) >= BATCH:
            self.flush()

    def plan(self, cases: Iterable[tuple[str, str]]) -> None:
        """Notes what was to run: node ids and kernels."""
        rows = [(self._number(str(kernel)), _bytes(str(case))) for case, kernel in cases]
        with self._failing():
            self._db.executemany("insert or ignore into plan values (?, ?)", rows)

    def flush(self) -> None:
        """Writes what was taken; to be called before anything is asked."""
        with self._failing():
            self._db.execute("begin")
            self._db.executemany(INSERT, self._rows)
            self._db.execute("commit")
        self._rows.clear()

    # Results

    def offsets(
        self, kernel: str | None, outcomes: Collection[Outcome], marks: Mark
    ) -> Iterator[tuple[int, int]]:
        """Number (from 0) and byte of results, in order.

        Args:
            kernel: of one kernel only, or None.
            outcomes: those with one of these outcomes,
            marks: and those with one of these marks; all when neither is given.
        """
        where, values = self._where(kernel, outcomes, marks)
        # Nothing is ever deleted, so rows are numbered from 1 without a gap.
        query = f"select rowid - 1, offset from result {where} order by rowid"
        yield from self._ask(query, *values)

    def count(self, outcomes: Collection[Outcome], marks: Mark) -> int:
        """How many results :meth:`offsets` gives."""
        where, values = self._where(None, outcomes, marks)
        ((count,),) = self._ask(f"select count(*) from result {where}", *values)
        return int(count)

    def outcomes(self) -> Iterator[tuple[str, str, Outcome]]:
        """Node id, kernel and outcome of each result, in order."""
        names = self.kernels
        query = "select case_, kernel, outcome from result order by rowid"
        for case, kernel, outcome in self._ask(query):
            yield _text(case), names[kernel], OUTCOMES[outcome]

    def sums(self) -> Iterator[Sum]:
        """How many results a kernel has of an outcome, and how long they took."""
        query = "select kernel, outcome, count(*), sum(seconds) from result group by 1, 2"
        names = self.kernels
        for kernel, outcome, count, seconds in self._ask(query):
            yield Sum(names[kernel], OUTCOMES[outcome], count, seconds)

    def sums_by_class(self) -> Iterator[Sum]:
        """The same for each class name, in the order in which each first came."""
        query = (
            "select class, kernel, outcome, count(*), min(rowid) from result group by 1, 2, 3"
            " order by 5"
        )
        names = self.kernels
        for classname, kernel, outcome, count, _ in self._ask(query):
            yield Sum(names[kernel], OUTCOMES[outcome], count, classname=_text(classname))

    def ran_on(self) -> list[str]:
        """Names of the kernels that have a result, in the order of the first of each."""
        names = self.kernels
        query = "select kernel, min(rowid) from result group by 1 order by 2"
        return [names[kernel] for kernel, _ in self._ask(query)]

    def namesakes(self, kernel: str) -> dict[str, int]:
        """See :meth:`harness.report.stream.JournalIndex.namesakes`."""
        query = (
            "select case_, name from result where kernel = ?1 and name in (select name from result"
            " where kernel = ?1 group by name having count(*) > 1) order by name, case_"
        )
        number = self._numbers.get(kernel, -1)
        rows = [(_text(case), _text(name)) for case, name in self._ask(query, number)]
        query = "select name from result where kernel = ? and substr(name, -1) = x'29'"
        return numbered(rows, (_text(name) for (name,) in self._ask(query, number)))

    # The plan

    def planned(self) -> Iterator[tuple[str, str]]:
        """Node id and kernel of what was to run, in order."""
        names = self.kernels
        for case, kernel in self._ask("select case_, kernel from plan order by rowid"):
            yield _text(case), names[kernel]

    def planned_count(self) -> int:
        """How many were to run."""
        ((count,),) = self._ask("select count(*) from plan")
        return int(count)

    def missing(self, kernel: str) -> Iterator[str]:
        """Node ids of what was to run on a kernel and has no result, in the plan's order."""
        query = (
            "select case_ from plan where kernel = ? and not exists (select 1 from result"
            " where result.kernel = plan.kernel and result.case_ = plan.case_) order by rowid"
        )
        for (case,) in self._ask(query, self._numbers.get(kernel, -1)):
            yield _text(case)

    def done(self) -> Iterator[tuple[str, str]]:
        """Node id and kernel of what has a result, with all that belong to it."""
        names, cut = self.kernels, self._cut_off()
        for case, kernel in self._ask("select case_, kernel from result order by rowid"):
            if (kernel, case) not in cut:
                yield _text(case), names[kernel]

    def unfinished(self) -> Iterator[tuple[str, str]]:
        """Node id and kernel of what was to run and is not done, in the plan's order."""
        names, cut = self.kernels, self._cut_off()
        query = (
            "select plan.case_, plan.kernel, result.case_ is null from plan left join result on"
            " result.kernel = plan.kernel and result.case_ = plan.case_ order by plan.rowid"
        )
        for case, kernel, missing in self._ask(query):
            if missing or (kernel, case) in cut:
                yield _text(case), names[kernel]

    def _cut_off(self) -> set[tuple[int, bytes]]:
        """Kernel and node id of programs of whose subtests some have no result."""
        there = "select kernel, parent, count(*) from result where parent is not null group by 1, 2"
        counts = {(kernel, parent): count for kernel, parent, count in self._ask(there)}
        wanted = "select kernel, case_, subtests from result where subtests > 0"
        return {
            (kernel, case)
            for kernel, case, subtests in self._ask(wanted)
            if counts.get((kernel, case), 0) < subtests
        }

    # The database

    def _number(self, kernel: str) -> int:
        return self._numbers.setdefault(kernel, len(self._numbers))

    def _where(
        self, kernel: str | None, outcomes: Collection[Outcome], marks: Mark
    ) -> tuple[str, list[int]]:
        parts, values = [], []
        if kernel is not None:
            # The plus keeps SQLite from taking the index and sorting what it finds there.
            parts.append("+kernel = ?")
            values.append(self._numbers.get(kernel, -1))
        if outcomes or marks:
            some = ", ".join(str(OUTCOMES.index(outcome)) for outcome in outcomes)
            parts.append(f"(outcome in ({some}) or marks & ?)")
            values.append(int(marks))
        return (f"where {' and '.join(parts)}" if parts else ""), values

    def _ask(self, query: str, *values: int) -> Iterator[tuple[Any, ...]]:
        with self._failing(), closing(self._db.execute(query, values)) as rows:
            yield from rows

    @contextmanager
    def _failing(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise HostError(
                f"cannot keep notes of {self._name}: {error}", "is there room for temporary files?"
            ) from error


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogatepass")
