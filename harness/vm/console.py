# SPDX-License-Identifier: GPL-2.0-only
"""A guest's console: stored raw, with the host's time of every line beside it, and bounded."""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, TextIO

from harness.cache import private_folder
from harness.verdict.text import gap

FILE_LIMIT = 64 * 1024 * 1024
"""Bytes of one console that are stored; a guest that floods its console fills no disk."""
TIMES_LIMIT = 16 * 1024 * 1024
"""Bytes of the file with times: a flood of empty lines makes it larger than what it tells of."""
CAPTURE_HEAD = 256 * 1024
CAPTURE_TAIL = 64 * 1024
MARK_WITHIN = 16 * 1024
"""A mark of the agent is looked for in so many bytes: other CPUs may have printed after it."""


class Capture:
    """What a console printed since a mark: the first and the last bytes, and how many there were.

    Args:
        head: bytes kept from the start.
        tail: bytes kept from the end.
    """

    def __init__(self, head: int = CAPTURE_HEAD, tail: int = CAPTURE_TAIL) -> None:
        self._head_limit, self._tail_limit = head, tail
        self._head, self._tail = bytearray(), bytearray()
        self.total = 0

    def add(self, data: bytes) -> None:
        """Takes what came."""
        self.total += len(data)
        room = self._head_limit - len(self._head)
        if room > 0:
            self._head += data[:room]
            data = data[room:]
        if data:
            self._tail += data
            if len(self._tail) > 2 * self._tail_limit:
                del self._tail[: -self._tail_limit]

    def end(self, size: int) -> bytes:
        """The last ``size`` bytes, or somewhat more."""
        return bytes(self._head[-size:]) + bytes(self._tail[-size:])

    def text(self) -> bytes:
        """All bytes kept; what was left out in the middle is marked with its size."""
        tail = bytes(self._tail[-self._tail_limit :])
        cut = self.total - len(self._head) - len(tail)
        mark = f"\n{gap(cut)}\n".encode() if cut > 0 else b""
        return bytes(self._head) + mark + tail


class Console:
    """Takes a console's bytes: into a file, and into every open capture.

    The files come with the first byte: many forks print nothing. ``<file>.times`` has a line for
    each line of the console: byte offset, then host time in seconds since 1970. Both are bounded.

    Args:
        path: the raw file, or None to keep captures only.
        limit: bytes that the file may have; what comes on top is left out, and the file says so.

    Attributes:
        path: see above; None from when it could not be written.
        problem: why that was; empty where it was not.
    """

    def __init__(self, path: Path | None, limit: int = FILE_LIMIT) -> None:
        self.path = path
        self.problem = ""
        self.total = 0
        self._limit = limit
        self._raw: BinaryIO | None = None
        self._times: TextIO | None = None
        self._line_open = False
        self._times_left = TIMES_LIMIT
        self._captures: list[Capture] = []
        self._watchers: list[Callable[[bytes], None]] = []
        self._fed = asyncio.Event()

    async def until(self, capture: Capture, mark: bytes, limit_s: float) -> bool:
        """Waits until ``mark`` has come near the end of a capture; False after ``limit_s``."""
        try:
            async with asyncio.timeout(limit_s):
                while mark not in capture.end(MARK_WITHIN):
                    self._fed.clear()
                    await self._fed.wait()
        except TimeoutError:
            return False
        return True

    async def more(self) -> None:
        """Waits until something comes."""
        self._fed.clear()
        await self._fed.wait()

    async def quiet(self, calm_s: float, limit_s: float) -> None:
        """Waits until nothing has come for ``calm_s``, at most ``limit_s``; both in seconds."""
        clock = asyncio.get_running_loop().time
        deadline = clock() + limit_s
        while (left := deadline - clock()) > 0:
            self._fed.clear()
            try:
                async with asyncio.timeout(min(calm_s, left)):
                    await self._fed.wait()
            except TimeoutError:
                return

    @contextmanager
    def watched(self, watcher: Callable[[bytes], None]) -> Iterator[None]:
        """Hands everything that comes to ``watcher`` while the block runs."""
        self._watchers.append(watcher)
        try:
            yield
        finally:
            self._watchers.remove(watcher)

    def begin(self) -> Capture:
        """A capture of everything from now on, until :meth:`end`."""
        capture = Capture()
        self._captures.append(capture)
        return capture

    def end(self, capture: Capture) -> bytes:
        """Closes a capture and returns its bytes."""
        if capture in self._captures:
            self._captures.remove(capture)
        return capture.text()

    def store_in(self, path: Path, before: Capture) -> None:
        """Stores in ``path`` from now on, and first what ``before`` has.

        A fork that was made ahead of its case has no name for its file until the case comes.
        """
        self.path = path
        printed = before.text()
        if printed:
            self.total -= before.total
            self.feed_file(printed)

    def feed(self, data: bytes) -> None:
        """Takes what the console printed."""
        for capture in self._captures:
            capture.add(data)
        for watcher in self._watchers:
            watcher(data)
        self.feed_file(data)
        self._fed.set()

    def feed_file(self, data: bytes) -> None:
        """Takes bytes that every capture has already; none are the console's end."""
        if data and self.path is not None and self.total < self._limit:
            try:
                self._store(self.path, data[: self._limit - self.total])
            except OSError as error:
                # The captures have it all the same.
                self.problem, self.path = f"{self.path}: {error.strerror}", None
        self.total += len(data)

    def close(self) -> None:
        """Closes the files and notes what was left out."""
        raw, times = self._raw, self._times
        self._raw = self._times = None
        try:
            if raw is not None and self.total > self._limit:
                note = f"\n[kharness: {self.total - self._limit} more bytes not stored]\n"
                raw.write(note.encode())
            if times is not None:
                times.close()
        except OSError as error:
            self.problem = self.problem or f"{self.path}: {error.strerror}"
        finally:
            if raw is not None:
                raw.close()

    def _store(self, path: Path, data: bytes) -> None:
        if self._raw is None or self._times is None:
            private_folder(path.parent)
            self._raw = path.open("ab", buffering=0)
            self._times = path.with_name(path.name + ".times").open("a", buffering=1)
        self._raw.write(data)
        now = time.time()
        lines, start = [], 0
        while start < len(data) and self._times_left > 0:
            if not self._line_open:
                lines.append(f"{self.total + start} {now:.6f}\n")
                self._times_left -= len(lines[-1])
            newline = data.find(b"\n", start)
            self._line_open = newline < 0
            start = len(data) if newline < 0 else newline + 1
        self._times.write("".join(lines))
