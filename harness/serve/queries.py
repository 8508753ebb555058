# SPDX-License-Identifier: GPL-2.0-only
"""Questions to the database: each walks an index and reads about as many rows as it returns.

Pages go on after a key, not after a number of rows: page 10,000 costs what page 1 costs. A
cursor is the key of the last row, as numbers with dots between them.
"""

import json
import sqlite3
from dataclasses import dataclass
from typing import Any

from harness.errors import UsageError
from harness.serve.store import BAD, GOOD, OUTCOMES, PASSED
from harness.verdict.outcome import HOST, Outcome

END = 2**62
"""After every key."""
REGRESSIONS_COUNTED = 1000
"""The overview counts no further: it is a number to look at, not to add up."""

RECENT = 10
"""Runs of a suite on a kernel of which the largest says how many cases the suite has."""

_BAD, _GOOD, _PASSED = (", ".join(map(str, numbers)) for numbers in (BAD, GOOD, PASSED))
_ERROR = OUTCOMES.index(Outcome.ERROR)
_RESULT = """
    h.kernel as kernel_id, h.suite as suite_id, h."case" as case_id, h.at, h.outcome, h.ms,
    k.name as kernel, s.name as suite, c.classname, c.name, c.node,
    w.message, w.detail, w.reproduce"""
_NAMES = """
    join kernel k on k.id = h.kernel join suite s on s.id = h.suite join "case" c on c.id = h."case"
    left join words w on w.id = h.words"""
_AFTER = '(h.kernel, h.suite, h."case") > (:a, :b, :c)'
_ORDER = 'order by h.kernel, h.suite, h."case" limit :limit'
# The result before this one of the same case and kernel that judged the kernel. "+": the planner
# would rather sort all of a history than walk it backwards.
_BEFORE = f"""(
    select p.run from result p indexed by result_history where p."case" = h."case"
    and p.kernel = h.kernel and (p.at, p.run) < (h.at, h.run) and p.outcome <> {_ERROR}
    order by p.at desc, p.run desc limit 1)"""

