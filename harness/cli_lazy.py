# SPDX-License-Identifier: GPL-2.0-only
"""A group of commands that are imported when they are called: help and completion stay quick."""

import importlib
from typing import Any

import click
from click.shell_completion import CompletionItem

Row = tuple[str, str]
"""Where a command is, ``harness.cli_judge:series``, and the first line of its help."""


class LazyGroup(click.Group):
    """A group, some of whose commands are known by name and first line only.

    Args:
        lazy: those commands, by name.
    """

    def __init__(self, *args: Any, lazy: dict[str, Row] | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.lazy = lazy or {}

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All names, sorted."""
        return sorted({*super().list_commands(ctx), *self.lazy})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command, imported when it must be."""
        if cmd_name not in self.commands and cmd_name in self.lazy:
            module, _, name = self.lazy[cmd_name][0].partition(":")
            self.add_command(getattr(importlib.import_module(module), name), cmd_name)
        return super().get_command(ctx, cmd_name)

    def first_line(self, name: str, limit: int = 75) -> str:
        """The first line of a command's help; imports nothing."""
        if name in self.commands:
            return self.commands[name].get_short_help_str(limit)
        return self.lazy[name][1]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of commands in the group's help."""
        names = [n for n in self.list_commands(ctx) if not self._hidden(n)]
        width = max(len(name) for name in names)
        limit = formatter.width - 6 - width
        with formatter.section("Commands"):
            formatter.write_dl([(name, self.first_line(name, limit)) for name in names])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Names of commands, then options."""
        found = [
            CompletionItem(name, help=self.first_line(name))
            for name in self.list_commands(ctx)
            if name.startswith(incomplete) and not self._hidden(name)
        ]
        return found + click.Command.shell_complete(self, ctx, incomplete)

    def _hidden(self, name: str) -> bool:
        return name in self.commands and self.commands[name].hidden
