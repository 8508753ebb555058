# SPDX-License-Identifier: GPL-2.0-only
"""Text of guests for a page: cleaned, kept once, bounded."""

import re
from collections.abc import Sequence

from harness.verdict.splat import Splat
from harness.verdict.text import clean

BIDI = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
"""Characters that turn text around them (Unicode Standard Annex 9, 2.): they make one thing look
like another."""
REMEMBERED = 1_000
"""Texts whose number is remembered before they are tidied: many results have the same."""
MARGIN = 6
"""Lines around a splat that are kept when a console is cut."""


def tidy(text: str) -> str:
    """Text without anything that acts: controls, terminal sequences and bidi marks are visible."""
    return BIDI.sub(lambda found: f"#x{ord(found[0]):04X}", clean(text))


def whole(value: float, factor: int = 1) -> int:
    """A number of a journal as an integer; what is none, or endless, is 0."""
    try:
        return round(value * factor)
    except (TypeError, ValueError, OverflowError):
        return 0


class Strings:
    """A table of strings, each kept once, in the order in which they came.

    Attributes:
        table: the strings; number 0 is the empty one.
    """

    def __init__(self) -> None:
        self.table: list[str] = [""]
        self._known: dict[str, int] = {"": 0}
        self._tidied: dict[str, int] = {}

    def add(self, text: str) -> int:
        """The number of the tidied text."""
        found = self._tidied.get(text)
        if found is None:
            if len(self._tidied) >= REMEMBERED:
                self._tidied.clear()
            found = self._tidied[text] = self._add(tidy(text))
        return found

    def add_pattern(self, text: str, parts: Sequence[str]) -> int:
        """The number of a pattern: part 0 stands in it as U+0001, part 1 as U+0002 ...

        No tidied text has these characters in it. What differs between cases by their names only
        is kept once so.
        """
        pattern = tidy(text)
        for number, part in enumerate(map(tidy, parts), 1):
            if part:
                pattern = pattern.replace(part, chr(number))
        return self._add(pattern)

    def _add(self, text: str) -> int:
        found = self._known.get(text)
        if found is None:
            found = self._known[text] = len(self.table)
            self.table.append(text)
        return found


def cut_console(
    text: str, splats: Sequence[Splat], limit: int
) -> tuple[list[tuple[int, str]], int]:
    """A console of at most about ``limit`` characters, splats first, then its end, then its start.

    Args:
        text: the whole, not yet tidied.
        splats: what must be seen; their lines count from 1.
        limit: characters.

    Returns:
        Pieces of consecutive lines, each with the number of its first line; and how many lines the
        whole has.
    """
    whole = text.rstrip("\n")
    if not whole:
        return [], 0
    lines = whole.split("\n")
    if len(whole) <= limit:
        return [(1, tidy(whole))], len(lines)
    wanted: list[int] = []
    for splat in splats:
        wanted += range(max(1, splat.first - MARGIN), min(len(lines), splat.last + MARGIN) + 1)
    wanted += range(len(lines), max(0, len(lines) - 200), -1)
    wanted += range(1, len(lines) + 1)
    kept: set[int] = set()
    left = limit
    for number in dict.fromkeys(wanted):
        size = min(len(lines[number - 1]), 500) + 1
        if size > left:
            break
        left -= size
        kept.add(number)
    pieces: list[tuple[int, list[str]]] = []
    last = -1
    for number in sorted(kept):
        line = lines[number - 1]
        words = line if len(line) <= 500 else f"{line[:497]}..."
        if number == last + 1 and pieces:
            pieces[-1][1].append(words)
        else:
            pieces.append((number, [words]))
        last = number
    return [(first, tidy("\n".join(some))) for first, some in pieces], len(lines)
