# SPDX-License-Identifier: GPL-2.0-only
"""What a person sees while a kernel is built: a live line, elsewhere one now and then."""

import time

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn

from harness.kernels.make import BuildProgress
from harness.verdict.text import clean

EVERY_S = 20.0
"""Outside of a terminal a line is printed so often."""


class BuildDisplay:
    """Shows the progress of builds; called with each step, closed at the end.

    Args:
        console: where to print.
        quiet: print nothing.
    """

    def __init__(self, console: Console, *, quiet: bool = False) -> None:
        self._console = console
        self._quiet = quiet
        self._progress: Progress | None = None
        self._task = TaskID(0)
        self._printed = 0.0
        self._said = ""

    def __call__(self, at: BuildProgress) -> None:
        """Takes how far a build is."""
        if self._quiet:
            return
        if self._console.is_terminal:
            self._show(at)
            return
        now = time.monotonic()
        fresh = not at.done and at.what != self._said
        if fresh or (at.done and now - self._printed >= EVERY_S):
            self._printed, self._said = now, at.what if not at.done else self._said
            self._console.print(f"{at.name}: {words(at)}", markup=False)

    def _show(self, at: BuildProgress) -> None:
        if self._progress is None:
            self._progress = Progress(
                TextColumn("{task.description}"),
                BarColumn(bar_width=24),
                MofNCompleteColumn(),
                TextColumn("{task.fields[about]}", markup=False),
                console=self._console,
                transient=True,
            )
            self._task = self._progress.add_task("", total=None, about="")
            self._progress.start()
        self._progress.update(
            self._task,
            description=f"building {clean(at.name)}",
            completed=at.done,
            total=at.total or None,
            about=f"{left(at)} {clean(at.what)[-48:]}".strip(),
        )

    def close(self) -> None:
        """Takes the live line away."""
        if self._progress:
            self._progress.stop()
            self._progress = None


def words(at: BuildProgress) -> str:
    """How far a build is, in a line."""
    if not at.done:
        return at.what
    total = f" of about {at.total}" if at.total > at.done else ""
    rest = f", {left(at)}" if left(at) else ""
    return f"{at.done}{total} steps, {at.elapsed_s:.0f} s so far{rest}"


def left(at: BuildProgress) -> str:
    """The time left, roughly: a guess is not told to the second."""
    seconds = at.left_s
    if seconds is None or at.total <= at.done:
        return ""
    if seconds < 60:
        return f"about {max(5, round(seconds / 5) * 5)} s left"
    return f"about {round(seconds / 60)} min left"
