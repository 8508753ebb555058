# SPDX-License-Identifier: GPL-2.0-only
"""What is known of results and of their levels while a KTAP log is read."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from harness.verdict.ktap_log import KtapResult, Status
from harness.verdict.ktap_rules import Plan


@dataclass(slots=True)
class Node:
    """A result that is not finished; fields as in :class:`KtapResult`."""

    name: str
    ok: bool | None = None
    status: Status = "error"
    reason: str = ""
    line: int = 0
    duration_s: float | None = None
    diagnostics: str = ""
    output: str = ""
    lines: tuple[range, ...] = ()
    children: tuple["Node", ...] = ()


@dataclass(slots=True)
class Level:
    """A column of results, and what is known of the test that they are subtests of.

    Attributes:
        column: where its lines begin.
        line: where it was opened.
        name: of the test that its results are subtests of, as ``# Subtest: name`` says.
        header: it was announced, so that a test without results is noticed.
        versioned: a version line opened what is being read.
        tap: version of TAP that is being read; 0 for KTAP, and where nothing says so.
        nodes: its results, of all plans.
        first: index of the first result since the last plan was met.
        count: results since then, also those that were too many to keep.
        numbers: their numbers, as far as they do not simply count up.
        expected: number that the next result should have.
        plan: how many results there should be.
        skip: reason of ``1..0 # SKIP reason``.
        second: a plan before the first one was done, and its line, until it is known what it is.
        bailed: ``Bail out! reason``.
        started: tests that have begun and have no result, and where.
        fault: why the test that its results are subtests of cannot have passed.
        odd: a wrong number was told already.
        low: results before that, which counted up from 1.
        totals: what kselftest.h says at its end, by status; empty when it does not.
    """

    column: int
    line: int
    name: str = ""
    header: bool = False
    versioned: bool = False
    tap: int = 0
    nodes: list[Node] = field(default_factory=list)
    first: int = 0
    count: int = 0
    numbers: set[int] = field(default_factory=set)
    expected: int = 1
    plan: int | None = None
    skip: str | None = None
    second: tuple[int, Plan] | None = None
    bailed: str = ""
    started: dict[str, int] = field(default_factory=dict)
    fault: str = ""
    odd: bool = False
    low: int = 0
    totals: dict[Status, int] = field(default_factory=dict)

    @property
    def used(self) -> bool:
        """Something in it would be lost if it were dropped."""
        told = self.count or self.nodes or self.plan or self.started or self.header
        return bool(told or self.bailed)


def unprinted(level: Level) -> list[Status]:
    """Statuses of planned results that a program counted and did not print.

    ksft_inc_pass_cnt() of kselftest.h does so, and ksft_print_cnts() tells of them. Empty when what
    it tells is not what was planned, or less than what was printed.
    """
    if sum(level.totals.values()) != level.plan:
        return []
    printed = Counter(node.status for node in level.nodes[level.first :])
    if any(level.totals.get(status, 0) < count for status, count in printed.items()):
        return []
    return [s for s, count in level.totals.items() for _ in range(count - printed[s])]


def last_skip(level: Level) -> str:
    """Reason of the skip that a level ends with: ksft_exit_skip() prints it as a result."""
    last = level.nodes[-1] if level.nodes else None
    return last.reason if last is not None and last.status == "skip" else ""


def joined(text: str, lines: Sequence[str]) -> str:
    """A text and further lines."""
    return "\n".join([text, *lines] if text else lines)


def frozen(node: Node, above: tuple[str, ...]) -> KtapResult:
    """The finished result, below the tests of these names."""
    path = (*above, node.name)
    return KtapResult(
        name=node.name,
        path=path,
        ok=node.ok,
        status=node.status,
        reason=node.reason,
        diagnostics=node.diagnostics,
        line=node.line,
        duration_s=node.duration_s,
        children=tuple(frozen(child, path) for child in node.children),
        output=node.output,
        lines=node.lines,
    )
