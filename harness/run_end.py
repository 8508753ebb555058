# SPDX-License-Identifier: GPL-2.0-only
"""The end of a run: what was expected and did not come, the reports, and what is printed."""

import time
from collections.abc import Callable, Iterable
from itertools import chain
from pathlib import Path

from rich.console import Console

from harness.config import Settings
from harness.kernels.kernel import Kernel
from harness.options import RunOptions
from harness.report.notes import Mark
from harness.report.stream import JournalIndex
from harness.report.terminal import print_summary
from harness.run_reports import write_folder_reports
from harness.taken import Taken
from harness.verdict.expected import unmet


def write_run_folder(
    index: JournalIndex, folder: Path, options: RunOptions, settings: Settings
) -> None:
    """Writes the reports that every run has, and copies of them where they were asked for.

    Raises:
        HostError: one cannot be written.
    """
    write_folder_reports(
        index,
        folder,
        options.junit_flavour or settings.report.junit_flavour,
        options.start,
        junit=options.start / options.junit if options.junit else None,
        html=options.start / options.html if options.html else None,
    )


def tell_of_unmet(
    index: JournalIndex,
    kernels: Iterable[Kernel],
    settings: Settings,
    note: Callable[[str], None],
) -> None:
    """Notes the splats that harness.toml expects and no case brought."""
    releases = {kernel.name: kernel.release for kernel in kernels}
    seen = chain(
        ((releases.get(name, ""), ()) for name in index.ran_on),
        ((releases.get(r.kernel, ""), r.splats) for r in index.results(marks=Mark.TROUBLED)),
    )
    for e in unmet([e.expectation() for e in settings.expect_splat], seen):
        note(f"harness.toml expects a splat that did not come: {e.pattern}: {e.words}")


def print_end(
    console: Console,
    index: JournalIndex,
    folder: Path,
    *,
    began: float,
    hunting: bool,
    seed: int,
) -> None:
    """Prints the summary of a run that has a result.

    Args:
        console: where to.
        index: of the run's journal.
        folder: the run folder.
        began: when the run did, by time.monotonic().
        hunting: a flake is a failure.
        seed: of every random choice.
    """
    if len(index):
        elapsed_s = time.monotonic() - began
        print_summary(console, index, folder, elapsed_s=elapsed_s, hunting=hunting, seed=seed)


def print_interrupted(console: Console, taken: Taken, command: str) -> None:
    """Says below the verdict how many cases an interrupted run did not come to, and what does."""
    if taken.missing:
        console.print(
            f"interrupted: {taken.missing} of {taken.planned} cases have no result;"
            f" {command} runs them",
            markup=False,
        )
