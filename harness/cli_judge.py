# SPDX-License-Identifier: GPL-2.0-only
"""``kharness series`` and ``kharness compare``: what a patch changes."""

import os
import sys
from contextlib import closing
from datetime import datetime
from pathlib import Path

import click
from rich.console import Console

from harness import complete
from harness.cache import private_folder
from harness.cli_common import reported, screen
from harness.config import load_settings
from harness.errors import UsageError
from harness.kernels.patches import load_patches
from harness.kernels.spec import plan_of
from harness.outputs import Output, check_outputs
from harness.report.building import BuildDisplay
from harness.report.compare import compare
from harness.report.difference import FILES, Report, print_report, write_reports
from harness.report.journal import NAME
from harness.report.read import read_run
from harness.series import SeriesOptions, judge_series

CODES = "Exit codes: 0 nothing got worse, 1 something did, 3 could not judge, 4 wrong usage."


def _finish(report: Report, folder: Path | None, shown: Console) -> None:
    print_report(shown, report)
    if folder:
        files = write_reports(report, private_folder(folder))
        shown.print(f"reports: {', '.join(str(f) for f in files)}", style="dim", markup=False)
    sys.exit(int(report.judgement))


@click.command("compare", epilog=CODES)
@click.argument("base", type=click.Path(path_type=Path), shell_complete=complete.runs)
@click.argument("head", type=click.Path(path_type=Path), shell_complete=complete.runs)
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    help="Write difference.xml (JUnit), .md and .json into this folder.",
)
@reported
def compare_command(base: Path, head: Path, out: Path | None) -> None:
    """Says what changed between two runs: run folders, or JUnit files of any tool.

    Example: kharness compare .kharness/runs/20260101-120000-1 .kharness/runs/latest
    """
    shown = screen()
    if out:
        outputs = [Output(f"--out {out}", out / name, name) for name in FILES]
        check_outputs(outputs, [path / NAME if path.is_dir() else path for path in (base, head)])
    names = (str(base), str(head))
    before, after = read_run(base), read_run(head)
    missing = before.missing, after.missing
    found = compare(before.results, after.results, names=names, missing=missing)
    _finish(Report(found), out, shown)


@click.command(epilog=CODES)
@click.option(
    "--base",
    required=True,
    metavar="SPEC|RECIPE",
    help="Kernel without the series.",
    shell_complete=complete.recipes,
)
@click.option(
    "--patches",
    required=True,
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="FILE|DIR|MBOX",
    help="The series; repeatable, applied in order.",
)
@click.option("--source", metavar="DIR|TARBALL|PACKAGE", help="Source instead of the base's own.")
@click.option("--cases", multiple=True, metavar="PATH|NODE ID", help="Cases to run; repeatable.")
@click.option("--each", is_flag=True, help="Judge after every patch, and name the one to blame.")
@click.option("-k", "keyword", metavar="EXPR", help="Only cases whose name matches.")
@click.option("-j", "jobs", type=click.IntRange(min=1), metavar="N", help="Jobs of make.")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for run folders and reports, new or empty (default: .kharness/series/<time>).",
)
@reported
def series(  # noqa: PLR0917 - click calls it by name
    base: str,
    patches: tuple[Path, ...],
    source: str | None,
    cases: tuple[str, ...],
    each: bool,
    keyword: str | None,
    jobs: int | None,
    out: Path | None,
) -> None:
    """Judges a patch series: builds base and base plus patches, runs the cases on both.

    The base is a recipe, a kernel tree (never written to), or debian:SERIES, which stands for that
    source with the small configuration of the recipe mainline.

    \b
    Examples:
      kharness series --base mainline --patches ~/0001-fix.patch
      kharness series --base ~/linux --patches v3.mbox --each --cases cases/pidfd/open.c
    """
    shown = screen()
    found = [patch for path in patches for patch in load_patches(path)]
    plan = plan_of(base, source)
    stamp = f"{datetime.now():%Y%m%d-%H%M%S}-{os.getpid()}"
    folder = out or Path(".kharness") / "series" / stamp
    if folder.is_dir() and any(folder.iterdir()):
        raise UsageError(f"{folder} is not empty", "give another --out")
    private_folder(folder)
    settings = load_settings(None, Path.cwd())
    with closing(BuildDisplay(shown)) as display:
        report = judge_series(
            plan,
            found,
            SeriesOptions(
                folder=folder,
                cases=cases or settings.run.cases,
                run_options=("-k", keyword) if keyword else (),
                jobs=jobs,
                each=each,
                say=lambda words: shown.print(words, style="dim", markup=False),
            ),
            display,
        )
    _finish(report, folder, shown)
