# SPDX-License-Identifier: GPL-2.0-only
"""Options of the commands that run suites of others."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness import complete
from harness.cli_common import FiniteRange

if TYPE_CHECKING:
    from harness.cases.case import Case
    from harness.config import Settings

# Help and completion need the options only.
# ruff: noqa: PLC0415

SUITE_HELP = "Programs of others: kselftest:DIR, ltp:DIR, exec:PROGRAM; repeatable."


SUITE = click.option(
    *("--suite", "suites"),
    multiple=True,
    metavar="SPEC",
    help=SUITE_HELP,
    shell_complete=complete.suites,
)
ROOTFS = click.option(
    "--rootfs",
    metavar="DIR|TARBALL",
    help="The guest's root, for suites.",
    shell_complete=complete.files,
)
FACTOR = click.option(
    "--timeout-factor",
    type=FiniteRange(min=0, min_open=True),
    metavar="F",
    help="Multiply the suites' own time limits (default: 1 with KVM, 4 without).",
)
KUNIT = click.option("--kunit", is_flag=True, help="KUnit results of the boot as well.")


def suite_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options of ``kharness run``."""
    return SUITE(ROOTFS(FACTOR(KUNIT(command))))


def list_suites(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options of ``kharness cases``."""
    return SUITE(ROOTFS(command))


def suite_cases(specs: Sequence[str], rootfs: str | None) -> "list[Case]":
    """The programs of suites."""
    from harness.suites.rootfs import read_rootfs
    from harness.suites.spec import load_suites

    root = read_rootfs(Path(rootfs)) if rootfs else None
    return [case for suite in load_suites(specs, Path.cwd(), rootfs=root) for case in suite.cases]


def mutate_suite_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options of ``kharness mutate``."""
    return SUITE(ROOTFS(FACTOR(command)))


def suites_digest(specs: Sequence[str], rootfs: str | None) -> str:
    """Digest of what the suites run and bring along; empty for none."""
    from harness.cache import digest
    from harness.suites.rootfs import read_rootfs
    from harness.suites.spec import load_suites

    if not specs:
        return ""
    root = read_rootfs(Path(rootfs)) if rootfs else None
    return digest(*(suite.digest for suite in load_suites(specs, Path.cwd(), rootfs=root)))


def selected(nodes: Sequence[str], options: dict[str, Any], settings: "Settings") -> list[str]:
    """What pytest is given: paths, and options for the suites.

    With neither a path nor a suite, what harness.toml has; with suites alone, no case of C files.

    Args:
        nodes: paths and node ids; those of suites' programs among them.
        options: of the command.
        settings: harness.toml.
    """
    from harness.suites.suite import is_suite_node

    run = settings.run
    paths = [node for node in nodes if not is_suite_node(node)]
    programs = [node for node in nodes if is_suite_node(node)]
    theirs = any(not node.startswith("kunit::") for node in programs)
    suites = list(options["suites"]) or (list(run.suites) if theirs or not nodes else [])
    if not nodes and not options["suites"]:
        paths = list(run.paths(Path.cwd()))
    arguments = [*paths]
    arguments += [f"--suite={spec}" for spec in suites]
    arguments += [f"--suite-node={node}" for node in programs]
    rootfs = options["rootfs"] or run.rootfs
    factor = options["timeout_factor"] or run.timeout_factor
    arguments += [f"--rootfs={rootfs}"] if rootfs else []
    arguments += [f"--timeout-factor={factor}"] if factor else []
    arguments += ["--kunit"] if options["kunit"] else []
    return arguments
