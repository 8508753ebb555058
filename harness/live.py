# SPDX-License-Identifier: GPL-2.0-only
"""Watches a guest's console while a case runs: a report of the kernel ends the wait at once."""

import asyncio

from harness.cases.case import Case
from harness.verdict.console import Severity, Splat, find_splats
from harness.verdict.text import decode
from harness.vm.console import Console

LOOK_AT = 1024 * 1024
"""Bytes of a console that are watched; a flood is judged at the end, as far as it is kept."""
LINE_LIMIT = 4096
GOES_ON_S = 2.0
"""So long a case may go on after a report, so that its own words are complete."""
CALM_S = 0.3
"""A report is complete when the console has been silent for so long ..."""
REPORT_S = 3.0
"""... or after so long, whatever it prints."""


def is_whole(splat: Splat) -> bool:
    """Not the rest of a report whose header came with an earlier piece of the console."""
    return splat.kind not in ("unknown", "more")


def ends_the_wait(splat: Splat, case: Case) -> bool:
    """Whether a report that a console shows ends the wait for a case.

    A warning does not: the case goes on and is judged with it at its end. Nor does a bug where
    the case says that it provokes one; of its title only the first words are there yet.
    """
    if not is_whole(splat) or splat.expected:
        return False
    fatal = splat.severity is Severity.FATAL
    return fatal or (splat.severity is Severity.BUG and not case.needs.expect_splat)


class Watch:
    """Looks at every complete line of a console for reports; a watcher of :class:`Console`.

    Args:
        case: the case that runs.

    Attributes:
        seen: set with the first report that ends the wait.
        splat: that report, as far as its first lines tell.
        noted: there was a report that was not expected, a warning at least.
    """

    def __init__(self, case: Case) -> None:
        self.seen = asyncio.Event()
        self.splat: Splat | None = None
        self.noted = False
        self._case = case
        self._line = bytearray()
        self._left = LOOK_AT

    def __call__(self, data: bytes) -> None:
        """Takes what the console printed."""
        if self.splat or self._left <= 0:
            return
        self._left -= len(data)
        lines, newline, rest = data.rpartition(b"\n")
        if newline:
            text = decode(bytes(self._line) + lines)
            self._line = bytearray()
            for splat in find_splats(text):
                if is_whole(splat) and splat.severity is not Severity.INFO:
                    self.noted |= not splat.expected
                if ends_the_wait(splat, self._case):
                    self.splat = splat
                    self.seen.set()
                    return
        self._line += rest[: max(0, LINE_LIMIT - len(self._line))]

    def close(self) -> None:
        """Looks at nothing more: what comes was asked for."""
        self._left = 0


async def report_is_complete(console: Console) -> None:
    """Waits until the kernel has printed the report that it is printing."""
    await console.quiet(CALM_S, REPORT_S)
