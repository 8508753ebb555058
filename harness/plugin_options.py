# SPDX-License-Identifier: GPL-2.0-only
"""pytest's command line: the options of ``kharness run``, and what was asked for with them."""

import argparse
from pathlib import Path

import pytest

from harness.choice import parse_seed
from harness.errors import UsageError
from harness.options import RunOptions
from harness.plugin_suites import add_suite_options, finite, suite_options, suites_alone
from harness.report.flavour import FLAVOURS
from harness.run import Run
from harness.tries import TryRules, parse_duration

RUN_KEY = pytest.StashKey[Run]()
"""Of the session's configuration: the run."""
FOLDER_INPUT = "kharness_run_dir"
SEED_INPUT = "kharness_seed"
"""What the controller tells xdist's workers beside the options, which they have from xdist."""


def add_options(parser: pytest.Parser) -> None:
    """The options of ``kharness run``, for plain pytest."""
    group = parser.getgroup("kharness", "kernel selftests")
    group.addoption(
        "--kernel", action="append", default=[], metavar="SPEC", help="kernel to run on; repeatable"
    )
    group.addoption("--accel", choices=["auto", "kvm", "tcg"], help="accelerator (default: auto)")
    group.addoption(
        "--isolate",
        choices=["fork", "boot", "shared"],
        help="what a case shares with those before it (default: fork)",
    )
    group.addoption(
        "--case-timeout", type=finite, metavar="S", help="a case's time limit in seconds"
    )
    group.addoption("--abi", metavar="ABI", help="native, compat32 or both, with a comma")
    group.addoption("--build", action="store_true", help="build what is a kernel tree first")
    group.addoption("--settle", type=finite, metavar="S", help="seconds after each case's end")
    group.addoption("--warn", choices=["crash", "fail", "ignore"], help="what a WARNING makes")
    group.addoption("--dump", choices=["never", "on-crash"], help="keep a guest's memory")
    group.addoption(
        "--append",
        action="append",
        default=[],
        metavar="WORDS",
        help="for the kernels' command line",
    )
    group.addoption("--jobs", metavar="N", help="guests at a time (default: as many as pay)")
    group.addoption("--junit", metavar="FILE", help="write JUnit here as well")
    group.addoption("--html-report", metavar="FILE", help="write the page of the run here as well")
    group.addoption(
        "--junit-flavour", choices=list(FLAVOURS), help="who reads the JUnit (default: jenkins)"
    )
    group.addoption(
        "--report-format",
        action="append",
        default=[],
        metavar="NAME[=FILE]",
        help="a further report (kharness run --help lists them); repeatable",
    )
    group.addoption("--run-dir", metavar="DIR", help="run folder (default: .kharness/runs/<time>)")
    group.addoption("--kharness-config", metavar="FILE", help="harness.toml to use")
    add_suite_options(group)
    group.addoption(
        "--shuffle",
        nargs="?",
        const="",
        metavar="SEED",
        help="shuffle the cases of a kernel; --shuffle=SEED gives an order again",
    )
    group.addoption("--seed", metavar="N", help="seed of every random choice")
    group.addoption(
        "--rerun", type=int, default=0, metavar="N", help="try what fails again, up to N times"
    )
    group.addoption(
        "--repeat", type=int, default=1, metavar="N", help="run every case N times, on all CPUs"
    )
    group.addoption(
        "--until-fail", action="store_true", help="repeat each case until it fails once"
    )
    group.addoption("--for", dest="for_time", metavar="TIME", help="repeat for so long: 90s, 10m")
    group.addoption("--kharness-last-failed", metavar="DIR", help=argparse.SUPPRESS)
    group.addoption("--kharness-resume", action="store_true", help=argparse.SUPPRESS)
    group.addoption("--kharness-force", action="store_true", help=argparse.SUPPRESS)
    group.addoption(
        "--kharness-ui",
        choices=["normal", "quiet", "verbose"],
        default="",
        help="kharness's own display instead of pytest's (kharness run sets it)",
    )


def options_of(config: pytest.Config) -> RunOptions:
    """What was asked for, here or in an xdist worker.

    Raises:
        UsageError: an option is wrong, or two do not go together.
    """
    option = config.getoption
    worker_input = getattr(config, "workerinput", {})
    worker = worker_input.get("workerid", "")
    run_dir = worker_input.get(FOLDER_INPUT) or option("--run-dir")
    suites = suite_options(config)
    return RunOptions(
        kernels=tuple(option("--kernel")),
        accel=option("--accel"),
        isolate=option("--isolate"),
        timeout_s=option("--case-timeout"),
        jobs=option("--jobs"),
        abi=option("--abi"),
        build=option("--build"),
        settle_s=option("--settle"),
        warn=option("--warn"),
        dump=option("--dump"),
        append=tuple(option("--append")),
        junit=Path(option("--junit")) if option("--junit") else None,
        html=Path(option("--html-report")) if option("--html-report") else None,
        junit_flavour=option("--junit-flavour"),
        run_dir=Path(run_dir) if run_dir else None,
        config=Path(option("--kharness-config")) if option("--kharness-config") else None,
        start=config.invocation_params.dir,
        worker=worker,
        shuffle=option("--shuffle") is not None,
        seed=worker_input.get(SEED_INPUT, _seed(config)),
        formats=tuple(option("--report-format")),
        rules=_rules(config),
        nodes=() if suites_alone(config) else tuple(config.args),
        keyword=option("keyword", ""),
        last_failed=option("--kharness-last-failed"),
        resume=option("--kharness-resume"),
        force=option("--kharness-force"),
        ui="" if worker else option("--kharness-ui"),
        **suites,
    )


def _seed(config: pytest.Config) -> int | None:
    for option in ("--shuffle", "--seed"):
        text = config.getoption(option)
        if text:
            return parse_seed(text, option)
    return None


def _rules(config: pytest.Config) -> TryRules:
    option = config.getoption
    for_time = option("--for")
    rules = TryRules(
        rerun=option("--rerun"),
        repeat=option("--repeat"),
        until_fail=option("--until-fail"),
        for_s=parse_duration(for_time, "--for") if for_time else None,
    )
    if rules.rerun < 0 or rules.repeat < 1:
        raise UsageError("--rerun takes a number from 0, --repeat one from 1")
    if rules.rerun and rules.hunts:
        raise UsageError("--rerun does not go with --repeat, --until-fail and --for", "take one")
    return rules
