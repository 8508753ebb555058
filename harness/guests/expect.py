# SPDX-License-Identifier: GPL-2.0-only
"""Which reports of a kernel a test asked for."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from harness.verdict.console import Severity, find_splats
from harness.verdict.expected import Expectation, apply_expectations
from harness.verdict.splat import Splat


@dataclass
class Expected:
    """Reports that are expected in a part of a console.

    Attributes:
        why: who expects them.
        first: the first line, from 1.
        last: the last line, or None while it is open.
        pattern: what a title has to contain; None takes every report.
        onwards: what comes after the first that matches is expected as well: an oops is followed
            by a panic.
    """

    why: str
    first: int
    last: int | None = None
    pattern: re.Pattern[str] | None = None
    onwards: bool = False

    def covers(self, splat: Splat, before: Sequence[Splat]) -> bool:
        """Whether a report is expected, given those before it."""
        if not self._within(splat):
            return False
        if self.pattern is None or self.pattern.search(splat.title):
            return True
        return self.onwards and any(
            self._within(s) and self.pattern.search(s.title) for s in before
        )

    def _within(self, splat: Splat) -> bool:
        return self.first <= splat.first and (self.last is None or splat.first <= self.last)


def judged_splats(
    text: str, expected: Sequence[Expected], known: Sequence[Expectation], release: str
) -> tuple[Splat, ...]:
    """The reports in a console, in order, with why they were expected; what is no trouble is not.

    Args:
        text: the whole console, cleaned.
        expected: what the test asked for.
        known: what harness.toml knows of.
        release: the kernel's, for ``known``.
    """
    found, _ = apply_expectations(find_splats(text), known, release)
    found = tuple(s for s in found if s.severity is not Severity.INFO)
    judged = []
    for number, splat in enumerate(found):
        why = next((e.why for e in expected if e.covers(splat, found[:number])), "")
        judged.append(replace(splat, expected=why) if why else splat)
    return tuple(judged)
