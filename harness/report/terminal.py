# SPDX-License-Identifier: GPL-2.0-only
"""What a person sees: progress while a run goes on, and the table, the failures and the verdict.

Text of a guest is cleaned and never read as markup, so nothing in it reaches the terminal as a
command.
"""

import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn
from rich.table import Table
from rich.text import Text

from harness.errors import ExitCode
from harness.verdict.outcome import Outcome, Result
from harness.verdict.text import clean, one_line

STYLES = {
    Outcome.PASS: "green",
    Outcome.FAIL: "bold red",
    Outcome.SKIP: "yellow",
    Outcome.XFAIL: "yellow",
    Outcome.XPASS: "bold red",
    Outcome.CRASH: "bold magenta",
    Outcome.TIMEOUT: "bold red",
    Outcome.ERROR: "bold red",
}
CONSOLE_LINES = 20
KERNEL_BAD = (Outcome.FAIL, Outcome.XPASS, Outcome.CRASH, Outcome.TIMEOUT)


def exit_code(results: Sequence[Result]) -> ExitCode:
    """The run's exit code by its results."""
    outcomes = {r.outcome for r in results}
    if outcomes & set(KERNEL_BAD):
        return ExitCode.FAILED
    if Outcome.ERROR in outcomes:
        return ExitCode.HOST
    return ExitCode.OK if outcomes else ExitCode.NO_CASES


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
        self._done += 1
        self._bad += not r.outcome.good
        if self._each or not r.outcome.good:
            self.console.print(_line(r))
        if self._progress:
            passed = time.monotonic() - self._start
            left = passed / self._done * (self._total - self._done)
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
    if r.message:
        line.append(f"  {one_line(r.message)}", style="default")
    return line


def print_summary(
    console: Console, results: Sequence[Result], folder: Path | None, *, elapsed_s: float
) -> None:
    """The table, why cases were skipped, every failure, and the verdict."""
    console.print(_table(results))
    _print_skips(console, results)
    for r in results:
        if not r.outcome.good:
            _print_failure(console, r)
    if folder:
        console.print(Text(f"run folder: {folder}", style="dim"))
    console.print(_verdict(results, elapsed_s))


def _table(results: Sequence[Result]) -> Table:
    kernels = list(dict.fromkeys(r.kernel for r in results))
    table = Table(show_edge=False, pad_edge=False)
    table.add_column("cases")
    for kernel in kernels:
        table.add_column(Text(clean(kernel)))
    for classname in dict.fromkeys(r.classname for r in results):
        cells = [
            _counts([r for r in results if r.classname == classname and r.kernel == k])
            for k in kernels
        ]
        table.add_row(Text(clean(classname)), *cells)
    return table


def _counts(results: Sequence[Result]) -> Text:
    counts = Counter(r.outcome for r in results)
    cell = Text()
    for outcome in Outcome:
        if counts[outcome]:
            cell.append(", " if cell.plain else "")
            cell.append(f"{counts[outcome]} {outcome.value}", style=STYLES[outcome])
    return cell


def _print_skips(console: Console, results: Sequence[Result]) -> None:
    reasons = Counter((r.kernel, r.message) for r in results if r.outcome is Outcome.SKIP)
    for (kernel, reason), count in reasons.items():
        words = f"skipped on {kernel}: {count} x {one_line(reason)}"
        console.print(Text(words, style="yellow"))


def _print_failure(console: Console, r: Result) -> None:
    console.print()
    console.print(_line(r))
    console.print(Text(f"  at {clean(r.file)}:{r.line}"))
    for line in clean(r.detail).splitlines():
        console.print(Text(f"  {line}"))
    lines = [line for line in clean(r.console).splitlines() if line.strip()]
    if lines:
        more = f", last {CONSOLE_LINES} of {len(lines)} lines" if len(lines) > CONSOLE_LINES else ""
        console.print(Text(f"  console{more}:", style="dim"))
        for line in lines[-CONSOLE_LINES:]:
            console.print(Text(f"    {line}", style="dim"))
    console.print(Text(f"  reproduce: {clean(r.reproduce)}", style="cyan"))


def _verdict(results: Sequence[Result], elapsed_s: float) -> Text:
    counts = Counter(r.outcome for r in results)
    words = ", ".join(f"{counts[o]} {o.value}" for o in Outcome if counts[o]) or "no case ran"
    code = exit_code(results)
    if counts and counts[Outcome.SKIP] == len(results):
        words += " (every case was skipped: nothing was tested)"
    style = "bold green" if code is ExitCode.OK else "bold red"
    name = {ExitCode.OK: "PASS", ExitCode.FAILED: "FAIL"}.get(code, "ERROR")
    return Text(f"{name}: {words} in {elapsed_s:.1f} s", style=style)
