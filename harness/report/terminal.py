# SPDX-License-Identifier: GPL-2.0-only
"""What a person sees: progress while a run goes on, and the table, the failures and the verdict.

Text of a guest is cleaned and never read as markup, so nothing in it reaches the terminal as a
command.
"""

import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn
from rich.table import Table
from rich.text import Text

from harness.errors import ExitCode
from harness.report.facts import BAD, missing_of
from harness.report.notes import Mark
from harness.report.stream import JournalIndex
from harness.verdict.outcome import Outcome, Result
from harness.verdict.text import clean, one_line
from harness.verdict.weigh import expected_words

STYLES = {
    Outcome.PASS: "green",
    Outcome.FAIL: "bold red",
    Outcome.SKIP: "yellow",
    Outcome.XFAIL: "yellow",
    Outcome.XPASS: "bold red",
    Outcome.CRASH: "bold magenta",
    Outcome.TIMEOUT: "bold red",
    Outcome.ERROR: "bold red",
    Outcome.FLAKY: "bold yellow",
}
CONSOLE_LINES = 20
KERNEL_BAD = (Outcome.FAIL, Outcome.XPASS, Outcome.CRASH, Outcome.TIMEOUT)


def exit_code(outcomes: Iterable[Outcome], *, hunting: bool = False) -> ExitCode:
    """The run's exit code by what came; who hunts for a flake wants to be told of one."""
    came = set(outcomes)
    if came & set(KERNEL_BAD) or (hunting and Outcome.FLAKY in came):
        return ExitCode.FAILED
    if Outcome.ERROR in came:
        return ExitCode.HOST
    return ExitCode.OK if came else ExitCode.NO_CASES


class Display:
    """Progress: a live line on a terminal, plain lines elsewhere.

    Args:
        console: where to print.
        quiet: print failures only.
        verbose: print a line for each case on a terminal as well.
    """

    def __init__(self, console: Console, *, quiet: bool = False, verbose: bool = False) -> None:
        self.console = console
        self._quiet = quiet
        self._each = verbose or (not console.is_terminal and not quiet)
        self._progress: Progress | None = None
        self._task = TaskID(0)
        self._total = 0
        self._done = 0
        self._bad = 0
        self._start = time.monotonic()

    def start(self, total: int) -> None:
        """The run begins with ``total`` cases to come."""
        self._total = total
        self._start = time.monotonic()
        if self.console.is_terminal and not self._quiet:
            self._progress = Progress(
                TextColumn("{task.description}"),
                BarColumn(bar_width=24),
                MofNCompleteColumn(),
                TextColumn("{task.fields[failed]} failed"),
                TextColumn("{task.fields[left]}"),
                console=self.console,
                transient=True,
            )
            self._task = self._progress.add_task("starting", total=total, failed=0, left="")
            self._progress.start()

    def note(self, text: str) -> None:
        """A line that is worth a person's attention."""
        if not self._quiet:
            self.console.print(Text(clean(text), style="dim"))

    def result(self, r: Result) -> None:
        """A case has finished."""
        self._done += not r.parent  # subtests come with their program
        self._bad += not r.outcome.good
        if self._each or not r.outcome.good:
            self.console.print(_line(r))
        if self._progress:
            passed = time.monotonic() - self._start
            left = passed / max(1, self._done) * (self._total - self._done)
            self._progress.update(
                self._task,
                completed=self._done,
                description=clean(r.kernel),
                failed=self._bad,
                left=f"{left:.0f} s left",
            )

    def stop(self) -> None:
        """Takes the live line away."""
        if self._progress:
            self._progress.stop()
            self._progress = None


def _line(r: Result) -> Text:
    line = Text(f"{r.outcome.value:7} ", style=STYLES[r.outcome])
    line.append(f"{clean(r.case)} [{clean(r.kernel)}]", style="default")
    line.append(f" {r.duration_s:.2f} s", style="dim")
    if r.outcome is Outcome.PASS and "tries" in r.extra:
        line.append(f"  {clean(r.extra['tries'])} tries", style="dim")
    if r.message:
        line.append(f"  {one_line(r.message)}", style="default")
    expected = expected_words(r.splats)
    if expected:
        line.append(f"  expected splat: {one_line(expected)}", style="yellow")
    return line


