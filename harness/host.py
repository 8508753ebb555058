# SPDX-License-Identifier: GPL-2.0-only
"""Facts about the host, each read where the host states it."""

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from harness.cgroups import cpus_left, memory_left, text_of
from harness.errors import HostError

CPUINFO = Path("/proc/cpuinfo")
CPU_FACTS = (
    *("vendor_id", "cpu family", "model", "model name", "stepping", "microcode", "flags", "bugs"),
    *("CPU implementer", "CPU architecture", "CPU variant", "CPU part", "CPU revision", "Features"),
)
"""Of /proc/cpuinfo, on x86 and arm64 (arch/x86/kernel/cpu/proc.c, arch/arm64/kernel/cpuinfo.c)."""


@dataclass(frozen=True)
class Qemu:
    """A QEMU system emulator.

    Attributes:
        path: the executable.
        version: its numbers, e.g. ``(7, 2, 22)``.
        version_text: as it states it, the distribution's suffix included.
    """

    path: Path
    version: tuple[int, ...]
    version_text: str


@lru_cache(maxsize=8)
def find_qemu(arch: str = "x86_64") -> Qemu:
    """QEMU for an architecture: ``$KHARNESS_QEMU`` or ``qemu-system-<arch>`` of the PATH.

    Raises:
        HostError: there is none, or it does not run.
    """
    name = os.environ.get("KHARNESS_QEMU") or f"qemu-system-{arch}"
    path = shutil.which(name)
    if path is None:
        package = "qemu-system-x86" if arch == "x86_64" else "qemu-system-arm"
        raise HostError(f"no QEMU ({name})", f"apt-get install {package}, or set KHARNESS_QEMU")
    try:
        done = subprocess.run(
            [path, "--version"], capture_output=True, text=True, timeout=30, check=True
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise HostError(f"{path} does not run: {error}") from error
    found = re.search(r"version (\d+(?:\.\d+)+)(.*)", done.stdout)
    if found is None:
        raise HostError(f"{path} is no QEMU: it says {done.stdout[:60]!r}")
    version = tuple(int(number) for number in found[1].split("."))
    return Qemu(Path(path), version, (found[1] + found[2]).strip())


@lru_cache(maxsize=1)
def find_busybox() -> Path | None:
    """A statically linked busybox of the host, or None."""
    for name in ("busybox", "busybox-static", "busybox.static"):
        path = shutil.which(name)
        # A program that is dynamically linked has the interpreter's name in it (PT_INTERP).
        if path and b"/ld-linux" not in Path(path).read_bytes()[:65536]:
            return Path(path)
    return None


def boot_id() -> str:
    """Identifies this boot of the host (random(4))."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return "unknown"


def cpu_model(cpuinfo: Path = CPUINFO) -> str:
    """What the CPUs are and can do, in words that stay the same while they do."""
    lines = (line.partition(":") for line in text_of(cpuinfo).splitlines())
    facts = {f"{key.strip()}:{value}" for key, _, value in lines if key.strip() in CPU_FACTS}
    return "\n".join(sorted(facts))


def memory_available_mib(root: Path = Path("/")) -> int:
    """Memory that can be had, in MiB: what the kernel says, or what cgroups leave if less.

    Args:
        root: the folder with ``proc`` and ``sys``.
    """
    available = 0
    for line in text_of(root / "proc/meminfo").splitlines():
        if line.startswith("MemAvailable:"):
            available = int(line.split()[1]) * 1024
    return max(0, memory_left(available, root) // (1 << 20))


def cpu_count() -> int:
    """CPUs that this process may use: its affinity, or the quota of its cgroups if less."""
    return cpus_left(len(os.sched_getaffinity(0)))


def free_mib(path: Path) -> int:
    """Free space of the file system that ``path`` is on, in MiB."""
    return shutil.disk_usage(path).free // (1 << 20)