SQL = {
    "meta": "select id, changed, generation, runs, results from meta",
    "runs": "select * from run where (at, id) < (:a, :b) order by at desc, id desc limit :limit",
    "run": "select * from run where id = :run",
    "newest": "select id from run order by at desc, id desc limit 1",
    "tested": """
        select k.name, t.release from tested t join kernel k on k.id = t.kernel
        where t.run = :run order by t.kernel""",
    "summaries": """
        select m.*, k.name as kernel_name, s.name as suite_name from summary m
        join kernel k on k.id = m.kernel join suite s on s.id = m.suite
        where m.run = :run and (m.kernel, m.suite) > (:a, :b)
        order by m.kernel, m.suite limit :limit""",
    "kernels of run": """
        select distinct m.kernel from summary m join kernel k on k.id = m.kernel
        where m.run = :run and k.name <> :host""",
    "bad": f"""
        select {_RESULT} from result h indexed by result_bad {_NAMES}
        where h.run = :run and h.outcome in ({_BAD}) and {_AFTER} {_ORDER}""",
    "results": f"select {_RESULT} from result h {_NAMES} where h.run = :run and {_AFTER} {_ORDER}",
    "names": """
        select k.name, s.name from kernel k, suite s where k.id = :kernel and s.id = :suite""",
    "pairs": """
        select kernel_name, suite_name, kernel, suite from pair
        where (kernel_name, suite_name) > (:a, :b) order by kernel_name, suite_name
        limit :limit""",
    "pairs of kernel": """
        select kernel_name, suite_name, kernel, suite from pair
        where kernel_name = :kernel and suite_name > :b order by suite_name limit :limit""",
    "pairs of suite": """
        select kernel_name, suite_name, kernel, suite from pair
        where suite_name = :suite and kernel_name > :a order by kernel_name limit :limit""",
    "pair": """
        select kernel_name, suite_name, kernel, suite from pair
        where kernel_name = :kernel and suite_name = :suite
        and (kernel_name, suite_name) > (:a, :b) limit :limit""",
    "latest": """
        select m.*, r.name, r.ended, r.whole from summary m join run r on r.id = m.run
        where m.kernel = :kernel and m.suite = :suite order by m.at desc, m.run desc
        limit :limit""",
    "largest": """
        select max(results) from (
            select results from summary where kernel = :kernel and suite = :suite
            order by at desc, run desc limit :limit)""",
    "regressed": f"""
        select {_RESULT}, b.run as base_run, b.outcome as base_outcome
        from result h indexed by result_bad {_NAMES}
        left join result b on b.run = :base
        and b.kernel = iif(h.kernel = :head_kernel, :base_kernel, h.kernel)
        and b.suite = h.suite and b."case" = h."case"
        where h.run = :run and h.outcome in ({_BAD}) and {_AFTER}
        and (b.outcome is null or b.outcome in ({_GOOD})) {_ORDER}""",
    "regressed from before": f"""
        select {_RESULT}, b.run as base_run, b.outcome as base_outcome
        from result h indexed by result_bad {_NAMES}
        left join result b on b.run = {_BEFORE} and b.kernel = h.kernel
        and b.suite = h.suite and b."case" = h."case"
        where h.run = :run and h.outcome in ({_BAD}) and {_AFTER}
        and (b.outcome is null or b.outcome in ({_GOOD})) {_ORDER}""",
    "regressed in pair": f"""
        select count(*) from (select 1 from result h indexed by result_bad
        left join result b on b.run = {_BEFORE} and b.kernel = h.kernel
        and b.suite = h.suite and b."case" = h."case"
        where h.run = :run and h.kernel = :kernel and h.suite = :suite and h.outcome in ({_BAD})
        and (b.outcome is null or b.outcome in ({_GOOD})) limit :limit)""",
    "cases": """
        select c.id, s.name as suite, c.classname, c.name, c.node from "case" c
        join suite s on s.id = c.suite where c.id > :a order by c.id limit :limit""",
    "cases with": """
        select c.id, s.name as suite, c.classname, c.name, c.node from case_words f
        cross join "case" c on c.id = f.rowid join suite s on s.id = c.suite
        where f.case_words match :words and f.rowid > :a order by f.rowid limit :limit""",
    "cases from": """
        select c.id, s.name as suite, c.classname, c.name, c.node from "case" c
        join suite s on s.id = c.suite
        where c.name >= :words and c.name < :words || char(1114111) and (c.name, c.id) > (
            coalesce((select name from "case" where id = :a), ''), :a)
        order by c.name, c.id limit :limit""",
    "case": """
        select c.id, s.name as suite, c.classname, c.name, c.node from "case" c
        join suite s on s.id = c.suite where c.id = :case""",
    "kernels of case": """
        select k.id, k.name, (select p.at from result p indexed by result_history
            where p."case" = :case and p.kernel = k.id order by p.at desc limit 1) as at
        from pair t join kernel k on k.id = t.kernel where t.suite_name = :suite
        order by t.kernel_name""",
    "history": """
        select h.run as run, h.at, h.outcome, h.ms, r.name as run_name, w.message, w.detail,
        w.reproduce
        from result h indexed by result_history join run r on r.id = h.run
        left join words w on w.id = h.words
        where h."case" = :case and h.kernel = :kernel and (h.at, h.run) < (:a, :b)
        order by h.at desc, h.run desc limit :limit""",
    "last judged": f"""
        select run, at, outcome from result indexed by result_history
        where "case" = :case and kernel = :kernel and outcome in ({_BAD}, {_PASSED})
        order by at desc, run desc limit 1""",
    "last good": f"""
        select run, at, outcome from result indexed by result_history
        where "case" = :case and kernel = :kernel and outcome in ({_PASSED})
        order by at desc, run desc limit 1""",
    "first bad": f"""
        select run, at, outcome from result indexed by result_history
        where "case" = :case and kernel = :kernel and (at, run) > (:a, :b)
        and outcome in ({_BAD}) order by at, run limit 1""",
    "problems": """
        select id, path, problem from file indexed by file_problem
        where problem <> '' and path > :a order by path limit :limit""",
    "path": "select path from file where id = :a",
}
"""Every question that is ever asked, so that tests can hold each against its plan."""

Rows = list[sqlite3.Row]


@dataclass(frozen=True)
class Page:
    """Some rows, and where the next ones begin; ``next`` is empty after the last."""

    rows: Rows
    next: str


@dataclass(frozen=True)
class Latest:
    """The newest run of a suite on a kernel.

    Attributes:
        kernel: its name.
        suite: its name.
        run: number of the run.
        name: what the run is called.
        at: when it started, milliseconds since 1970.
        ended: it came to its end.
        whole: it did, and has every result that it should have.
        counts: results by outcome.
        bad: how many failed, crashed, timed out or passed unexpectedly.
        errors: how many say nothing, by the host's fault.
        ms: sum of the durations.
        regressions: bad ones that were good when they last ran; at most
            :data:`REGRESSIONS_COUNTED`.
        largest: results of the largest of the last :data:`RECENT` runs of the suite on the kernel.
    """

    kernel: str
    suite: str
    run: int
    name: str
    at: int
    ended: bool
    whole: bool
    counts: dict[str, int]
    bad: int
    errors: int
    ms: int
    regressions: int
    largest: int

    @property
    def results(self) -> int:
        """How many results there are."""
        return sum(self.counts.values())

    @property
    def partial(self) -> bool:
        """Cases of the suite did not run: the state says nothing of them."""
        return self.results < self.largest


