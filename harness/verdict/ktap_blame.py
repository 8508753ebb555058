# SPDX-License-Identifier: GPL-2.0-only
"""Which test of a KTAP log ran when the kernel reported something."""

import bisect
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from harness.verdict.console import SPLATS_LIMIT, find_splats, left_out, worst
from harness.verdict.ktap_log import KtapLog, KtapResult
from harness.verdict.printk import is_stamped, parse_line
from harness.verdict.splat import Splat


@dataclass(frozen=True)
class Blame:
    """The reports of a log.

    Attributes:
        before: those before its first line of KTAP.
        of: those while a test ran, by the test's ``lines``.
        after: those when none ran any more.
    """

    before: tuple[Splat, ...]
    of: dict[tuple[range, ...], tuple[Splat, ...]]
    after: tuple[Splat, ...]

    @property
    def crashed(self) -> frozenset[tuple[range, ...]]:
        """``lines`` of the tests with a report that counts."""
        return frozenset(lines for lines, splats in self.of.items() if worst(splats))


def reports(log: KtapLog) -> tuple[Splat, ...]:
    """All reports of the kernel in a log, with their lines in it."""
    return find_splats(log.console, limit=log.console.count("\n") + 1)


def blame(log: KtapLog, splats: Sequence[Splat]) -> Blame:
    """Gives each report to the test that ran when its first line was printed.

    What runs between the last subtest of a test and the test's own result is the test itself.

    Args:
        log: as it was read.
        splats: with their lines in the log.
    """
    owners = sorted(
        ((r.start, r.stop, lines) for lines in _all(log.results) for r in lines),
        key=lambda owner: owner[:2],
    )
    starts = [start for start, _, _ in owners]
    of: dict[tuple[range, ...], list[Splat]] = defaultdict(list)
    before, after = [], []
    for splat in splats:
        at = bisect.bisect_right(starts, splat.first) - 1
        if at >= 0 and splat.first < owners[at][1]:
            of[owners[at][2]].append(splat)
        elif splat.first < log.start:
            before.append(splat)
        else:
            after.append(splat)
    found = {lines: tuple(splats) for lines, splats in of.items()}
    return Blame(tuple(before), found, tuple(after))


def _all(results: Sequence[KtapResult]) -> Iterator[tuple[range, ...]]:
    """``lines`` of all tests that have some, subtests too."""
    for result in results:
        yield from _all(result.children)
        if result.lines:
            yield result.lines


@dataclass(frozen=True)
class Parted:
    """What was printed while a test ran.

    Attributes:
        console: the kernel's messages, and the whole of each report.
        words: the program's.
        splats: with their lines in ``console``.
    """

    console: str
    words: str
    splats: tuple[Splat, ...]


class Console:
    """The lines of a log that are no KTAP: each is the kernel's or a program's."""

    def __init__(self, log: KtapLog) -> None:
        self._rows = log.console.split("\n")
        self._stamped = is_stamped(log.console)

    def parted(self, lines: Sequence[range], splats: Sequence[Splat]) -> Parted:
        """The kernel's messages and the program's words.

        Without stamps they cannot be told apart; then they are the kernel's if it reported
        something.

        Args:
            lines: those of a test.
            splats: its own, which may end behind them.
        """
        numbers = {number for run in lines for number in run}
        numbers.update(number for s in splats for number in range(s.first, s.last + 1))
        ends = {number for s in splats for number in (s.first, s.last)}
        console: list[str] = []
        words: list[str] = []
        place: dict[int, int] = {}
        for number in sorted(numbers):
            row = self._rows[number - 1]
            kernels, said = _kernels(row)
            if not said:
                continue
            if kernels or number in ends or (splats and not self._stamped):
                console.append(row)
                place[number] = len(console)
            else:
                words.append(row)
        kept = [replace(s, first=place[s.first], last=place[s.last]) for s in splats[:SPLATS_LIMIT]]
        if len(splats) > len(kept):
            kept.append(left_out(len(splats) - len(kept), kept[-1].last))
        return Parted("\n".join(console), "\n".join(words), tuple(kept))


def _kernels(row: str) -> tuple[bool, bool]:
    """Has a line something before it that only the kernel's have, and does it say anything?"""
    if not any(mark in row for mark in ("[", "<", ";", "kern")):
        return False, bool(row)
    messages = list(parse_line(1, row))
    return any(m.kernel for m in messages), any(m.text.strip() for m in messages)
