# SPDX-License-Identifier: GPL-2.0-only
"""Which test of a KTAP log ran when the kernel reported something."""

import bisect
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from harness.verdict.console import find_splats, worst
from harness.verdict.ktap_log import KtapLog, KtapResult
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
