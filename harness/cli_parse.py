# SPDX-License-Identifier: GPL-2.0-only
"""``kharness parse``: results out of a KTAP or TAP log that anybody wrote."""

import json
import os
import sys
from collections import Counter
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path

import click
from rich.text import Text

from harness import __version__, complete
from harness.cache import private_folder
from harness.cli_common import reported, screen
from harness.cli_reports import report_options
from harness.errors import HostError, UsageError
from harness.outputs import Output, check_outputs
from harness.parse import ParsedLog, parse_log
from harness.report.flavour import FLAVOURS, JENKINS
from harness.report.formats import ReportSettings, outputs_of, parse_formats, write_reports
from harness.report.github import no_commands
from harness.report.journal import NAME, Journal, JournalWriter, KernelInfo, Plan, RunInfo
from harness.report.junit import write_junit
from harness.report.stream import JournalIndex
from harness.report.terminal import exit_code, print_summary
from harness.verdict.text import one_line

CODES = (
    "Exit codes: 0 all passed, 1 a test failed, crashed or timed out, 3 a result is missing or an"
    " error, 4 wrong usage, 5 no result in it."
)
SHOWN_PROBLEMS = 20


@click.command("parse", epilog=CODES)
@click.argument("logs", nargs=-1, required=True, metavar="FILE...|-", shell_complete=complete.files)
@click.option("--kernel", default="log", metavar="NAME", help="Name of the kernel it is of.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.option("--junit", type=click.Path(dir_okay=False, path_type=Path), help="Write JUnit here.")
@report_options
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder, new or empty, for journal.jsonl and junit.xml, as a run has them.",
)
@reported
def parse_command(
    logs: tuple[str, ...],
    *,
    kernel: str,
    as_json: bool,
    junit: Path | None,
    junit_flavour: str | None,
    formats: tuple[str, ...],
    out: Path | None,
) -> None:
    """Reads KTAP and TAP logs, of any kernel and any harness, and reports them like a run.

    What the kernel reported while a test ran makes it a crash. docs/ktap.md says what is read.
    A report that names no file lies in --out, or else in the current folder.

    \b
    Examples:
      dmesg | kharness parse -
      kharness parse console.log --junit junit.xml
      kharness parse console.log --format markdown=summary.md,tap=-
    """
    wanted = parse_formats(formats, os.environ)
    printed = next((one.name for one in wanted if one.on_stdout), "")
    if as_json and printed:
        raise UsageError(f"--json and --format {printed} both print", f"give {printed}=FILE")
    flavour = FLAVOURS[junit_flavour] if junit_flavour else JENKINS
    if out and out.is_dir() and any(out.iterdir()):
        raise UsageError(f"{out} is not empty", "give another --out")
    folder = out.absolute() if out else Path.cwd()
    outputs = [
        *([Output(f"--out {out}", out / "junit.xml", "junit")] if out else []),
        *([Output(f"--junit {junit}", junit, "junit")] if junit else []),
        *outputs_of(wanted, folder, Path.cwd()),
    ]
    sources = [Path(log) for log in logs if log != "-"]
    check_outputs(outputs, [*sources, *([out / NAME] if out else [])])
    names = [Path(log).name for log in logs]
    alone = Counter(names)
    parsed = [
        parse_log(
            _read(log),
            name="stdin" if log == "-" else name if alone[name] == 1 else log,
            kernel=kernel,
        )
        for log, name in zip(logs, names, strict=True)
    ]
    results = [r for log in parsed for r in log.results]
    journal = Journal(_run(parsed), [KernelInfo(kernel, "", "", "", "")], results, ended=True)
    code = exit_code(r.outcome for r in results)
    if out:
        _write_journal(journal, private_folder(out), int(code))
    with JournalIndex.of(journal) as index:
        for path in ([junit] if junit else []) + ([out / "junit.xml"] if out else []):
            write_junit(index, path, flavour)
        with ExitStack() as stack:
            # Until the reports come, no line of a log may be a command for GitHub.
            if any(one.name == "github" and one.on_stdout for one in wanted):
                stack.enter_context(no_commands(sys.stdout))
            if as_json:
                click.echo(json.dumps(_plain(parsed, int(code)), indent=1))
            else:
                _show(parsed, index, out)
        write_reports(
            index,
            folder,
            wanted,
            settings=ReportSettings(flavour=flavour.name),
        )
    sys.exit(code)


def _run(parsed: list[ParsedLog]) -> RunInfo:
    """What the reports say of a run; when the log was read is nobody's business."""
    names = ", ".join(one_line(log.name) for log in parsed)
    return RunInfo(one_line(names), "", f"kharness parse {names}", __version__, "")


def _read(log: str) -> str:
    """The log's text; bytes that are not UTF-8 become visible."""
    try:
        data = sys.stdin.buffer.read() if log == "-" else Path(log).read_bytes()
    except FileNotFoundError as error:
        raise UsageError(f"no log at {log}", "give a file, or - for standard input") from error
    except OSError as error:
        raise UsageError(f"cannot read {log}: {error.strerror}") from error
    return data.decode("utf-8", "backslashreplace")


def _show(parsed: list[ParsedLog], index: JournalIndex, out: Path | None) -> None:
    shown = screen()
    for log in parsed:
        if not log.found:
            shown.print(Text(f"{one_line(log.name)}: no KTAP or TAP in it", style="yellow"))
        elif not log.results:
            shown.print(Text(f"{one_line(log.name)}: no test ran", style="yellow"))
        for problem in log.problems[:SHOWN_PROBLEMS]:
            shown.print(Text(f"{one_line(log.name)}: {one_line(problem)}", style="yellow"))
        if len(log.problems) > SHOWN_PROBLEMS:
            shown.print(Text(f"  and {len(log.problems) - SHOWN_PROBLEMS} more", style="yellow"))
    print_summary(shown, index, out)


def _plain(parsed: list[ParsedLog], code: int) -> dict[str, object]:
    return {
        "format": 1,
        "exit_code": code,
        "logs": [
            {
                "name": log.name,
                "found": log.found,
                "problems": list(log.problems),
                "results": [r.to_json() for r in log.results],
            }
            for log in parsed
        ],
    }


def _write_journal(journal: Journal, folder: Path, code: int) -> None:
    path = folder / "journal.jsonl"
    started = datetime.now().astimezone().isoformat(timespec="seconds")
    writer = JournalWriter(path, durable=False)
    try:
        writer.run(RunInfo(folder.name, started, "kharness parse", __version__, ""))
        # A log has all that it has: nothing of it is still to come.
        writer.plan(Plan(tuple((r.case, r.kernel) for r in journal.results)))
        for kernel in journal.kernels:
            writer.kernel(kernel)
        for result in journal.results:
            writer.result(result)
        writer.end(code)
    except OSError as error:
        raise HostError(f"cannot write {path}: {error.strerror}") from error
    finally:
        writer.close()
