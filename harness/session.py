# SPDX-License-Identifier: GPL-2.0-only
"""A pytest session for ``kharness run`` and ``kharness resume``: arguments in, exit code out."""

from pathlib import Path
from typing import Any

import click
import pytest

from harness.cli_common import print_error
from harness.cli_suites import selected
from harness.config import load_settings
from harness.errors import ExitCode
from harness.plugin_options import RUN_KEY
from harness.plugin_reporting import Reporting
from harness.report.journal import NAME
from harness.verdict.outcome import Outcome

UNUSED = (
    "logging",
    "unraisableexception",
    "threadexception",
    "hypothesispytest",
    "doctest",
    "cacheprovider",
)
"""Plugins of pytest that do something around every item, and have nothing to do for a case."""
NAMED = {
    "keyword": "-k",
    "accel": "--accel",
    "isolate": "--isolate",
    "abi": "--abi",
    "timeout": "--case-timeout",
    "settle": "--settle",
    "warn": "--warn",
    "dump": "--dump",
    "jobs": "--jobs",
    "junit": "--junit",
    "html": "--html-report",
    "junit_flavour": "--junit-flavour",
    "seed": "--seed",
    "rerun": "--rerun",
    "repeat": "--repeat",
    "for_time": "--for",
    "run_dir": "--run-dir",
}
"""Options of ``kharness run`` and what pytest calls them."""
SUITES = ("rootfs", "timeout_factor", "kunit")
"""Further options, which :func:`harness.cli_suites.selected` reads."""


def run_session(nodes: tuple[str, ...], options: dict[str, Any]) -> int:
    """Runs cases as ``kharness run`` does; returns the exit code.

    Args:
        nodes: paths and node ids; those of harness.toml when empty.
        options: by the names of ``kharness run``; what is missing was not given. ``resume`` and
            ``force`` are there as well (:mod:`harness.resume`).

    Raises:
        UsageError: harness.toml is wrong.
    """
    options = {**dict.fromkeys((*NAMED, *SUITES)), "suites": (), **options}
    config = Path(options["config"]).absolute() if options.get("config") else None
    settings = load_settings(config, Path.cwd())
    ui = "quiet" if options.get("quiet") else "verbose" if options.get("verbose") else "normal"
    shuffle = options.get("shuffle")
    if shuffle and not shuffle.isdigit():
        # `--shuffle cases/x.c`: click takes the word after it for a seed.
        nodes, shuffle = (shuffle, *nodes), ""
    arguments = [*selected(nodes, options, settings), f"--kharness-ui={ui}", "--capture=sys"]
    arguments += [f"--shuffle={shuffle}"] if shuffle is not None else []
    arguments += [f"-pno:{name}" for name in UNUSED]
    arguments += _last_failed(options.get("last_failed"), settings.run.folder)
    for spec in options.get("kernel") or ():
        arguments.append(f"--kernel={spec}")
    arguments += [f"--append={words}" for words in options.get("append") or ()]
    arguments += [f"--report-format={words}" for words in options.get("formats") or ()]
    for name, option in NAMED.items():
        if options[name] is not None:
            arguments += [option, str(options[name])]
    if config:
        arguments.append(f"--kharness-config={config}")
    flags = {
        "exitfirst": "-x",
        "build": "--build",
        "until_fail": "--until-fail",
        "resume": "--kharness-resume",
        "force": "--kharness-force",
    }
    arguments += [flag for name, flag in flags.items() if options.get(name)]
    return _run_pytest(arguments, judges=bool(options.get("bisect")))


def _last_failed(asked: bool | str | None, runs: str) -> list[str]:
    """Which run is the latest one, before this one is; a run that is finished knows it by name."""
    if not asked:
        return []
    latest = Path(asked) if isinstance(asked, str) else Path(runs, "latest").resolve()
    return [f"--kharness-last-failed={latest if (latest / NAME).is_file() else ''}"]


class _Watch:
    """Looks at the session's end from outside."""

    def __init__(self) -> None:
        self.config: pytest.Config | None = None

    @pytest.hookimpl(trylast=True)
    def pytest_configure(self, config: pytest.Config) -> None:
        self.config = config


def _run_pytest(arguments: list[str], *, judges: bool) -> int:
    """Runs pytest; when it ``judges`` a kernel, a run that only skips is one without a case."""
    watch = _Watch()
    status = int(pytest.main(arguments, plugins=[watch]))
    if watch.config is None:
        return ExitCode.USAGE
    run = watch.config.stash.get(RUN_KEY, None)
    reporting = watch.config.pluginmanager.get_plugin("kharness-reporting")
    if run is None or not isinstance(reporting, Reporting):
        return ExitCode.USAGE
    if run.problem is not None:
        print_error(run.problem)
        return run.problem.exit_code
    known = {
        pytest.ExitCode.INTERRUPTED: ExitCode.INTERRUPTED,
        pytest.ExitCode.INTERNAL_ERROR: ExitCode.HOST,
        pytest.ExitCode.USAGE_ERROR: ExitCode.USAGE,
        pytest.ExitCode.NO_TESTS_COLLECTED: ExitCode.NO_CASES,
    }
    if pytest.ExitCode(status) in known:
        code = known[pytest.ExitCode(status)]
        if code is ExitCode.NO_CASES:
            click.echo("kharness: no case was selected", err=True)
        return code
    if judges and reporting.exit_code == ExitCode.OK and run.taken.outcomes <= {Outcome.SKIP}:
        click.echo("kharness: every case was skipped, which judges nothing", err=True)
        return ExitCode.NO_CASES
    return status if reporting.exit_code is None else reporting.exit_code