def print_summary(
    console: Console,
    index: JournalIndex,
    folder: Path | None,
    *,
    elapsed_s: float | None = None,
    hunting: bool = False,
    seed: int | None = None,
) -> None:
    """The table, why cases were skipped, what is flaky or expected, every failure, the verdict.

    Args:
        console: where to.
        index: of the journal.
        folder: the run folder; None for none.
        elapsed_s: what the run took; None when only the sum of its cases is known.
        hunting: a flake is a failure.
        seed: of every random choice; None for none.
    """
    console.print(_table(index))
    _print_skips(console, index)
    _print_expected(console, index)
    _print_tries(console, index)
    for r in index.results(outcomes=BAD):
        _print_failure(console, r)
    if folder:
        with_seed = f", seed: {seed}" if seed is not None else ""
        console.print(Text(f"run folder: {folder}{with_seed}", style="dim"))
    console.print(_verdict(index, elapsed_s, hunting=hunting))


def _table(index: JournalIndex) -> Table:
    table = Table(show_edge=False, pad_edge=False)
    table.add_column("cases")
    for kernel in index.ran_on:
        table.add_column(Text(clean(kernel)))
    for classname, found in index.by_class().items():
        cells = [_counts(found.get(kernel, Counter())) for kernel in index.ran_on]
        table.add_row(Text(clean(classname)), *cells)
    return table


def _counts(counts: Counter[Outcome]) -> Text:
    cell = Text()
    for outcome in Outcome:
        if counts[outcome]:
            cell.append(", " if cell.plain else "")
            cell.append(f"{counts[outcome]} {outcome.value}", style=STYLES[outcome])
    return cell


def _print_skips(console: Console, index: JournalIndex) -> None:
    skipped = index.results(outcomes=(Outcome.SKIP,))
    for (kernel, reason), count in Counter((r.kernel, r.message) for r in skipped).items():
        words = f"skipped on {kernel}: {count} x {one_line(reason)}"
        console.print(Text(words, style="yellow"))


def _print_expected(console: Console, index: JournalIndex) -> None:
    splats = Counter(
        (r.kernel, s.title, s.expected)
        for r in index.results(marks=Mark.EXPECTED)
        for s in r.splats
        if s.expected
    )
    for (kernel, title, reason), count in splats.items():
        words = (
            f"expected splat on {clean(kernel)}: {count} x {one_line(title)}: {one_line(reason)}"
        )
        console.print(Text(words, style="yellow"))


def _print_tries(console: Console, index: JournalIndex) -> None:
    """What is flaky, what failed as expected, and where a guest was lost."""
    for r in index.results(outcomes=(Outcome.FLAKY, Outcome.XFAIL), marks=Mark.TOLD):
        if r.outcome in (Outcome.FLAKY, Outcome.XFAIL) or ("tries" in r.extra and r.outcome.good):
            console.print(_line(r))
        if "first_guest" in r.extra:
            words = f"{r.case} [{r.kernel}]: run once more, {r.extra['first_guest']}"
            console.print(Text(one_line(words), style="yellow"))


def _print_failure(console: Console, r: Result) -> None:
    console.print()
    console.print(_line(r))
    if r.file:
        place = f"{one_line(r.file)}:{r.line}" if r.line > 0 else one_line(r.file)
        console.print(Text(f"  at {place}"))
    for line in clean(r.detail).splitlines():
        console.print(Text(f"  {line}"))
    lines = [line for line in clean(r.console).splitlines() if line.strip()]
    if lines:
        more = f", last {CONSOLE_LINES} of {len(lines)} lines" if len(lines) > CONSOLE_LINES else ""
        console.print(Text(f"  console{more}:", style="dim"))
        for line in lines[-CONSOLE_LINES:]:
            console.print(Text(f"    {line}", style="dim"))
    if r.reproduce:
        console.print(Text(f"  reproduce: {clean(r.reproduce)}", style="cyan"))


def _verdict(index: JournalIndex, elapsed_s: float | None, *, hunting: bool) -> Text:
    counts = index.total
    words = ", ".join(f"{counts[o]} {o.value}" for o in Outcome if counts[o]) or "no case ran"
    code = exit_code(+counts, hunting=hunting)
    if counts and counts[Outcome.SKIP] == counts.total():
        words += " (every case was skipped: nothing was tested)"
    style = "bold green" if code is ExitCode.OK else "bold red"
    name = {ExitCode.OK: "PASS", ExitCode.FAILED: "FAIL"}.get(code, "ERROR")
    lacking = missing_of(index).in_brief()
    if lacking and lacking != words:
        words += f", {lacking}"
    if lacking and code is ExitCode.OK:
        name, style = "INCOMPLETE", "bold yellow"
    if not len(index):
        took = ""
    elif elapsed_s is None:
        took = f"; the cases took {sum(index.seconds.values()):.1f} s"
    else:
        took = f"{',' if lacking else ''} in {elapsed_s:.1f} s"
    return Text(f"{name}: {words}{took}", style=style)
