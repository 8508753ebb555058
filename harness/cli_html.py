# SPDX-License-Identifier: GPL-2.0-only
"""``kharness html``: the page of a run, made anew from its journal."""

from pathlib import Path

import click

from harness.cli_common import reported
from harness.config import load_settings
from harness.errors import UsageError
from harness.outputs import Output, check_outputs
from harness.report.html import write_html
from harness.report.html.history import journals_of
from harness.resume import open_run


@click.command()
@click.argument("run", type=click.Path(path_type=Path), required=False)
@click.option(
    "-o", "--out", type=click.Path(dir_okay=False, path_type=Path), help="Default: RUN/report.html"
)
@click.option(
    "--history",
    multiple=True,
    type=click.Path(exists=True, path_type=Path),
    metavar="DIR",
    help="Earlier runs: a run folder, or a folder of them; repeatable.",
)
@reported
def html(run: Path | None, out: Path | None, history: tuple[Path, ...]) -> None:
    """Makes the page of a run, with what became of its cases in earlier runs.

    RUN is a run folder; without it, the latest.

    Example: kharness html --history .kharness/runs
    """
    run = run or Path.cwd() / load_settings(None, Path.cwd()).run.folder / "latest"
    journal = run / "journal.jsonl"
    if not journal.is_file():
        raise UsageError(
            f"{run} is no run folder: it has no journal.jsonl", "give .kharness/runs/..."
        )
    target = out or run / "report.html"
    earlier = [path for one in history for path in journals_of(one)]
    check_outputs([Output(f"--out {target}", target, "html")], [journal, *earlier])
    with open_run(run) as index:
        write_html(index, target, history, folder=run if out else None)
    click.echo(str(target))
