# SPDX-License-Identifier: GPL-2.0-only
"""What somebody else's programs need in a guest beside their files, and to be had there again."""

import shlex
from collections.abc import Iterable, Mapping
from pathlib import Path

from harness.cases.case import Call
from harness.kernels.kernel import Kernel
from harness.vm.initramfs import File

BASE_MIB = 128
PER_MIB = 3.25
"""The archive and its files are in memory together, and what is left beside the archive has to be
twice the files: a tmpfs, which the root is, takes half of it (init/initramfs.c, mm/shmem.c)."""
KERNEL_MIB = 52
"""A distribution's kernel takes so much for itself; cases are small, and need little beside it."""
STEP_MIB = 32
PAGE = 4096
SMALL_MIB = 8


def memory_for(files: Mapping[str, File], programs: Iterable[Path] = ()) -> int:
    """Memory in MiB that a guest with these files and programs of cases needs; 0 for none."""
    mib = _mib(file.size for file in files.values() if not file.link)
    own = _mib(program.stat().st_size for program in programs)
    if not mib + own:
        return 0
    # What is small fits into the usual guest.
    needed = PER_MIB * mib + (BASE_MIB if mib > SMALL_MIB else 0)
    if own:
        needed = max(needed, PER_MIB * (mib + own) + KERNEL_MIB)
    return -int(-needed // STEP_MIB) * STEP_MIB


def _mib(sizes: Iterable[int]) -> float:
    return sum(-(-size // PAGE) for size in sizes) * PAGE / (1 << 20)


def reproducing(call: Call) -> str:
    """The options of ``kharness run`` that it takes to have a program in a run again."""
    rootfs = f" --rootfs {shlex.quote(call.rootfs)}" if call.rootfs else ""
    return f" --suite {shlex.quote(call.suite)}{rootfs}"


def reproducing_environment(call: Call) -> str:
    """What goes before ``kharness run`` for that; empty for most programs."""
    return f"{shlex.join(['env', *call.told])} " if call.told else ""


def with_config(files: Mapping[str, File], kernel: Kernel) -> dict[str, File]:
    """The files, and the kernel's configuration where LTP and others look for it."""
    lines = []
    for name, value in sorted(kernel.config.values.items()):
        plain = value in ("y", "m") or value.lstrip("-").isdigit() or value.startswith("0x")
        lines.append(f"{name}={value}" if plain else f'{name}="{value}"')
    path = f"/boot/config-{kernel.release}"
    if not lines or path in files:
        return dict(files)
    return {**files, path: File(("\n".join(lines) + "\n").encode())}