@dataclass(frozen=True)
class Turn:
    """Where a case went bad: runs by number; None where there is none.

    Attributes:
        bad: it is bad now.
        last_good: the last run in which it passed.
        first_bad: of those after it, the first in which it was bad.
    """

    bad: bool
    last_good: int | None
    first_bad: int | None


def ask(db: sqlite3.Connection, name: str, **values: object) -> Rows:
    """The rows that answer a question of :data:`SQL`."""
    return db.execute(SQL[name], values).fetchall()


def one(db: sqlite3.Connection, name: str, **values: object) -> sqlite3.Row | None:
    """The one row, or None."""
    rows = ask(db, name, **values)
    return rows[0] if rows else None


def numbers(cursor: str, start: tuple[int, ...]) -> tuple[int, ...]:
    """The key that a cursor says; ``start`` for an empty one.

    Raises:
        UsageError: it is none.
    """
    if not cursor:
        return start
    parts = cursor.split(".")
    plain = all(p.removeprefix("-").isascii() and p.removeprefix("-").isdigit() for p in parts)
    if len(parts) != len(start) or not plain or any(len(p) > 18 for p in parts):
        raise UsageError("after= is no place of this list", "take it from a `next` link")
    return tuple(map(int, parts))


def _page(rows: Rows, limit: int, *keys: str) -> Page:
    more = len(rows) > limit
    rows = rows[:limit]
    return Page(rows, ".".join(str(rows[-1][key]) for key in keys) if more else "")


def runs(db: sqlite3.Connection, after: str, limit: int) -> Page:
    """Runs, newest first."""
    a, b = numbers(after, (END, END))
    return _page(ask(db, "runs", a=a, b=b, limit=limit + 1), limit, "at", "id")


def run(db: sqlite3.Connection, number: int) -> sqlite3.Row | None:
    """A run, None when there is no such one."""
    return one(db, "run", run=number)


def newest(db: sqlite3.Connection) -> int | None:
    """Number of the run that started last."""
    row = one(db, "newest")
    return int(row["id"]) if row else None


def results(db: sqlite3.Connection, number: int, after: str, limit: int, *, only_bad: bool) -> Page:
    """Results of a run, by kernel, suite and case; only the bad ones, or all."""
    a, b, c = numbers(after, (0, 0, 0))
    name = "bad" if only_bad else "results"
    rows = ask(db, name, run=number, a=a, b=b, c=c, limit=limit + 1)
    return _page(rows, limit, "kernel_id", "suite_id", "case_id")


def summaries(db: sqlite3.Connection, number: int, after: str, limit: int) -> Page:
    """Kernels and suites of a run with their numbers."""
    a, b = numbers(after, (0, 0))
    rows = ask(db, "summaries", run=number, a=a, b=b, limit=limit + 1)
    return _page(rows, limit, "kernel", "suite")


def latest(
    db: sqlite3.Connection, kernel: str, suite: str, after: str, limit: int
) -> tuple[list[Latest], str]:
    """The latest state of each suite on each kernel, by their names; and where to go on.

    An empty name means all of them.
    """
    a, b = "", ""
    if after:
        ids = numbers(after, (0, 0))
        names = one(db, "names", kernel=ids[0], suite=ids[1])
        if names is None:
            raise UsageError("after= is no place of this list", "take it from a `next` link")
        a, b = names
    rows = _pairs(db, kernel, suite, a=a, b=b, limit=limit + 1)
    page = _page(rows, limit, "kernel", "suite")
    return _latest(db, page.rows), page.next


def latest_of(db: sqlite3.Connection, kernel: str, suite: str) -> list[Latest]:
    """All of :func:`latest`, without regressions."""
    return _latest(db, _pairs(db, kernel, suite, a="", b="", limit=-1), regressions=False)


def _pairs(db: sqlite3.Connection, kernel: str, suite: str, **place: object) -> Rows:
    if kernel and suite:
        return ask(db, "pair", kernel=kernel, suite=suite, **place)
    if kernel:
        return ask(db, "pairs of kernel", kernel=kernel, **place)
    if suite:
        return ask(db, "pairs of suite", suite=suite, **place)
    return ask(db, "pairs", **place)


