# SPDX-License-Identifier: GPL-2.0-only
"""What a guest does whose case is over its time limit: asked of its agent, kernel and CPUs.

The order is from the gentle to the fatal: agent, registers through QMP, SysRq over the serial
break, and an NMI only where the kernel does not even take interrupts. All of it takes a few
seconds at most, whatever state the guest is in.
"""

import asyncio
import contextlib
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import partial
from pathlib import Path

from qemu.qmp import ExecuteError

from harness.errors import GuestError
from harness.kernels.kernel import Arch
from harness.verdict.text import decode, one_line, shorten_middle
from harness.vm.console import Console
from harness.vm.guest import Guest
from harness.vm.machine import Machine
from harness.vm.registers import Cpu, function_at, look_at, parse_registers, waits

EVIDENCE_LIMIT = 64 * 1024
"""Characters of each piece of evidence."""
AGENT_S = 1.0
QMP_S = 2.0
SAMPLES = 5
SAMPLE_S = 0.04
"""CPUs are looked at so often, at this distance: who has interrupts off each time is deaf."""
SYSRQ_S = 1.0
"""A kernel that takes interrupts has begun to answer SysRq after so long."""
CALM_S = 0.25
ANSWER_S = 2.5
"""What SysRq prints is complete after CALM_S of silence, or after so long."""
QUEUED_S = 1.0
"""Time that a guest waited for a CPU of the host, and that is worth a word."""
NMI_S = 2.0
FLOOD = 2048
"""A console that prints so much while it is asked a word, and not the answer, is flooded."""


class Hang(StrEnum):
    """In which way a guest hangs."""

    SLEEP = "user-space hang"
    USER_SPIN = "user-space spin"
    BLOCKED = "uninterruptible sleep"
    SPIN = "spin with interrupts on"
    DEAF = "spin with interrupts off"
    FLOOD = "console flood"
    SILENT = "kernel without an answer"
    DEAD = "dead QEMU"


@dataclass(frozen=True)
class Task:
    """One thread of a case, as ``images/agent/state.h`` tells it.

    Attributes:
        tid: its id.
        pid: its process's.
        state: the letter of proc(5): R, S, D ...
        wchan: kernel function that it sleeps in; empty when unknown.
        name: its name, cleaned.
    """

    tid: int
    pid: int
    state: str
    wchan: str
    name: str


@dataclass(frozen=True)
class Diagnosis:
    """What became of asking.

    Attributes:
        hang: in which way it hangs.
        where: function that it hangs in; empty when unknown.
        answers: the agent answers, so that killing the case is of use.
        evidence: by name, see :class:`harness.verdict.outcome.Result`.
    """

    hang: Hang
    where: str
    answers: bool
    evidence: dict[str, str] = field(default_factory=dict)

    @property
    def words(self) -> str:
        """In one line: what, and where."""
        return f"{self.hang.value} in {self.where}" if self.where else self.hang.value


TASK = re.compile(r"^task (\d+) of (\d+) (\S) (\d+) (\d+) (\S+) (.*)$", re.M)
FRAME = re.compile(r"\[<[0-9a-f]*>\] (\S+?)(?:\+0x|$)", re.M)


def parse_tasks(text: str) -> tuple[Task, ...]:
    """The tasks in what an agent told."""
    return tuple(
        Task(int(m[1]), int(m[2]), m[3], "" if m[6] == "-" else m[6], m[7])
        for m in TASK.finditer(text)
    )


async def diagnose(guest: Guest) -> Diagnosis:
    """Asks a guest what it does. It may still be used afterwards if its agent answers."""
    machine = guest.machine
    evidence: dict[str, str] = {}
    told = await guest.agent.state(AGENT_S)
    if told:
        evidence["processes"] = told
    samples, words = await _registers(machine)
    if words:
        evidence["registers"] = words
    dead = "" if samples is not None else await _dead(machine)
    if dead:
        evidence["qemu"] = dead
        return Diagnosis(Hang.DEAD, "", answers=False, evidence=_bounded(evidence))
    kernel_answers = await _ask_kernel(machine, evidence)
    if "flood" in evidence:
        hang, where = Hang.FLOOD, ""
    else:
        hang, where = _named(machine, told, kernel_answers, samples or ())
    evidence["summary"] = _summary(told is not None, kernel_answers, hang, where)
    queued_s = guest.agent.queued_s
    if queued_s >= QUEUED_S:
        evidence["summary"] += f"\nit waited for a CPU of this host for {queued_s:.0f} s beside"
    return Diagnosis(hang, where, answers=told is not None, evidence=_bounded(evidence))


