# SPDX-License-Identifier: GPL-2.0-only
"""What is read out of a KTAP or TAP log: a tree of results, and what is wrong with the log."""

from collections.abc import Set
from dataclasses import dataclass, replace
from typing import Literal

Status = Literal["pass", "fail", "skip", "xfail", "xpass", "timeout", "error"]
"""``error``: no result came, the test bailed out, the plan is wrong, or the log says ERROR."""


@dataclass(frozen=True)
class KtapResult:
    """One test of a log, with its subtests.

    Attributes:
        name: the description; without one what stands after the directive, else ``test N``.
        path: names from the outermost test to this one, this one's own included.
        ok: what its result line says; None when no result came.
        status: what becomes of it, see :data:`Status`.
        reason: one line: of the directive, or why the status is not what the line says.
        diagnostics: the comments that belong to it, without ``# ``; may have many lines.
        line: line of its result in the log, from 1; 0 when no result came.
        duration_s: seconds, where the log says so; else None.
        children: its subtests, in order.
        output: lines that are no KTAP and were printed while it ran (a kernel's messages, a
            program's words), with the kernel's own prefixes.
        lines: where those stand in the log, from 1.
    """

    name: str
    path: tuple[str, ...]
    ok: bool | None
    status: Status
    reason: str = ""
    diagnostics: str = ""
    line: int = 0
    duration_s: float | None = None
    children: tuple["KtapResult", ...] = ()
    output: str = ""
    lines: tuple[range, ...] = ()


@dataclass(frozen=True)
class KtapLog:
    """A log as it was read.

    Attributes:
        version: ``KTAP 1``, ``TAP 13``, ``TAP 14``; empty when the log has no version line.
        results: the outermost tests, in order.
        problems: what is wrong with the log, a line each, with the place.
        bailed: the reason after an outermost ``Bail out!``; ``Bail out!`` itself without one.
        found: there is a version, a plan or a result in the log.
        before: what was printed before the first line of KTAP.
        after: what was printed after the last one.
        start: line of the log with the first KTAP.
        rest: lines of ``after``.
        console: as many lines as the log has, without its KTAP: of a line of that, what the kernel
            put before it.
    """

    version: str = ""
    results: tuple[KtapResult, ...] = ()
    problems: tuple[str, ...] = ()
    bailed: str = ""
    found: bool = False
    before: str = ""
    after: str = ""
    start: int = 0
    rest: range = range(0)
    console: str = ""


BAD: frozenset[Status] = frozenset({"fail", "xpass", "timeout", "error"})

FAILED = BAD - {"error"}
"""What explains the failure of a test with subtests: a missing result does not."""


def counted(log: KtapLog, *, own: Set[tuple[range, ...]] = frozenset()) -> tuple[KtapResult, ...]:
    """The results that count, in the log's order.

    A test with subtests is told by them, and counts itself only when it went wrong and none of
    them says so. Where a test is expected to fail, so are its subtests.

    Args:
        log: as it was read.
        own: ``lines`` of tests that count themselves, whatever their subtests say.
    """
    found: list[KtapResult] = []
    for result in log.results:
        _count(result, found, "", own)
    return tuple(found)


def _count(
    result: KtapResult, found: list[KtapResult], expected: str, own: Set[tuple[range, ...]]
) -> set[Status]:
    """Adds what counts of a test to ``found``; gives the statuses in it."""
    if not result.children:
        if expected and result.status == "fail":
            result = replace(result, status="xfail", reason=result.reason or expected)
        found.append(result)
        return {result.status}
    if result.status == "xfail":
        expected = expected or result.reason or f"{result.name} is expected to fail"
    statuses: set[Status] = set()
    for child in result.children:
        statuses |= _count(child, found, expected, own)
    explained = statuses & (FAILED if result.status == "fail" else {result.status})
    told = explained or (expected and result.status == "fail")
    if (result.status in BAD and not told) or result.lines in own:
        found.append(result)
    return statuses | {result.status}
