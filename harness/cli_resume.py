# SPDX-License-Identifier: GPL-2.0-only
"""``kharness resume`` and ``kharness report``: going on with a run, and its reports alone."""

import os
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click

from harness import complete
from harness.cli_common import reported, screen
from harness.cli_reports import report_options
from harness.config import load_settings
from harness.errors import ExitCode
from harness.outputs import Failures
from harness.report.facts import hunted, missing_of
from harness.report.journal import NAME, JournalWriter
from harness.report.stream import JournalIndex
from harness.report.terminal import exit_code, print_summary
from harness.resume import earlier_of, find_run, open_run, options_again, resume_command
from harness.run_reports import RunReports, write_folder_reports
from harness.session import run_session
from harness.vm.shelf import sweep_leftovers


def _find(name: str) -> Path:
    settings = load_settings(None, Path.cwd())
    return find_run(name, Path.cwd(), settings.run.folder)


@click.command()
@click.argument("run", shell_complete=complete.runs)
@click.option("--force", is_flag=True, help="Even if kernels or cases are not the same any more.")
@click.option("-n", "jobs", metavar="N|auto", help="Guests at a time, else as before.")
@click.option("-q", "--quiet", is_flag=True, help="Print failures and the verdict only.")
@click.option("-v", "--verbose", is_flag=True, help="Print a line for each case.")
@reported
def resume(run: str, force: bool, jobs: str | None, quiet: bool, verbose: bool) -> None:
    """Finishes a run that did not come to its end: runs what has no result, and only that.

    RUN is a run folder, or `latest`. Exits as `kharness run` does, over all results.

    Example: kharness resume latest
    """
    folder = _find(run)
    JournalWriter(folder / NAME).close()  # says so when the run still goes on
    with open_run(folder) as index:
        if index.damaged:
            click.echo(f"journal: {_damaged(index)}")
        if index.planned is not None and not any(index.unfinished()):
            sweep_leftovers([folder])  # it may have been killed in its reports
            sys.exit(_finish(index, folder))
        earlier = earlier_of(index, folder)
    nodes, options = options_again(earlier)
    asked: dict[str, Any] = {"quiet": quiet, "verbose": verbose, "force": force, "resume": True}
    asked |= {"jobs": jobs} if jobs else {}
    left = f"{len(earlier.missing)} of {len(earlier.plan.cases)}" if earlier.plan else "all"
    click.echo(f"resuming {earlier.folder.name}: {left} cases have no result yet")
    os.chdir(earlier.run.start)
    sys.exit(run_session(nodes, {**options, **asked}))


def _finish(index: JournalIndex, folder: Path) -> int:
    """Every case has a result: what is left to do is the end and the reports."""
    code = exit_code(index.total, hunting=hunted(index))
    if not index.ended:
        writer = JournalWriter(folder / NAME)
        writer.end(code)
        writer.close()
    with open_run(folder) as whole:
        _tell(whole, folder, summary=True)
    return code


def _tell(
    index: JournalIndex,
    folder: Path,
    junit: Path | None = None,
    formats: tuple[str, ...] = (),
    junit_flavour: str | None = None,
    *,
    summary: bool,
) -> None:
    """Writes every report and prints what the run came to."""
    run = index.run
    assert run is not None
    start = Path(run.start or Path.cwd())
    section = load_settings(None, start if start.is_dir() else Path.cwd()).report
    flavour = junit_flavour or run.options.get("junit_flavour") or section.junit_flavour
    asked = formats or tuple(run.options.get("formats", ()))
    further = RunReports(asked, section, Path.cwd(), flavour, summary=summary)
    further.check(folder, junit=junit)
    failures = Failures()
    with failures.kept():
        write_folder_reports(index, folder, flavour, start, junit=junit)
    with ExitStack() as stack:
        further.guard(stack)
        _print(index, folder)
    with failures.kept():
        further.write(index, folder)
    failures.tell()


@click.command()
@click.argument("run", shell_complete=complete.runs)
@click.option("--junit", type=click.Path(dir_okay=False, path_type=Path), help="Write it here too.")
@report_options
@reported
def report(
    run: str, junit: Path | None, formats: tuple[str, ...], junit_flavour: str | None
) -> None:
    """Makes every report of a run anew from its journal, and prints its summary.

    RUN is a run folder, or `latest`; it may have ended in any way. A step's summary on GitHub is
    added to when --format auto asks for it here.

    Exit codes: 0 all is written, whatever came of the cases; of a run that is incomplete 1 a case
    failed, 2 none did; 3 a report cannot be written, 4 wrong usage.

    \b
    Examples:
      kharness report latest
      kharness report latest --junit-flavour gitlab
    """
    folder = _find(run)
    with open_run(folder) as index:
        _tell(index, folder, junit, formats, junit_flavour, summary=bool(formats))
        code = _report_code(index)
    sys.exit(code)


def _report_code(index: JournalIndex) -> ExitCode:
    """Reports of all that there should be are a success, and of less are none."""
    if not missing_of(index):
        return ExitCode.OK
    failed = exit_code(index.total, hunting=hunted(index)) is ExitCode.FAILED
    return ExitCode.FAILED if failed else ExitCode.INTERRUPTED


def _print(index: JournalIndex, folder: Path) -> None:
    shown = screen()
    if len(index):
        # A log that was parsed has no seed.
        seed = (index.run.seed or None) if index.run else None
        print_summary(shown, index, folder, hunting=hunted(index), seed=seed)
    else:
        shown.print("no case has a result", markup=False)
    for text in index.notes:
        shown.print(text, style="dim", markup=False)
    if index.damaged:
        shown.print(f"journal: {_damaged(index)}", markup=False)
    missing = sum(1 for _ in index.unfinished())
    if missing:
        shown.print(
            f"incomplete: {missing} of {index.planned} cases have no result;"
            f" {resume_command(folder, Path.cwd())} runs them",
            markup=False,
        )
    elif index.planned is None:
        shown.print("incomplete: the run was cut off before it had a plan", markup=False)


def _damaged(index: JournalIndex) -> str:
    lines = "1 line is" if index.damaged == 1 else f"{index.damaged} lines are"
    return f"{lines} damaged, and counts for nothing"
