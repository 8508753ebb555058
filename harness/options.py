# SPDX-License-Identifier: GPL-2.0-only
"""What a user asked of a run, and the same as a journal keeps it to ask again."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.cases.case import Abi
from harness.config import RunSection
from harness.errors import UsageError
from harness.tries import TryRules


@dataclass(frozen=True)
class RunOptions:
    """What the user asked for; None and empty leave it to harness.toml.

    Attributes:
        start: folder that the run was started in.
        worker: name of the xdist worker, empty in the controller.
        abi: what programs are compiled for, with commas.
        build: build what is a kernel tree.
        settle_s: seconds that the kernel has to report something after a case's end.
        warn: ``crash``, ``fail`` or ``ignore``.
        dump: ``never`` or ``on-crash``.
        append: words for the kernels' command line, beside those of harness.toml.
        suites: suites of others, as the user names them.
        suite_nodes: node ids of their programs that are wanted; all when empty.
        rootfs: folder or tarball that is the guest's root; None takes what is needed of this host.
        timeout_factor: what the suites' own time limits are multiplied by.
        kunit: take the KUnit results of the kernels' boot as well.
        ui: ``normal``, ``quiet`` or ``verbose`` for kharness's own display, empty for pytest's.
        shuffle: run the cases of a kernel in an order that the seed decides.
        seed: of every random choice; None chooses one.
        rules: how often a case is tried.
        nodes: paths and node ids that were given.
        keyword: ``-k``.
        formats: further reports, as in ``--format``.
        last_failed: run folder of the run of which only what failed is wanted; empty where there
            was no run yet, None takes everything.
        resume: finish the run in ``run_dir``.
        force: finish it also when its kernels or cases are not the same any more.
    """

    start: Path
    kernels: tuple[str, ...] = ()
    accel: str | None = None
    isolate: str | None = None
    timeout_s: float | None = None
    jobs: str | None = None
    junit: Path | None = None
    html: Path | None = None
    junit_flavour: str | None = None
    run_dir: Path | None = None
    config: Path | None = None
    worker: str = ""
    abi: str | None = None
    build: bool = False
    settle_s: float | None = None
    warn: str | None = None
    dump: str | None = None
    append: tuple[str, ...] = ()
    suites: tuple[str, ...] = ()
    suite_nodes: tuple[str, ...] = ()
    rootfs: Path | None = None
    timeout_factor: float | None = None
    kunit: bool = False
    ui: str = ""
    shuffle: bool = False
    seed: int | None = None
    rules: TryRules = field(default_factory=TryRules)
    nodes: tuple[str, ...] = ()
    keyword: str = ""
    formats: tuple[str, ...] = ()
    last_failed: str | None = None
    resume: bool = False
    force: bool = False


def as_asked(
    options: RunOptions, section: RunSection, abis: Sequence[Abi], seed: int
) -> dict[str, Any]:
    """Everything that was asked for, by the names of ``kharness run``.

    Args:
        options: what the user gave.
        section: what harness.toml says, for the rest.
        abis: of the run.
        seed: of the run.
    """
    rules = options.rules
    return {
        "nodes": [*options.nodes, *options.suite_nodes],
        "kernel": list(options.kernels or section.kernels),
        "keyword": options.keyword or None,
        "last_failed": options.last_failed,
        "accel": options.accel or section.accel,
        "isolate": options.isolate or section.isolate,
        "timeout": options.timeout_s or section.timeout_s,
        "jobs": options.jobs,
        "abi": ",".join(abi.value for abi in abis),
        "build": options.build,
        "settle": section.settle_s if options.settle_s is None else options.settle_s,
        "warn": options.warn or section.warn,
        "dump": options.dump or section.dump,
        "append": list(options.append),
        "suites": list(options.suites),
        "rootfs": str(options.rootfs) if options.rootfs else None,
        "timeout_factor": options.timeout_factor,
        "kunit": options.kunit,
        "junit": str(options.start / options.junit) if options.junit else None,
        "formats": list(options.formats),
        "junit_flavour": options.junit_flavour,
        "html": str(options.start / options.html) if options.html else None,
        "config": str(options.config) if options.config else None,
        "shuffle": str(seed) if options.shuffle else None,
        "seed": str(seed),
        "rerun": rules.rerun,
        "repeat": rules.repeat,
        "until_fail": rules.until_fail,
        "for_time": f"{rules.for_s:.0f}" if rules.for_s else None,
    }


def parse_abis(text: str) -> tuple[Abi, ...]:
    """The ABIs of ``native,compat32``.

    Raises:
        UsageError: there is none of that name.
    """
    known = [abi.value for abi in Abi]
    for name in text.split(","):
        if name not in known:
            raise UsageError(
                f"--abi {text}: no ABI is called {name!r}", f"known: {', '.join(known)}"
            )
    return tuple(dict.fromkeys(Abi(name) for name in text.split(",")))


def parse_jobs(text: str | None) -> int | None:
    """Guests at a time, None for as many as pay.

    Raises:
        UsageError: it is neither a number nor ``auto``.
    """
    if text is None or text == "auto":
        return None
    if not text.isdigit() or int(text) < 1:
        raise UsageError(f"-n {text}: a number of guests, or auto")
    return int(text)


def judged_by(options: RunOptions, section: RunSection) -> str:
    """Words of ``kharness run`` that decide what becomes of a case, where the user gave them.

    Without them the command that reproduces a failure would ask for something else.

    Args:
        options: what the user gave.
        section: what harness.toml says: what is the same there need not be said.
    """
    config = options.config
    if config and config.is_relative_to(options.start):
        config = config.relative_to(options.start)
    given = {
        "--config": (config, None),
        "--accel": (options.accel, section.accel),
        "--isolate": (options.isolate, section.isolate),
        "--timeout": (options.timeout_s, section.timeout_s),
        "--settle": (options.settle_s, section.settle_s),
        "--warn": (options.warn, section.warn),
        "--timeout-factor": (options.timeout_factor, section.timeout_factor),
    }
    return "".join(
        f"{name} {shlex.quote(f'{value:g}' if isinstance(value, float) else str(value))} "
        for name, (value, usual) in given.items()
        if value is not None and value != usual
    )
