# SPDX-License-Identifier: GPL-2.0-only
"""A guest with its agent: booted, or restored from a template."""

import asyncio
import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from harness.errors import (
    BootPanicError,
    BootStallError,
    GuestError,
    HostError,
    KernelError,
    QemuEndedError,
)
from harness.verdict.text import decode, one_line
from harness.vm.agent import Agent
from harness.vm.console import Capture, Console
from harness.vm.machine import Machine
from harness.vm.patience import Patience
from harness.vm.protocol import Hello
from harness.vm.qemu import Channel, Launch

TAIL_LINES = 15
QMP_ANSWERS_S = 5.0
"""QEMU answers at once, whatever its guest does; one that does not in so long hangs."""
LOOK_S = 0.05
"""A boot that may be suspicious is looked at so often, in seconds."""


@dataclass(frozen=True)
class BootLimits:
    """How long a boot may take, in the guest's time (:class:`harness.vm.patience.Patience`).

    Attributes:
        total_s: seconds until the agent must have said HELLO.
        silence_s: seconds until the console must have printed its first byte.
        grace_s: seconds that a console may be silent at the end of the boot after a panic.
    """

    total_s: float = 120.0
    silence_s: float = 60.0
    grace_s: float = 5.0


class NoProgress(Exception):  # noqa: N818 - an observation, judged by the caller
    """A guest that was suspicious.

    Attributes:
        status: what QEMU says of it (``running`` ...; qapi/run-state.json, RunState); empty when
            QEMU does not answer.
    """

    def __init__(self, status: str) -> None:
        super().__init__(status)
        self.status = status


class Guest:
    """One guest that is up.

    Attributes:
        machine: its QEMU.
        agent: its agent.
        hello: what the agent said of the kernel, None in a fork.
        boot_s: seconds from QEMU's start to here.
    """

    def __init__(self, machine: Machine, agent: Agent, hello: Hello | None, boot_s: float) -> None:
        self.machine = machine
        self.agent = agent
        self.hello = hello
        self.boot_s = boot_s

    @classmethod
    async def boot(
        cls,
        qemu: Path | str,
        launch: Launch,
        console: Console,
        limits: BootLimits | None = None,
        suspicious: Callable[[Machine], bool] | None = None,
    ) -> "Guest":
        """Boots a kernel until its agent says HELLO.

        Args:
            qemu: the executable.
            launch: the guest.
            console: takes what the kernel prints.
            limits: bounds of the boot.
            suspicious: asked every 50 ms; True ends the boot with :class:`NoProgress`.

        Raises:
            HostError: QEMU does not start.
            KernelError: the kernel does not come up; says in which way, with its last lines.
            NoProgress: see ``suspicious``.
        """
        limits = limits or BootLimits()
        start = time.monotonic()
        seen = console.begin()
        machine = await Machine.start(qemu, launch, console)
        try:
            agent = Agent(machine)
            hello = await _come_up(machine, agent, seen, limits, suspicious)
        except BaseException:
            await machine.close()
            raise
        finally:
            console.end(seen)
        if hello.release != launch.kernel.release:
            await machine.close()
            said = f"says it is {hello.release}, its image {launch.kernel.release}"
            raise KernelError(one_line(f"{launch.kernel.spec} {said}"))
        return cls(machine, agent, hello, time.monotonic() - start)

    async def close(self) -> None:
        """Drops the guest at once."""
        await self.machine.close()


async def _come_up(
    machine: Machine,
    agent: Agent,
    seen: Capture,
    limits: BootLimits,
    suspicious: Callable[[Machine], bool] | None,
) -> Hello:
    in_all = Patience(machine.pid, limits.total_s)
    in_silence = Patience(machine.pid, limits.silence_s)
    hello = asyncio.ensure_future(agent.hello())
    gone = asyncio.ensure_future(machine.gone.wait())
    try:
        while True:
            step = LOOK_S if suspicious else 0.5
            await asyncio.wait({hello, gone}, timeout=step, return_when=asyncio.FIRST_COMPLETED)
            if hello.done() and hello.exception() is None:
                return hello.result()
            if gone.done():
                await machine.drain()
                raise _boot_failure(machine, seen, "")
            if hello.done():
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(machine.gone.wait(), limits.grace_s)
                await machine.drain()
                raise _boot_failure(machine, seen, str(hello.exception()))
            if suspicious and suspicious(machine):
                raise NoProgress(await _status(machine))
            if seen.total == 0 and in_silence.left_s() <= 0:
                raise await _no_progress(machine, seen, "silent")
            if in_all.left_s() <= 0:
                how = f"no agent after {limits.total_s:.0f} s"
                raise await _no_progress(machine, seen, how)
    finally:
        hello.cancel()
        gone.cancel()
        await asyncio.gather(hello, gone, return_exceptions=True)


async def _no_progress(machine: Machine, seen: Capture, how: str) -> KernelError | HostError:
    """A kernel that does not come up; a QEMU that does nothing at all is no kernel's fault."""
    try:
        await machine.execute("query-status", limit_s=QMP_ANSWERS_S)
    except GuestError as error:
        return QemuEndedError(f"QEMU hangs while {machine.launch.kernel.spec} boots: {error}")
    return _boot_failure(machine, seen, how)