async def interrupt(machine: Machine) -> str:
    """Sends an NMI, which ends a guest whose kernel takes no interrupts; what it printed then.

    The kernel panics with where it is (``unknown_nmi_panic`` on its command line). The guest is of
    no use afterwards.
    """
    if machine.launch.kernel.arch is not Arch.X86_64:
        return ""
    capture = machine.console.begin()
    try:
        with contextlib.suppress(ExecuteError, GuestError):
            await machine.execute("inject-nmi", limit_s=QMP_S)
            await _printed(machine.console, NMI_S)
    finally:
        printed = machine.console.end(capture)
    return shorten_middle(decode(printed), EVIDENCE_LIMIT)


async def _dead(machine: Machine) -> str:
    """Why QEMU runs no guest any more, or nothing when it does."""
    try:
        status = await machine.execute("query-status", limit_s=QMP_S)
    except ExecuteError as error:
        return f"QEMU refuses to tell its status: {error}"
    except GuestError as error:
        return f"{error}\n{machine.stderr()}".strip()
    return "" if status.get("running") else f"QEMU is {status.get('status')}"


async def _registers(machine: Machine) -> tuple[tuple[tuple[Cpu, ...], ...] | None, str]:
    """Several looks at all CPUs, and the last as QEMU prints it; None when QEMU is silent."""
    looks: list[tuple[Cpu, ...]] = []
    text = ""
    for number in range(SAMPLES):
        if number:
            await asyncio.sleep(SAMPLE_S)
        try:
            if not number:
                status = await machine.execute("query-status", limit_s=QMP_S)
                if not status.get("running"):
                    return None, ""
            text = await _monitor(machine, "info registers -a")
            cpus = parse_registers(text)
            looks.append(tuple([await _told(machine, cpu) for cpu in cpus]))
        except (ExecuteError, GuestError):
            return None, ""
    seen = [f"{n + 1}: {_look(machine, cpu)}" for n, look in enumerate(looks) for cpu in look]
    return tuple(looks), "\n".join([*seen, "", decode(text.encode())])


async def _monitor(machine: Machine, command: str, cpu: int = 0) -> str:
    """What the human monitor prints; QMP has no command for registers and memory."""
    arguments = {"command-line": command, "cpu-index": cpu}
    return str(await machine.execute("human-monitor-command", arguments, limit_s=QMP_S))


async def _told(machine: Machine, cpu: Cpu) -> Cpu:
    """The CPU, with whether it is halted where its registers alone do not say."""
    if cpu.halted is not None:
        return cpu
    deaf = not (cpu.user or cpu.interrupts)
    halted = deaf and waits(await _monitor(machine, look_at(cpu), cpu.number))
    return replace(cpu, halted=halted)


def _look(machine: Machine, cpu: Cpu) -> str:
    mode = "user space" if cpu.user else "kernel"
    state = "halted" if cpu.halted else "running"
    interrupts = "on" if cpu.interrupts else "off"
    place = f"{cpu.address:#x}" if cpu.user else function_at(_system_map(machine), cpu.address)
    return f"CPU {cpu.number} {state} in {mode}, interrupts {interrupts}, at {place}"


def _system_map(machine: Machine) -> Path | None:
    path = machine.launch.kernel.image.parent / "System.map"
    return path if path.is_file() else None


async def _ask_kernel(machine: Machine, evidence: dict[str, str]) -> bool:
    """Blocked tasks and backtraces through SysRq; False when the kernel does not answer."""
    # A loglevel of 8 prints all; that the kernel says so is its answer.
    said = await _sysrq(machine, "8", SYSRQ_S)
    if "sysrq:" not in said:
        if len(said) > FLOOD:
            evidence["flood"] = said
        return False
    for name, letter in (("blocked tasks", "w"), ("backtraces", "l")):
        evidence[name] = await _sysrq(machine, letter, ANSWER_S)
    await _sysrq(machine, "7", SYSRQ_S)
    return True


