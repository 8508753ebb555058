# SPDX-License-Identifier: GPL-2.0-only
"""kharness(1), made of the commands' own help: ``python -m harness.manpage >docs/kharness.1``.

click-man makes a page for each command and knows no paragraph that is to be left as it is.
Macros are those of man(7), which groff and mandoc both read.
"""

import re
import sys
import textwrap
from collections.abc import Iterator
from inspect import cleandoc

import click

from harness.cli import main
from harness.config import Settings
from harness.config_env import sections, variable
from harness.errors import ExitCode

DATE = "2026-11-24"
"""Of the last change of what is written here; commands' help needs none."""

EXITS = {
    ExitCode.OK: "all passed or were expected to fail",
    ExitCode.FAILED: "a case failed, crashed or timed out",
    ExitCode.INTERRUPTED: "interrupted",
    ExitCode.HOST: "the host or a kernel could not do its part",
    ExitCode.USAGE: "wrong usage or configuration",
    ExitCode.NO_CASES: "no case was selected",
}
VARIABLES = {
    "KHARNESS_CACHE": "folder of the cache instead of ~/.cache/kharness",
    "KHARNESS_QEMU": "QEMU to start, by path or name",
    "CC": "compiler of cases and agent",
}
FILES = {
    "harness.toml": "settings, in the folder that a run starts in or one above it",
    ".kharness/runs/": "run folders: journal.jsonl, junit.xml, consoles and further reports",
    "~/.cache/kharness/": "kernels, templates and compiled programs; all of it may be deleted",
}


def page() -> str:
    """The page as troff."""
    lines = [
        '.\\" SPDX-License-Identifier: GPL-2.0-only',
        '.\\" Made by `make man`.',
        f".TH KHARNESS 1 {DATE} kharness",
        *_section("NAME", ["kharness \\- run kernel selftests in forked QEMU guests"]),
        *_section(
            "SYNOPSIS", [".B kharness", "[\\fIOPTION\\fR]... \\fICOMMAND\\fR [\\fIARG\\fR]..."]
        ),
        *_section("DESCRIPTION", _prose(main.help or "")),
        *_section("OPTIONS", list(_options(click.Context(main, info_name="kharness")))),
        *_section("COMMANDS", list(_commands(main, click.Context(main, info_name="kharness")))),
        *_section("EXIT STATUS", _pairs({str(int(c)): words for c, words in EXITS.items()})),
        *_section("ENVIRONMENT", _environment()),
        *_section("FILES", _pairs(FILES)),
        *_section(
            "SEE ALSO", [".BR pytest (1),", ".BR qemu\\-system\\-x86_64 (1),", ".BR prove (1)"]
        ),
    ]
    return "\n".join(lines) + "\n"


def _section(name: str, lines: list[str]) -> list[str]:
    return [f".SH {name}", *lines]


def _commands(group: click.Group, context: click.Context) -> Iterator[str]:
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if command is None or command.hidden:
            continue
        inner = click.Context(command, info_name=name, parent=context)
        usage = " ".join([inner.command_path, *command.collect_usage_pieces(inner)])
        yield f'.SS "{_text(usage)}"'
        yield from _prose(command.help or "")
        yield from _options(inner)
        if command.epilog:
            yield from [".PP", *_prose(command.epilog)]
        if isinstance(command, click.Group):
            yield from _commands(command, inner)


def _options(context: click.Context) -> Iterator[str]:
    for parameter in context.command.get_params(context):
        record = parameter.get_help_record(context)
        help_again = context.parent is not None and "--help" in parameter.opts
        if record and isinstance(parameter, click.Option) and not help_again:
            yield from [".TP", f".B {_text(record[0])}", *_filled(record[1])]


def _prose(text: str) -> list[str]:
    """Paragraphs; one that starts with \\b is left as it is, as click does."""
    lines: list[str] = []
    for number, block in enumerate(re.split(r"\n\s*\n", cleandoc(text))):
        lines += [".PP"] if number else []
        if block.startswith("\b"):
            head, *rest = block.removeprefix("\b\n").splitlines()
            lines += [_text(head), ".PP", ".RS 4", ".nf", *map(_text, rest), ".fi", ".RE"]
        elif block.startswith("Example: "):
            example = block.removeprefix("Example: ")
            lines += ["Example:", ".PP", ".RS 4", ".nf", _text(example), ".fi", ".RE"]
        else:
            lines += _filled(block)
    return lines


def _filled(text: str) -> list[str]:
    return [_text(line) for line in textwrap.wrap(text, 72, break_on_hyphens=False)]


def _environment() -> list[str]:
    lines = _pairs(VARIABLES)
    lines += [".PP", "Each setting of harness.toml has a variable that goes before it:"]
    for section, model in sections(Settings).items():
        for key, field in model.model_fields.items():
            lines += [".TP", f".B {_text(variable(section, key))}"]
            lines += _filled((field.description or "").replace("``", ""))
    return lines


def _pairs(values: dict[str, str]) -> list[str]:
    return [line for k, v in values.items() for line in (".TP", f".B {_text(k)}", _text(v))]


def _text(text: str) -> str:
    """Text in a line: hyphens can be searched for and copied, and no line starts a macro."""
    escaped = text.strip().replace("\\", "\\e").replace("-", "\\-").replace('"', "\\(dq")
    escaped = escaped.replace("``", "").replace("`", "\\(ga").replace("~", "\\(ti")
    return f"\\&{escaped}" if escaped[:1] in (".", "'") else escaped


if __name__ == "__main__":
    sys.stdout.write(page())
