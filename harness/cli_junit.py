# SPDX-License-Identifier: GPL-2.0-only
"""``kharness junit``: merging JUnit files of any tool, and what is wrong with them."""

import sys
from pathlib import Path

import click

from harness.cache import replacing
from harness.cli_common import reported
from harness.outputs import cannot_write
from harness.report.flavour import FLAVOURS, JENKINS

FILES = click.argument(
    "files", nargs=-1, required=True, metavar="FILE...", type=click.Path(path_type=Path)
)


@click.group()
def junit() -> None:
    """Merges JUnit files of any tool, or says what is wrong with them.

    Example: kharness junit validate .kharness/runs/latest/junit.xml
    """


@junit.command()
@FILES
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Where to write (default: standard output).",
)
@reported
def merge(files: tuple[Path, ...], output: Path | None) -> None:
    """Makes one JUnit file of many: suites of one name become one, counts are reckoned anew.

    Example: kharness junit merge shard-*/junit.xml -o junit.xml
    """
    from harness.report.junit_merge import merge_junit  # noqa: PLC0415 - see cli_judge

    if output is None:
        made = merge_junit(files, sys.stdout.buffer)
    else:
        try:
            with replacing(output) as temporary, temporary.open("wb") as stream:
                made = merge_junit(files, stream)
        except OSError as error:
            raise cannot_write(output, error) from error
    words = f"{made.tests} testcases in {made.suites} suites of {len(files)} files"
    click.echo(
        f"kharness: {words}: {made.marks['failure']} failures, {made.marks['error']} errors",
        err=True,
    )
    if made.doubles:
        click.echo(
            f"kharness: {made.doubles} testcases stand more than once in their suite;"
            " all are kept, and many readers show the first only",
            err=True,
        )


@junit.command()
@FILES
@click.option(
    "--flavour",
    type=click.Choice(list(FLAVOURS)),
    default=JENKINS.name,
    show_default=True,
    help="Who is to read them.",
)
@reported
def validate(files: tuple[Path, ...], flavour: str) -> None:
    """Says what is wrong with JUnit files for a reader: a line for each finding.

    Exit codes: 0 nothing, 1 something, 4 a file is no JUnit.

    Example: kharness junit validate --flavour gitlab junit.xml
    """
    from harness.report.junit_rules import check_junit  # noqa: PLC0415 - see cli_judge

    count = 0
    for path in files:
        for finding in check_junit(path, FLAVOURS[flavour]):
            click.echo(str(finding))
            count += 1
    sys.exit(1 if count else 0)
