# SPDX-License-Identifier: GPL-2.0-only
"""A shell inside a guest, on the user's terminal, which is left as it was."""

import asyncio
import contextlib
import os
import signal
import sys
import termios
import tty
from collections.abc import Iterator, Sequence
from dataclasses import replace

from harness.attempt import guest_path
from harness.cases.case import Case
from harness.config import GuestSection
from harness.errors import HostError
from harness.host import find_busybox, find_qemu
from harness.kernel_guests import least_shape
from harness.kernels.kernel import Kernel
from harness.run_inputs import command_line
from harness.vm.accel import choose_accel
from harness.vm.agent import Agent
from harness.vm.archives import store_initramfs
from harness.vm.console import Console
from harness.vm.guest import Guest
from harness.vm.loop import VmLoop
from harness.vm.protocol import Run, RunFlags
from harness.vm.qemu import Accel, Launch, Shape, channel_for
from harness.vm.template import obtain_template, template_in_use, template_key

FIRST_TIMEOUT_S = 60.0


def shell(
    kernel: Kernel,
    cases: Sequence[Case],
    settings: GuestSection,
    *,
    accel: str,
    fork: bool,
    first: Case | None = None,
) -> int:
    """Boots or forks a guest and runs busybox's shell in it.

    Args:
        kernel: what to boot.
        cases: their programs are in ``/case``.
        settings: ``[guest]`` of harness.toml: the guest is one of a run.
        accel: ``auto``, ``kvm`` or ``tcg``.
        fork: from the template instead of a boot.
        first: a case that is run before; the shell finds what it left.

    Returns:
        The shell's exit status.

    Raises:
        HostError: no static busybox, or no QEMU.
        KernelError: the kernel does not come up.
        UsageError: the settings have what no command line takes.
    """
    busybox = find_busybox()
    if busybox is None:
        raise HostError("no static busybox for the guest's shell", "apt-get install busybox-static")
    programs = {guest_path(case): case.program for case in cases if case.program}
    initramfs = store_initramfs(programs, busybox=busybox)
    kernel = replace(kernel, append=command_line(settings.append))
    shape = least_shape(Shape(settings.cpus, settings.memory_mib), kernel, programs)
    if first:
        needs = first.needs
        shape = Shape(max(shape.cpus, needs.cpus), max(shape.memory_mib, needs.memory_mib))
    launch = Launch(kernel, initramfs, Accel.TCG, channel_for(kernel), shape)
    with VmLoop() as loop:
        return loop.run(_session(launch, accel, fork=fork, first=first))


async def _session(launch: Launch, accel: str, *, fork: bool, first: Case | None) -> int:
    qemu = find_qemu(launch.kernel.arch.value)
    chosen = Accel(accel) if accel != "auto" else (await choose_accel(qemu, launch)).accel
    launch = replace(launch, accel=chosen)
    console = Console(None)
    if fork:
        with template_in_use(template_key(qemu, launch)):
            template = await obtain_template(qemu, launch, console)
            guest = await template.fork(console)
    else:
        guest = await Guest.boot(qemu.path, launch, console)
    try:
        if fork:
            await guest.agent.sync()
        if first:
            await _run_first(guest, first)
        # Not before: until there is somebody to talk to, Ctrl-C is for kharness.
        with _raw_terminal():
            return await _converse(guest.agent)
    finally:
        await guest.close()


async def _run_first(guest: Guest, case: Case) -> None:
    """Runs a case, shows what it prints and what the kernel says of it, and keeps what it left."""
    capture = guest.machine.console.begin()
    run = Run((guest_path(case), case.name), flags=RunFlags.KEEP_TMP)
    report = await guest.agent.run(run, timeout_s=case.timeout_s or FIRST_TIMEOUT_S)
    ended = "killed: its time was up" if report.timed_out else f"status {report.exited.status:#x}"
    console = guest.machine.console.end(capture)
    for data in (report.stdout, report.stderr, console):
        _write(data.replace(b"\r\n", b"\n"))
    words = f"kharness: {case.name} has ended ({ended}); it lies in {guest_path(case)}"
    _write(words.encode() + b"\n")


async def _converse(agent: Agent) -> int:
    loop = asyncio.get_running_loop()
    interactive = sys.stdin.isatty()
    typed: asyncio.Queue[bytes] = asyncio.Queue()

    def readable() -> None:
        data = os.read(0, 4096)
        typed.put_nowait(data)
        if not data:
            loop.remove_reader(0)

    async def forward() -> None:
        while True:
            data = await typed.get()
            # On a terminal the end of input is a character, Ctrl-D.
            await agent.feed(data or (b"\x04" if interactive else b""))

    flags = RunFlags.PTY if interactive else RunFlags.STDIN
    size = os.get_terminal_size() if interactive else os.terminal_size((80, 24))
    environment = ("PATH=/bin:/case", "HOME=/tmp", f"TERM={os.environ.get('TERM', 'dumb')}")
    run = Run(
        ("/bin/sh",),
        env=environment,
        flags=flags | RunFlags.WRITABLE_ROOT | RunFlags.KEEP_TMP,
        rows=size.lines,
        cols=size.columns,
        head=0xFFFFFFFF,
    )
    loop.add_reader(0, readable)
    forwarding = asyncio.ensure_future(forward())
    try:
        report = await agent.run(run, timeout_s=None, on_output=_write)
    finally:
        loop.remove_reader(0)
        forwarding.cancel()
        await asyncio.gather(forwarding, return_exceptions=True)
    status = report.exited.status
    return os.waitstatus_to_exitcode(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status)


def _write(data: bytes) -> None:
    while data:
        try:
            data = data[os.write(1, data) :]
        except BlockingIOError:
            continue


@contextlib.contextmanager
def _raw_terminal() -> Iterator[None]:
    """Hands every key to the guest; whatever happens, the terminal is as it was afterwards."""
    if not sys.stdin.isatty():
        yield
        return
    before = termios.tcgetattr(0)
    tty.setraw(0)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTTOU])
        termios.tcsetattr(0, termios.TCSADRAIN, before)
