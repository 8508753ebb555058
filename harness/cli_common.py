# SPDX-License-Identifier: GPL-2.0-only
"""What all commands share: how an error reaches the user."""

import errno
import math
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import TYPE_CHECKING, Any

import click

from harness.errors import HostError, KharnessError, names_fit
from harness.verdict.text import clean

if TYPE_CHECKING:
    from rich.console import Console

DEBUG = "kharness.debug"
UNPRINTED = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EPIPE, errno.EIO, errno.EBADF)
"""Errors of a write (write(2)) that are the reader's or the disk's."""


class FiniteRange(click.FloatRange):
    """A number; ``nan`` is in no range and yet beyond none of its ends."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """As click does, and refuses what is no amount."""
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value} is no number of anything", param, ctx)
        return number


def reported(command: Callable[..., Any]) -> Callable[..., Any]:
    """An error of the user's or the host's is one line, and the evidence below it."""

    @wraps(command)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        try:
            with names_fit():
                return command(*args, **kwargs)
        except KharnessError as error:
            print_error(error)
            sys.exit(error.exit_code)

    return wrapper


@contextmanager
def printing() -> Iterator[None]:
    """What cannot be printed is an error like any other, also what is printed at the very end.

    A reader that has seen enough (``| head``) is none: that ends the command without a word.

    Raises:
        HostError: standard output is closed, full or broken.
    """
    if sys.stdout is None:
        raise HostError("cannot print: standard output is closed")
    try:
        try:
            yield
        finally:
            sys.stdout.flush()
    except OSError as error:
        # An error of a write has no file's name; any other is not of what is printed.
        if error.filename is not None or error.errno not in UNPRINTED:
            raise
        # What is still in the buffer would be said to be lost once more.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.__stdout__.fileno() if sys.__stdout__ else 1)
        os.close(nowhere)
        if error.errno == errno.EPIPE:
            sys.exit(1)
        from harness.outputs import ADVICE  # noqa: PLC0415

        raise HostError(f"cannot print: {error.strerror}", ADVICE.get(error.errno, "")) from error


def print_error(error: KharnessError) -> None:
    """Prints an error, for a terminal; with ``--debug``, where it came from as well."""
    context = click.get_current_context(silent=True)
    if context is not None and context.find_root().meta.get(DEBUG):
        import traceback  # noqa: PLC0415

        traceback.print_exc()
    click.echo(clean(f"kharness: {error}"), err=True)
    detail = clean(error.detail)
    if detail and os.environ.get("GITHUB_ACTIONS") == "true":
        # A guest's last words are among it.
        from harness.report.github import no_commands  # noqa: PLC0415

        with no_commands(sys.stderr):
            click.echo(detail, err=True)
    elif detail:
        click.echo(detail, err=True)


def screen() -> "Console":
    """Where commands print: nothing is coloured by what it looks like, and no line is folded."""
    from rich.console import Console  # noqa: PLC0415

    return Console(highlight=False, soft_wrap=True)