async def _sysrq(machine: Machine, letter: str, limit_s: float) -> str:
    capture = machine.console.begin()
    try:
        await machine.sysrq(letter)
        await _printed(machine.console, limit_s)
    except (ExecuteError, GuestError):
        pass
    finally:
        printed = machine.console.end(capture)
    return decode(printed)


async def _printed(console: Console, limit_s: float) -> None:
    """Waits for a first word, at most ``limit_s``, and then until it is complete."""
    before = console.total
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(limit_s):
            while console.total == before:
                await console.more()
    if console.total != before:
        await console.quiet(CALM_S, ANSWER_S)


def _named(  # noqa: PLR0911 - each way to hang is one return
    machine: Machine,
    told: str | None,
    kernel_answers: bool,
    looks: tuple[tuple[Cpu, ...], ...],
) -> tuple[Hang, str]:
    """In which way it hangs, and where."""
    cpus: dict[int, list[Cpu]] = {}
    for cpu in (cpu for look in looks for cpu in look):
        cpus.setdefault(cpu.number, []).append(cpu)
    spinning = [seen for seen in cpus.values() if not any(cpu.halted for cpu in seen)]
    deaf = [seen for seen in spinning if not any(cpu.interrupts or cpu.user for cpu in seen)]
    if deaf and not (kernel_answers and len(cpus) == 1):
        return Hang.DEAF, _place(machine, deaf[0][-1])
    tasks = parse_tasks(told) if told else ()
    blocked = [task for task in tasks if task.state == "D"]
    if blocked:
        return Hang.BLOCKED, _sleeps_in(told or "", blocked[0])
    running = [task for task in tasks if task.state == "R"]
    in_user = [c for c in spinning if any(x.user for x in c)]
    in_kernel = [c for c in spinning if not any(x.user for x in c)]
    if tasks and not running:
        # Who waits for a child hangs because the child does.
        waits = [task for task in tasks if "wait" not in task.wchan]
        return Hang.SLEEP, _sleeps_in(told or "", (waits or list(tasks))[-1])
    if in_user and (told is not None or not in_kernel):
        return Hang.USER_SPIN, one_line(running[0].name) if running else ""
    if in_kernel and (kernel_answers or told is not None):
        return Hang.SPIN, between_interrupts(in_kernel[0], partial(_place, machine))
    if told is not None:
        return Hang.SLEEP, ""
    return (Hang.BLOCKED if kernel_answers else Hang.SILENT), ""


def _place(machine: Machine, cpu: Cpu) -> str:
    return function_at(_system_map(machine), cpu.address).partition("+")[0]


def between_interrupts(looks: Sequence[Cpu], place: Callable[[Cpu], str]) -> str:
    """Where a CPU was most often, but for handlers of interrupts, which keep others off.

    Args:
        looks: at one CPU, one at least.
        place: function that it was in.
    """
    places = [place(cpu) for cpu in looks if cpu.interrupts] or list(map(place, looks))
    return Counter(places).most_common(1)[0][0]


def _sleeps_in(told: str, task: Task) -> str:
    """The kernel function that a task sleeps in."""
    if task.wchan:
        return one_line(task.wchan)
    _, _, stack = told.partition(f"stack {task.tid}\n")
    frame = FRAME.search(stack.partition("stack ")[0])
    return one_line(frame[1]) if frame else ""


def _summary(agent: bool, kernel: bool, hang: Hang, where: str) -> str:
    lines = [
        f"{hang.value}{f' in {where}' if where else ''}",
        f"the agent {'answers' if agent else 'does not answer'}",
        f"the kernel {'answers' if kernel else 'does not answer'} SysRq",
    ]
    return "\n".join(lines)


def _bounded(evidence: dict[str, str]) -> dict[str, str]:
    return {name: shorten_middle(text, EVIDENCE_LIMIT) for name, text in evidence.items() if text}
