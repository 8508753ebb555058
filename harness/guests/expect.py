# SPDX-License-Identifier: GPL-2.0-only
"""Which reports of a kernel a test asked for."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from harness.guests.transcript import Mark, Transcript
from harness.verdict.console import Severity, find_splats
from harness.verdict.expected import Expectation, apply_expectations
from harness.verdict.splat import Splat

REPORT_LIMIT = 64 * 1024
"""Bytes in which a report ends, as good as always: 600 lines are kept of one."""

START = Mark(0)


@dataclass
class Expected:
    """Reports that are expected in a part of a console.

    Attributes:
        why: who expects them.
        first: the first line, from 1; lines are counted from the console's start, those that are
            not kept any more as well.
        last: the last line, or None while it is open.
        pattern: what a title has to contain; None takes every report.
        onwards: what comes after the first that matches is expected as well: an oops is followed
            by a panic.
        since: the place that the first line was told of.
    """

    why: str
    first: int
    last: int | None = None
    pattern: re.Pattern[str] | None = None
    onwards: bool = False
    since: Mark = START

    def covers(self, splat: Splat, before: Sequence[Splat], dropped: int) -> bool:
        """Whether a report is expected, given those before it, and the lines before the text."""
        if not self._within(splat, dropped):
            return False
        if self.pattern is None or self.pattern.search(splat.title):
            return True
        return self.onwards and any(
            self._within(s, dropped) and self.pattern.search(s.title) for s in before
        )

    def _within(self, splat: Splat, dropped: int) -> bool:
        line = splat.first + dropped
        return self.first <= line and (self.last is None or line <= self.last)


def judged_splats(
    text: str,
    expected: Sequence[Expected],
    known: Sequence[Expectation],
    release: str,
    dropped: int = 0,
) -> tuple[Splat, ...]:
    """The reports in a console, in order, with why they were expected; what is no trouble is not.

    Args:
        text: the console, cleaned, as far as it is kept; reports have the numbers of its lines.
        expected: what the test asked for.
        known: what harness.toml knows of.
        release: the kernel's, for ``known``.
        dropped: lines that came before ``text`` and are not kept.
    """
    found, _ = apply_expectations(find_splats(text), known, release)
    found = tuple(s for s in found if s.severity is not Severity.INFO)
    judged = []
    for number, splat in enumerate(found):
        why = next((e.why for e in expected if e.covers(splat, found[:number], dropped)), "")
        judged.append(replace(splat, expected=why) if why else splat)
    return tuple(judged)


class ReportSearch:
    """Looks, again and again, whether a report may have come, in what came since the last look.

    Args:
        transcript: where.
        pattern: what a title has to contain; None takes every report.
        since: where to start.
    """

    def __init__(
        self, transcript: Transcript, pattern: re.Pattern[str] | None, since: Mark
    ) -> None:
        self._transcript = transcript
        self._pattern = pattern
        self._at = transcript.line_start(since)

    def look(self) -> bool:
        """Whether such a title was seen; it may be that of a report which began before."""
        text = self._transcript.text(self._at)
        self._at = max(self._at, self._transcript.end - REPORT_LIMIT)
        titles = (s.title for s in find_splats(text) if s.severity is not Severity.INFO)
        return any(self._pattern is None or self._pattern.search(title) for title in titles)