async def _status(machine: Machine) -> str:
    with contextlib.suppress(GuestError):
        return str((await machine.execute("query-status", limit_s=QMP_ANSWERS_S))["status"])
    return ""


def _boot_failure(  # noqa: PLR0911 - each way not to come up is one return
    machine: Machine, seen: Capture, how: str
) -> KernelError | HostError:
    """Says in which way a kernel did not come up; the console is the witness."""
    spec = machine.launch.kernel.spec
    lines = [line for line in decode(seen.text()).split("\n") if line.strip()]
    tail = "\n".join(lines[-TAIL_LINES:])
    panic = next((line for line in lines if "Kernel panic" in line), None)
    if panic:
        return BootPanicError(
            f"{spec} panics at boot: {one_line(panic.split('] ', 1)[-1])}",
            "its last lines are below",
            tail,
        )
    if any("kharness-agent: no usable channel" in line for line in lines):
        return KernelError(
            f"{spec} boots, but has no usable channel ({machine.launch.channel.value})",
            "build VIRTIO_CONSOLE and VIRTIO_PCI, or SERIAL_8250 with two ports, into the kernel",
            tail,
        )
    if "broke the protocol" in how:
        return KernelError(f"{spec} boots, but its channel is of no use: {how}", "", tail)
    if machine.gone.is_set() and machine.returncode not in (0, None):
        what = f"QEMU ended while {spec} booted ({machine.exit_words()})"
        if machine.returncode > 0:
            return HostError(what, detail=machine.stderr())
        return QemuEndedError(what, detail=f"{machine.stderr()}\n{tail}".strip())
    if not lines:
        return KernelError(
            f"{spec} printed nothing in its console",
            "either it does not boot, or it has no serial console (SERIAL_8250_CONSOLE)",
            machine.stderr(),
        )
    if machine.gone.is_set():
        return BootPanicError(f"{spec} reset while it booted", "its last lines are below", tail)
    return BootStallError(f"{spec} does not boot: {how}", "its last lines are below", tail)


async def restore(
    qemu: Path | str, launch: Launch, console: Console, state: int, channel: Channel
) -> Guest:
    """Starts a guest from a saved state; it runs when this returns.

    Args:
        qemu: the executable.
        launch: the guest as it was saved, with a private memory file and ``incoming``.
        console: takes what the kernel prints.
        state: descriptor of the saved device state, at its start.
        channel: the channel that the agent had chosen.

    Raises:
        QemuEndedError: QEMU was ended by a signal: it is not the state's fault.
        HostError: QEMU does not start.
        GuestError: the state does not load.
    """
    start = time.monotonic()
    # The state is inherited, since QEMU does not take a descriptor and further commands at once
    # (Machine.hand_over), and a fork has no time to wait for each answer.
    machine = await Machine.start(qemu, launch, console, inherits=(state,))
    try:
        agent = Agent(machine, restored=channel)
        await _load(machine, f"fd:{state}")
    except GuestError as error:
        # What it sent last is there before its end is.
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(machine.gone.wait(), QMP_ANSWERS_S)
        ended, words = machine.returncode, machine.exit_words()
        await machine.close()
        if ended is not None and ended < 0:
            what = f"QEMU ended while it loaded a template ({words})"
            raise QemuEndedError(what, detail=machine.stderr()) from error
        raise
    except BaseException:
        await machine.close()
        raise
    return Guest(machine, agent, None, time.monotonic() - start)


async def _load(machine: Machine, uri: str) -> None:
    """Loads a saved state, and waits until the guest runs."""
    with machine.qmp.listener("RESUME") as resumed:
        # Both in one go: QEMU works through them in order.
        await asyncio.gather(
            machine.execute("migrate-set-capabilities", IGNORE_SHARED),
            machine.execute("migrate-incoming", {"uri": uri}),
        )
        runs = asyncio.ensure_future(resumed.get())
        gone = asyncio.ensure_future(machine.gone.wait())
        try:
            await asyncio.wait({runs, gone}, timeout=30, return_when=asyncio.FIRST_COMPLETED)
        finally:
            up = runs.done()
            runs.cancel()
            gone.cancel()
            await asyncio.gather(runs, gone, return_exceptions=True)
        if not up:
            raise GuestError(f"the template does not load ({machine.exit_words()})")


IGNORE_SHARED = {"capabilities": [{"capability": "x-ignore-shared", "state": True}]}
"""Memory in a shared file is not copied into the migration stream (migration/ram.c)."""


KVM_SIGNS = ("KVM internal error", "failed to set MSR", "emulation failure")
"""QEMU's own words (accel/kvm/kvm-all.c, target/i386/kvm/kvm.c)."""


def kvm_complaint(words: str) -> str:
    """The line in which QEMU says that KVM does not run a guest, or an empty string."""
    lines = (line.strip() for line in words.splitlines())
    return next((line for line in lines if any(sign in line for sign in KVM_SIGNS)), "")
