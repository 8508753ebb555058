# SPDX-License-Identifier: GPL-2.0-only
"""``kharness splats``: what is in a console log."""

import json
import sys
from dataclasses import asdict
from pathlib import Path

import click
from rich.console import Console
from rich.text import Text

from harness import complete
from harness.cli_common import reported, screen
from harness.decode import decode_splats
from harness.errors import UsageError
from harness.verdict.console import find_splats
from harness.verdict.splat import Severity, Splat
from harness.verdict.text import clean, one_line

STYLES = {
    Severity.FATAL: "bold red",
    Severity.BUG: "red",
    Severity.WARNING: "yellow",
    Severity.INFO: "dim",
}


@click.command(epilog="Exit codes: 0 there is none, 1 there is one, 4 a file cannot be read.")
@click.argument(
    "files", nargs=-1, required=True, metavar="FILE|-...", shell_complete=complete.files
)
@click.option("--json", "as_json", is_flag=True, help="For programs: all that is known of each.")
@click.option(
    "--vmlinux",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="With debug information: decode call traces to file and line.",
)
@click.option("-v", "--verbose", is_flag=True, help="Print the reports' lines as well.")
@reported
def splats(files: tuple[str, ...], as_json: bool, vmlinux: Path | None, verbose: bool) -> None:
    """Finds what a kernel prints when it is unwell, in any console log.

    For each: kind, severity, first and last line, title.

    \b
    Examples:
      kharness splats .kharness/runs/latest/consoles/*/*.log
      dmesg | kharness splats -
      kharness splats console.log --vmlinux ~/linux/vmlinux
    """
    found: list[tuple[str, Splat]] = []
    for name in files:
        these = find_splats(_read(name))
        if vmlinux is not None:
            these = decode_splats(these, vmlinux)
        found += [(name, splat) for splat in these]
    if as_json:
        rows = [{"file": name, **asdict(s), "severity": s.severity.value} for name, s in found]
        click.echo(json.dumps(rows, indent=1))
    else:
        shown = screen()
        for name, splat in found:
            _show(shown, splat, name if len(files) > 1 else "", verbose=verbose)
    sys.exit(1 if found else 0)


def _read(name: str) -> str:
    try:
        data = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
    except OSError as error:
        raise UsageError(f"cannot read {name}: {error.strerror}") from error
    return data.decode("utf-8", "replace")


def _show(shown: Console, splat: Splat, name: str, *, verbose: bool) -> None:
    where = f"{splat.first}-{splat.last}"
    line = Text(f"{clean(name)}:" if name else "")
    line.append(f"{where:>9}  {splat.kind:12} ")
    line.append(f"{splat.severity.value:8}", style=STYLES[splat.severity])
    line.append(one_line(splat.title))
    if splat.taint:
        line.append(f"  [{splat.taint}]", style="dim")
    shown.print(line)
    for place in splat.decoded:
        shown.print(Text(f"{'':11}{one_line(place)}", style="dim"))
    for report in splat.lines if verbose else ():
        shown.print(Text(f"{'':11}{clean(report)}", style="dim"))
