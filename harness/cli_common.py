# SPDX-License-Identifier: GPL-2.0-only
"""What all commands share: how an error reaches the user."""

import sys
import traceback
from collections.abc import Callable
from functools import wraps
from typing import Any

import click

from harness.errors import KharnessError

DEBUG = "kharness.debug"


def reported(command: Callable[..., Any]) -> Callable[..., Any]:
    """An error of the user's or the host's is one line, and the evidence below it."""

    @wraps(command)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        try:
            return command(*args, **kwargs)
        except KharnessError as error:
            print_error(error)
            sys.exit(error.exit_code)

    return wrapper


def print_error(error: KharnessError) -> None:
    """Prints an error; with ``--debug``, where it came from as well."""
    context = click.get_current_context(silent=True)
    if context is not None and context.find_root().meta.get(DEBUG):
        traceback.print_exc()
    click.echo(f"kharness: {error}", err=True)
    if error.detail:
        click.echo(error.detail, err=True)
