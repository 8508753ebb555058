# SPDX-License-Identifier: GPL-2.0-only
"""Looks at the host: what is there, what is missing, and what to do about it."""

import platform
import shlex
import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from harness.cache import cache_root
from harness.errors import HostError, KharnessError
from harness.host import cpu_count, find_busybox, find_qemu, free_mib, memory_available_mib
from harness.kernels.build import missing_tools
from harness.kernels.spec import resolve_to_boot
from harness.toolchain import compile_program, find_compiler
from harness.vm.accel import choose_accel
from harness.vm.archives import store_initramfs
from harness.vm.console import Console
from harness.vm.guest import Guest
from harness.vm.loop import VmLoop
from harness.vm.qemu import Accel, Launch, channel_for

WANTED_MEMORY_MIB = 1024
WANTED_CACHE_MIB = 1024
WANTED_BUILD_MIB = 4096
"""A kernel's source is 1.7 GB unpacked, a build of a small configuration 0.3."""
WANTED_QEMU = (5, 0)
"""The sandbox options that we use are older; x-ignore-shared and fd migration came with 4.0."""


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at: ``ok``, ``note`` (works without) or ``gap`` (does not)."""

    name: str
    state: str
    says: str
    todo: str = ""

    def to_json(self) -> dict[str, str]:
        """For programs."""
        return asdict(self)


def examine(kernel: str) -> list[Finding]:
    """Everything, in the order in which it matters.

    Args:
        kernel: spec of the kernel that a guest is tried with.
    """
    looks: list[Callable[[], Finding]] = [
        _python,
        _qemu,
        _compiler,
        _busybox,
        _memory,
        _cache,
        _shm,
        _apt,
        _kernel_builds,
    ]
    findings = [_look(look) for look in looks]
    if any(f.state == "gap" and f.name in ("QEMU", "compiler") for f in findings):
        return [*findings, Finding("guest", "gap", "not tried", "cure the gaps above first")]
    return [*findings, *_guest(kernel)]


def _look(look: Callable[[], Finding]) -> Finding:
    try:
        return look()
    except KharnessError as error:
        return Finding(look.__name__.strip("_"), "gap", error.what, error.hint)


def _python() -> Finding:
    return Finding("Python", "ok", f"{platform.python_version()} ({sys.executable})")


def _qemu() -> Finding:
    try:
        qemu = find_qemu()
    except KharnessError as error:
        return Finding("QEMU", "gap", error.what, error.hint)
    state = "ok" if qemu.version >= WANTED_QEMU else "gap"
    todo = "" if state == "ok" else "QEMU 5.0 or later"
    return Finding("QEMU", state, f"{qemu.version_text} ({qemu.path})", todo)


def _compiler() -> Finding:
    try:
        compiler = find_compiler()
    except HostError as error:
        return Finding("compiler", "gap", error.what, error.hint)
    try:
        with tempfile.TemporaryDirectory() as folder:
            source = Path(folder) / "probe.c"
            source.write_text("int main(void) { return 0; }\n")
            compile_program(source)
    except KharnessError as error:
        todo = "apt-get install gcc libc6-dev"
        return Finding("compiler", "gap", f"no static C program can be made: {error.what}", todo)
    return Finding("compiler", "ok", shlex.join(compiler.command))


def _busybox() -> Finding:
    path = find_busybox()
    if path is None:
        todo = "apt-get install busybox-static"
        return Finding("busybox", "note", "none that is static: no kharness shell", todo)
    return Finding("busybox", "ok", str(path))


def _memory() -> Finding:
    available, cpus = memory_available_mib(), cpu_count()
    says = f"{available} MiB available, {cpus} CPUs"
    if available < WANTED_MEMORY_MIB:
        return Finding("memory", "gap", says, f"at least {WANTED_MEMORY_MIB} MiB")
    return Finding("memory", "ok", says)


def _cache() -> Finding:
    root = cache_root()
    says = f"{root}: {free_mib(root)} MiB free"
    if free_mib(root) < WANTED_CACHE_MIB:
        return Finding("cache", "gap", says, "make room, or set KHARNESS_CACHE")
    return Finding("cache", "ok", says)


def _shm() -> Finding:
    shm = Path("/dev/shm")
    if not shm.is_dir() or free_mib(shm) < WANTED_MEMORY_MIB:
        return Finding("tmpfs", "note", "/dev/shm is small: templates go to the disk cache")
    return Finding("tmpfs", "ok", f"/dev/shm: {free_mib(shm)} MiB free")


def _apt() -> Finding:
    if shutil.which("apt-get") and shutil.which("dpkg-deb"):
        return Finding("apt", "ok", "debian: kernels can be fetched")
    return Finding("apt", "note", "not here: no debian: kernels", "give a path to a kernel")


def _kernel_builds() -> Finding:
    missing = missing_tools()
    if missing:
        todo = f"apt-get install {' '.join(missing)}"
        return Finding("building", "note", f"no recipes: {', '.join(missing)} missing", todo)
    room = free_mib(cache_root())
    if room < WANTED_BUILD_MIB:
        says = f"{room} MiB free where kernels are built"
        return Finding("building", "note", says, f"a kernel takes {WANTED_BUILD_MIB} MiB")
    return Finding("building", "ok", "recipes and trees can be built")


def _guest(spec: str) -> list[Finding]:
    try:
        kernel = resolve_to_boot(spec)
        launch = Launch(kernel, store_initramfs({}), Accel.TCG, channel_for(kernel))
        qemu = find_qemu(kernel.arch.value)
        with VmLoop() as loop:
            choice = loop.run(choose_accel(qemu, launch))
            chosen = Launch(kernel, launch.initramfs, choice.accel, launch.channel)
            seconds = loop.run(_boot(qemu.path, chosen))
    except KharnessError as error:
        return [Finding("guest", "gap", error.what, error.hint)]
    kvm = (
        Finding("KVM", "ok", "a guest runs on it")
        if choice.accel is Accel.KVM
        else Finding("KVM", "note", choice.reason, "emulation works, about ten times slower")
    )
    says = f"{kernel.release} came up with {choice.accel.value} in {seconds:.1f} s"
    return [kvm, Finding("guest", "ok", says)]


async def _boot(qemu: Path, launch: Launch) -> float:
    guest = await Guest.boot(qemu, launch, Console(None))
    await guest.close()
    return guest.boot_s
