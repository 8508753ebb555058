# SPDX-License-Identifier: GPL-2.0-only
"""The page's texts of results, bounded.

A run of 20,000 results must open at once, so the total is bounded: what went wrong shares one
budget and everything else a smaller one. What is cut says so.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from harness.report.html.strings import cut_console, tidy, whole
from harness.report.notes import Mark
from harness.report.stream import JournalIndex
from harness.verdict.outcome import Attempt, Result
from harness.verdict.splat import Splat
from harness.verdict.text import shorten_middle

BAD_BUDGET = 12_000_000
"""Characters for the texts of what went wrong, shared evenly."""
GOOD_BUDGET = 1_500_000
"""Characters for the texts of everything else."""
MOST = 60_000
"""Characters of one result's texts at most; the files of the run folder have all."""
LEAST = 300
"""Below so many characters a text says nothing, and is left out."""
ITEMS = 40
"""Splats, attempts, pieces of evidence and files of one result at most."""


def details(index: JournalIndex) -> Iterator[tuple[str, dict[str, Any]]]:
    """Texts by the result's number: those of what went wrong first, so that they are kept."""
    for mark, budget in ((Mark.TROUBLED, BAD_BUDGET), (Mark.TALKS, GOOD_BUDGET)):
        share = min(MOST, budget // max(1, index.count(marks=mark)))
        for number, result in index.numbered(marks=mark):
            yield str(number), _detail(result, share)


class _Allowance:
    """Characters that one result may still take."""

    def __init__(self, share: int) -> None:
        self.left = share
        self.cut = False

    def text(self, text: str, part: float = 1.0) -> str:
        """As much of ``text`` as ``part`` of what is left allows."""
        limit = int(self.left * part)
        if not text:
            return ""
        if len(text) > limit:
            self.cut = True
            if limit < LEAST:
                return ""
        words = tidy(shorten_middle(text.rstrip("\n"), limit))
        self.left = max(0, self.left - len(words))
        return words

    def console(
        self, text: str, splats: Sequence[Splat], part: float
    ) -> tuple[list[tuple[int, str]], int]:
        """As much of a console."""
        pieces, lines = cut_console(text, splats, int(self.left * part))
        size = sum(len(words) for _, words in pieces)
        self.cut = self.cut or size < len(text.rstrip("\n"))
        self.left = max(0, self.left - size)
        return pieces, lines


def _detail(r: Result, share: int) -> dict[str, Any]:
    """One result's texts, the most telling first; what is empty is not there."""
    allowed = _Allowance(share)
    splats = r.splats[:ITEMS]
    data: dict[str, Any] = {"detail": allowed.text(r.detail, 0.5)}
    data["console"], data["lines"] = allowed.console(r.console, splats, 0.7)
    data["splats"] = [_splat(s, allowed, data["lines"]) for s in splats]
    data["attempts"] = [_attempt(a, allowed) for a in r.attempts[:ITEMS]]
    data["stdout"] = allowed.text(r.stdout, 0.6)
    data["stderr"] = allowed.text(r.stderr, 0.6)
    data["evidence"] = [
        [tidy(name), allowed.text(text, 0.6)] for name, text in list(r.evidence.items())[:ITEMS]
    ]
    data["files"] = [[tidy(name), tidy(path)] for name, path in list(r.files.items())[:ITEMS]]
    data["cut"] = int(allowed.cut)
    return {key: value for key, value in data.items() if value}


def _splat(s: Splat, allowed: _Allowance, lines: int) -> dict[str, Any]:
    data = {
        "kind": tidy(s.kind),
        "title": tidy(s.title)[:500],
        "severity": s.severity.value,
        "first": s.first,
        "last": s.last,
        "taint": tidy(s.taint)[:100],
        "expected": tidy(s.expected)[:500],
        "decoded": allowed.text("\n".join(s.decoded), 0.5),
        "trace": allowed.text("\n".join(s.trace), 0.3),
        # Where the console does not show them.
        "lines": "" if 1 <= s.first <= s.last <= lines else allowed.text("\n".join(s.lines), 0.3),
    }
    return {key: value for key, value in data.items() if value}


def _attempt(a: Attempt, allowed: _Allowance) -> dict[str, Any]:
    data = {
        "outcome": a.outcome.value,
        "message": tidy(a.message)[:1000],
        "detail": allowed.text(a.detail, 0.3),
        "started": tidy(a.started)[:40],
        "ms": whole(a.duration_s, 1000),
        "worker": tidy(a.worker)[:40],
        "number": whole(a.number),
        "file": tidy(a.console_file),
        "stdout": allowed.text(a.stdout, 0.3),
        "console": allowed.text(a.console, 0.3),
    }
    return {key: value for key, value in data.items() if value}
