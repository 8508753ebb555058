# SPDX-License-Identifier: GPL-2.0-only
"""``kharness config``: what is set, where it came from, and what is wrong with it."""

import json
import sys
from dataclasses import asdict
from pathlib import Path

import click

from harness.cli_common import reported
from harness.errors import ExitCode, UsageError

CONFIG_FILE = click.argument(
    "file", required=False, type=click.Path(dir_okay=False, path_type=Path)
)
CONFIG_OPTION = click.option(
    "--config",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The same as FILE: harness.toml to use.",
)


def _chosen(file: Path | None, option: Path | None) -> Path | None:
    if file and option:
        raise UsageError(f"two files, {file} and {option}", "give one")
    return file or option


@click.group()
def config() -> None:
    """Settings: what they are, whether they are right, their schema.

    The command line goes before the environment (KHARNESS_RUN_TIMEOUT_S=30), that before
    harness.toml, and that before the default.

    Example: kharness config show
    """


@config.command()
@CONFIG_FILE
@CONFIG_OPTION
@click.option("--json", "as_json", is_flag=True, help="For programs, with descriptions.")
@reported
def show(file: Path | None, config: Path | None, as_json: bool) -> None:
    """Prints each setting, and where it came from.

    Example: kharness config show --json
    """
    from harness.config import load_settings, read_source  # noqa: PLC0415
    from harness.config_show import settings_of  # noqa: PLC0415

    chosen = _chosen(file, config)
    load_settings(chosen, Path.cwd())
    rows = settings_of(read_source(chosen, Path.cwd()))
    if as_json:
        click.echo(json.dumps([asdict(row) for row in rows], indent=1))
        return
    lines = [(_line(row.name, row.value), row.where or row.origin) for row in rows]
    width = min(60, max(len(words) for words, _ in lines))
    for words, where in lines:
        click.echo(f"{words:{width}}  # {where}")


def _line(name: str, value: object) -> str:
    # TOML has no word for what is not set.
    return f"# {name} is not set" if value is None else f"{name} = {json.dumps(value)}"


@config.command()
@CONFIG_FILE
@CONFIG_OPTION
@reported
def check(file: Path | None, config: Path | None) -> None:
    """Says what is wrong with harness.toml and the environment, a line each; exits 4 then.

    Example: kharness config check harness.toml
    """
    from harness.config import read_source  # noqa: PLC0415

    source = read_source(_chosen(file, config), Path.cwd())
    for problem in source.problems:
        click.echo(str(problem))
    if source.problems:
        sys.exit(ExitCode.USAGE)
    click.echo(f"{source.file or 'no harness.toml: defaults'}: no error")


@config.command()
def schema() -> None:
    """Prints the JSON Schema of harness.toml, for editors.

    Example: kharness config schema > docs/harness.schema.json
    """
    from harness.config_show import schema_text  # noqa: PLC0415

    click.echo(schema_text(), nl=False)
