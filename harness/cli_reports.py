# SPDX-License-Identifier: GPL-2.0-only
"""The options of commands that write reports: who reads the JUnit, and what else to write."""

from collections.abc import Callable
from typing import Any

import click

from harness import complete
from harness.report.flavour import FLAVOURS
from harness.report.formats import FORMATS


def report_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds ``--junit-flavour`` and ``--format``, as ``junit_flavour`` and ``formats``."""
    formats = click.option(
        "--format",
        "formats",
        multiple=True,
        metavar="NAME[=FILE],...",
        shell_complete=complete.formats,
        help=f"Further reports: {', '.join(FORMATS)}, or auto for what the CI system wants.",
    )
    flavour = click.option(
        "--junit-flavour", type=click.Choice(list(FLAVOURS)), help="Who reads the JUnit."
    )
    return flavour(formats(command))
