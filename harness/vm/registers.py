# SPDX-License-Identifier: GPL-2.0-only
"""What the registers of a guest's CPUs say of what it does: in user space, in the kernel, deaf.

QMP has no command for registers: ``info registers`` of the human monitor is passed through it.
"""

import re
from bisect import bisect_right
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

X86 = re.compile(
    r"[RE]IP=(?P<ip>[0-9a-f]+) [RE]FL=(?P<flags>[0-9a-f]+).*CPL=(?P<level>\d).*HLT=(?P<halted>\d)"
)
X86_IF = 1 << 9
"""RFLAGS.IF (Intel SDM volume 1, 3.4.3): set while interrupts are taken."""
ARM64_PC = re.compile(r"^\s*PC=(?P<ip>[0-9a-f]+)", re.M)
ARM64_PSTATE = re.compile(r"PSTATE=(?P<flags>[0-9a-f]+).*EL(?P<level>\d)")
ARM64_I = 1 << 7
"""PSTATE.I (Arm ARM, C5.2.2, DAIF): set while interrupts are masked."""
ARM64_WFI = 0xD503207F
"""WFI (Arm ARM, C6.2)."""


@dataclass(frozen=True)
class Cpu:
    """One CPU at one moment.

    Attributes:
        number: of the CPU, from 0.
        address: of the instruction that it is at.
        user: it runs user space.
        interrupts: it takes interrupts.
        halted: it waits for one; None where the registers do not say so (arm64).
    """

    number: int
    address: int
    user: bool
    interrupts: bool
    halted: bool | None


def parse_registers(text: str) -> tuple[Cpu, ...]:
    """The CPUs in QEMU's ``info registers -a``, of x86 or arm64; those that it can read."""
    found = []
    parts = re.split(r"^\s*CPU#(\d+)\s*$", text.replace("\r", ""), flags=re.M)
    for number, part in zip(parts[1::2], parts[2::2], strict=False):
        x86 = X86.search(part)
        pc, pstate = ARM64_PC.search(part), ARM64_PSTATE.search(part)
        if x86:
            on = bool(int(x86["flags"], 16) & X86_IF)
            user, halted = x86["level"] == "3", x86["halted"] == "1"
            found.append(Cpu(int(number), int(x86["ip"], 16), user, on, halted))
        elif pc and pstate:
            on = not int(pstate["flags"], 16) & ARM64_I
            found.append(
                Cpu(int(number), int(pc["ip"], 16), pstate["level"] == "0", on, halted=None)
            )
    return tuple(found)


def look_at(cpu: Cpu) -> str:
    """The monitor's command for the instructions before and at a CPU's; see :func:`waits`."""
    return f"x/2xw {cpu.address - 4:#x}"


def waits(words: str) -> bool:
    """Is one of the instructions in what :func:`look_at` gave the one that waits for interrupts?

    Linux idles with interrupts masked on arm64 (drivers/firmware/psci, arch/arm64/kernel/idle.c):
    by its registers alone an idle CPU is as deaf as one that spins.
    """
    _, _, found = words.partition(":")
    return f"{ARM64_WFI:#010x}" in found.split()


@lru_cache(maxsize=2)
def _symbols(system_map: Path) -> tuple[list[int], list[str]]:
    rows = []
    for line in system_map.read_text("ascii", "replace").splitlines():
        parts = line.split()
        if len(parts) == 3 and parts[1] in "tTwW":
            rows.append((int(parts[0], 16), parts[2]))
    rows.sort()
    return [row[0] for row in rows], [row[1] for row in rows]


def function_at(system_map: Path | None, address: int) -> str:
    """Name and offset of the function at an address, or the address in hex.

    Args:
        system_map: the kernel's System.map; it holds for a kernel that was not moved (KASLR).
        address: of an instruction.
    """
    try:
        addresses, names = _symbols(system_map) if system_map else ([], [])
    except (OSError, ValueError):
        addresses, names = [], []
    at = bisect_right(addresses, address) - 1
    if 0 <= at < len(addresses) - 1:
        return f"{names[at]}+{address - addresses[at]:#x}"
    return f"{address:#x}"
