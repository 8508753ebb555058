# SPDX-License-Identifier: GPL-2.0-only
"""The help of every command: an example that is right, and the first line that the list shows."""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from harness.cli import LAZY, main

EXAMPLE = re.compile(r"\bkharness [a-z][^\n]*")


def commands(
    group: click.Group = main, context: click.Context | None = None
) -> Iterator[tuple[str, click.Command]]:
    context = context or click.Context(group, info_name="kharness")
    yield context.command_path, group
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        inner = click.Context(command, info_name=name, parent=context)
        if isinstance(command, click.Group):
            yield from commands(command, inner)
        else:
            yield inner.command_path, command


ALL = dict(commands())


def examples(command: click.Command) -> list[str]:
    """What stands behind ``Example:`` or in the lines below ``Examples:``."""
    text = (command.help or "").replace("\b\n", "")
    _, found, rest = re.split(r"(Examples?:)", text, maxsplit=1) if "xample" in text else ("",) * 3
    return EXAMPLE.findall(rest) if found else []


def parse(line: str) -> click.Context:
    """Parses a command line down to the last command; runs nothing."""
    words = [os.path.expanduser(word) for word in shlex.split(line, comments=True)]  # noqa: PTH111
    words = words[1 : words.index(">") if ">" in words else None]
    context = main.make_context("kharness", words)
    while isinstance(context.command, click.Group):
        rest = [*context._protected_args, *context.args]
        if not rest:
            assert context.command.invoke_without_command, line
            break
        name, command, args = context.command.resolve_command(context, rest)
        assert command is not None
        context = command.make_context(name, args, parent=context)
    return context


@pytest.mark.parametrize("path", ALL)
def test_help_has_an_example_of_the_command_that_parses(
    path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Where somebody has run kharness before, with a kernel tree at home.
    (tmp_path / ".kharness" / "runs" / "latest").mkdir(parents=True)
    (tmp_path / "linux").mkdir()
    (tmp_path / "linux" / "vmlinux").touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    found = examples(ALL[path])
    assert found, f"{path} --help has no example"
    contexts = [parse(line) for line in found]
    assert all(context.command_path.startswith(path) for context in contexts)


@pytest.mark.parametrize("path", ALL)
def test_every_option_says_what_it_does(path: str) -> None:
    options = [p for p in ALL[path].params if isinstance(p, click.Option)]
    assert not [p.name for p in options if not p.help]


def test_a_wrong_example_would_be_noticed() -> None:
    with pytest.raises(click.UsageError):
        parse("kharness run --no-such-option")


@pytest.mark.parametrize("name", LAZY)
def test_the_list_of_commands_says_what_the_command_says(name: str) -> None:
    command = main.get_command(click.Context(main), name)
    assert command is not None
    assert command.help is not None
    assert LAZY[name][1] == " ".join(command.help.split("\n\n")[0].split())


@pytest.mark.parametrize(
    "line",
    [
        "kharness config show --json",
        "kharness config check harness.toml",
        "kharness config schema",
        "kharness completion bash",
        "kharness cache list --json",
        "kharness kernels",
        "kharness cases --describe cases/pidfd",
    ],
)
def test_examples_run(line: str) -> None:
    assert any(line in (command.help or "") for command in ALL.values())
    words = shlex.split(line)[1:]
    command = [sys.executable, "-m", "harness.cli", *words]
    done = subprocess.run(command, cwd=Path.cwd(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()
