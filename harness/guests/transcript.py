# SPDX-License-Identifier: GPL-2.0-only
"""What a guest's console has printed so far, with marks in it, over reboots."""

import asyncio
import re
from typing import NewType

from harness.judging import MARK
from harness.verdict.text import decode

LIMIT = 8 * 1024 * 1024
"""Bytes that are kept in memory; the console's file has more."""
LINE_LIMIT = 4096
"""Bytes of a line, as good as always: printk() prints at most 1 KiB at a time."""

Mark = NewType("Mark", int)
"""A place in a console: bytes that came before it."""


class Transcript:
    """A console's bytes; a watcher of :class:`harness.vm.console.Console`. Belongs to the VM loop.

    Attributes:
        dropped_lines: those of the start that are not kept any more.

    Args:
        limit: bytes that are kept; of a console that prints more, the first are dropped.
    """

    def __init__(self, limit: int = LIMIT) -> None:
        self._limit = limit
        self._data = bytearray()
        self._start = 0
        self.dropped_lines = 0
        self._moved = asyncio.Event()

    @property
    def end(self) -> Mark:
        """Where it ends now."""
        return Mark(self._start + len(self._data))

    def feed(self, data: bytes) -> None:
        """Takes what the console printed."""
        self._data += data
        if len(self._data) > 2 * self._limit:
            cut = len(self._data) - self._limit
            # Between two lines: what is left is numbered as it was before.
            cut = self._data.rfind(b"\n", max(0, cut - LINE_LIMIT), cut) + 1 or cut
            self.dropped_lines += _plain(bytes(self._data[:cut])).count("\n")
            del self._data[:cut]
            self._start += cut
        self.wake()

    def wake(self) -> None:
        """Lets everybody who waits look again."""
        self._moved.set()

    def raw(self, since: int = 0, until: int | None = None) -> bytes:
        """Its bytes between two places, as far as they are kept."""
        end = None if until is None else max(0, until - self._start)
        return bytes(self._data[max(0, since - self._start) : end])

    def text(self, since: int = 0, until: int | None = None) -> str:
        """The same for people: cleaned, and without the agent's own lines."""
        return _plain(self.raw(since, until))

    def line_start(self, place: int) -> int:
        """Where the line begins that a place is in."""
        before = self.raw(until=place)
        return place - len(before) + before.rfind(b"\n") + 1

    def line_at(self, place: int) -> int:
        """Number of the line that a place is in, from 1, those that were dropped counted."""
        return self.dropped_lines + self.text(until=place).count("\n") + 1

    def last_line(self) -> int:
        """Number of the last line that something is in; 0 when there is none."""
        text = self.text()
        return self.dropped_lines + text.count("\n") + (not text.endswith("\n") and text != "")

    async def more(self, limit_s: float) -> bool:
        """Waits until something comes, or somebody calls :meth:`wake`; False after ``limit_s``."""
        self._moved.clear()
        try:
            async with asyncio.timeout(limit_s):
                await self._moved.wait()
        except TimeoutError:
            return False
        return True


def _plain(data: bytes) -> str:
    """For people: cleaned, and without the agent's own lines."""
    return MARK.sub("", decode(data))


class LineSearch:
    """Looks for a line, again and again, in what came since the last look.

    Args:
        transcript: where.
        pattern: what a line has to contain.
        since: where to start.
    """

    def __init__(self, transcript: Transcript, pattern: re.Pattern[str], since: Mark) -> None:
        self._transcript = transcript
        self._pattern = pattern
        self._at: int = since

    def look(self, *, whole: bool = False) -> re.Match[str] | None:
        """The first match in a line that has ended.

        Args:
            whole: in the last line as well, although it has not ended: nothing more comes.
        """
        data = self._transcript.raw(self._at)
        ended = data if whole else data[: data.rfind(b"\n") + 1]
        # From the end: the start of what was to be read may not be kept any more.
        self._at = self._transcript.end - len(data) + len(ended)
        for line in MARK.sub("", decode(ended)).splitlines():
            found = self._pattern.search(line)
            if found:
                return found
        return None