def _latest(db: sqlite3.Connection, pairs: Rows, *, regressions: bool = True) -> list[Latest]:
    found = []
    for pair in pairs:
        ids = {"kernel": pair["kernel"], "suite": pair["suite"]}
        row = one(db, "latest", limit=1, **ids)
        if row is None:  # its only run was read again, and no longer has it
            continue
        new = 0
        if regressions and row["bad"]:
            ((new,),) = ask(
                db, "regressed in pair", run=row["run"], limit=REGRESSIONS_COUNTED, **ids
            )
        ((largest,),) = ask(db, "largest", limit=RECENT, **ids)
        latest = Latest(
            *(pair["kernel_name"], pair["suite_name"], row["run"], row["name"], row["at"]),
            *(bool(row["ended"]), bool(row["whole"]), json.loads(row["counts"]), row["bad"]),
            *(row["errors"], row["ms"], new, largest),
        )
        found.append(latest)
    return found


def regressions(
    db: sqlite3.Connection, base: int | None, head: int, after: str, limit: int
) -> Page:
    """Cases that are bad in a run and were good, or not there, before.

    Args:
        db: see :meth:`harness.serve.store.Store.reading`.
        base: the run to compare with; None: for each case its own result before.
        head: the run.
        after: cursor.
        limit: rows at most.
    """
    a, b, c = numbers(after, (0, 0, 0))
    at: dict[str, Any] = {"run": head, "a": a, "b": b, "c": c, "limit": limit + 1}
    if base is None:
        rows = ask(db, "regressed from before", **at)
    else:
        base_kernel, head_kernel = _only_kernels(db, base, head)
        at |= {"base": base, "base_kernel": base_kernel, "head_kernel": head_kernel}
        rows = ask(db, "regressed", **at)
    return _page(rows, limit, "kernel_id", "suite_id", "case_id")


def _only_kernels(db: sqlite3.Connection, *runs: int) -> list[int | None]:
    """Where each run has one kernel, its name does not matter; as in ``kharness compare``."""
    found = [ask(db, "kernels of run", run=number, host=HOST) for number in runs]
    return [rows[0]["kernel"] if all(len(r) == 1 for r in found) else None for rows in found]


def cases(db: sqlite3.Connection, query: str, after: str, limit: int) -> Page:
    """Cases with all of some words in their suite, class name, name or node id.

    One or two letters are looked for at the start of names only.
    """
    (a,) = numbers(after, (0,))
    words = query.split()
    long = [word for word in words if len(word) >= 3]
    if long:
        match = " ".join('"' + word.replace('"', '""') + '"' for word in long)
        rows = ask(db, "cases with", words=match, a=a, limit=limit + 1)
    elif words:
        rows = ask(db, "cases from", words=words[0], a=a, limit=limit + 1)
    else:
        rows = ask(db, "cases", a=a, limit=limit + 1)
    return _page(rows, limit, "id")


def case(db: sqlite3.Connection, number: int) -> sqlite3.Row | None:
    """A case, None when there is no such one."""
    return one(db, "case", case=number)


def kernels_of(db: sqlite3.Connection, found: sqlite3.Row) -> Rows:
    """Kernels that a case ran on: id, name, and when it last did."""
    rows = ask(db, "kernels of case", case=found["id"], suite=found["suite"])
    return [row for row in rows if row["at"] is not None]


def history(db: sqlite3.Connection, number: int, kernel: int, after: str, limit: int) -> Page:
    """What became of a case on a kernel, newest first."""
    a, b = numbers(after, (END, END))
    rows = ask(db, "history", case=number, kernel=kernel, a=a, b=b, limit=limit + 1)
    return _page(rows, limit, "at", "run")


def turn(db: sqlite3.Connection, number: int, kernel: int) -> Turn:
    """The first bad run since the last good one."""
    ids = {"case": number, "kernel": kernel}
    judged = one(db, "last judged", **ids)
    good = one(db, "last good", **ids)
    last_good = good["run"] if good else None
    if judged is None or judged["outcome"] not in BAD:
        return Turn(False, last_good, None)
    at = (good["at"], good["run"]) if good else (-END, -END)
    first = one(db, "first bad", a=at[0], b=at[1], **ids)
    return Turn(True, last_good, first["run"] if first else None)


def problems(db: sqlite3.Connection, after: str, limit: int) -> Page:
    """Files that could not be read, by path."""
    path = ""
    if after:
        # Its number, since a path may be longer than an address.
        row = one(db, "path", a=numbers(after, (0,))[0])
        if row is None:
            raise UsageError("after= is no place of this list", "take it from a `next` link")
        path = row["path"]
    return _page(ask(db, "problems", a=path, limit=limit + 1), limit, "id")
