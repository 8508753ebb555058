# SPDX-License-Identifier: GPL-2.0-only
"""How the cases of a run are run, whatever the kernel."""

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from harness.host import Qemu
from harness.judging import Warn
from harness.verdict.expected import Expectation
from harness.vm.dump import DumpPolicy
from harness.vm.guest import BootLimits
from harness.vm.qemu import Shape


class Isolation(StrEnum):
    """What a case shares with the cases before it."""

    FORK = "fork"
    BOOT = "boot"
    SHARED = "shared"


@dataclass(frozen=True)
class RunnerSettings:
    """How cases are run.

    Attributes:
        qemu: which QEMU.
        accel: ``auto``, ``kvm`` or ``tcg``.
        isolation: see :class:`Isolation`.
        timeout_s: a case's time limit in seconds, unless it has its own.
        limits: bounds of a boot.
        shape: the guest's size, unless a case needs more.
        consoles: folder for console files, or None to keep none.
        worker: name of this worker.
        ahead: make a fork for the next case while one runs.
        cache_limit_mib: what templates may take, in MiB.
        settle_s: seconds that the kernel has to report something after a case's end, unless the
            case states its own.
        expect: splats that harness.toml knows of.
        warn: what a WARNING of the kernel makes of a case.
        dumps: when a guest's memory is dumped.
        timeout_factor: what the limits of suites of others are multiplied by; None is 1 with KVM
            and :data:`harness.runner.TCG_FACTOR` without.
        seed: what random bytes for guests are made from.
    """

    qemu: Qemu
    accel: str = "auto"
    isolation: Isolation = Isolation.FORK
    timeout_s: float = 60.0
    limits: BootLimits = field(default_factory=BootLimits)
    shape: Shape = field(default_factory=Shape)
    consoles: Path | None = None
    worker: str = "main"
    ahead: bool = False
    cache_limit_mib: int = 2048
    settle_s: float = 0.0
    expect: tuple[Expectation, ...] = ()
    warn: Warn = Warn.CRASH
    dumps: DumpPolicy = field(default_factory=DumpPolicy)
    timeout_factor: float | None = None
    seed: int = 0
