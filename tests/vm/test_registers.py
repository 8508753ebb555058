# SPDX-License-Identifier: GPL-2.0-only
"""What ``info registers -a`` of a real QEMU says of a guest's CPUs.

The files are of QEMU 10.0 with Debian's 6.12 on arm64; x86 is asked in tests/faults/test_hangs.py.
"""

from pathlib import Path

import pytest

from harness.vm.registers import Cpu, look_at, parse_registers, waits

DATA = Path(__file__).parent / "registers"
IDLE = "ffff800080dae46c: 0xd503207f 0xd65f03c0\r\n"
"""Two words of memory as the monitor prints them: ``wfi`` and ``ret``."""
DEAF = "ffff80007a230570: 0xd50343df 0xd503203f\r\n"
"""``msr daifset, #3`` and ``yield``."""


@pytest.mark.parametrize(
    ("file", "first", "second"),
    [
        (
            "arm64-user-and-idle",
            Cpu(0, 0x40107C, user=True, interrupts=True, halted=None),
            Cpu(1, 0xFFFF800080DAE470, user=False, interrupts=False, halted=None),
        ),
        (
            "arm64-spin-and-idle",
            Cpu(0, 0xFFFF80007A230550, user=False, interrupts=True, halted=None),
            Cpu(1, 0xFFFF800080DAE470, user=False, interrupts=False, halted=None),
        ),
        (
            "arm64-spin-and-deaf",
            Cpu(0, 0xFFFF80007A230550, user=False, interrupts=True, halted=None),
            Cpu(1, 0xFFFF80007A230574, user=False, interrupts=False, halted=None),
        ),
    ],
)
def test_the_cpus_of_arm64(file: str, first: Cpu, second: Cpu) -> None:
    text = (DATA / f"{file}.txt").read_text()
    assert parse_registers(text) == (first, second)
    assert parse_registers(text.replace("\n", "\r\n")) == (first, second)


def test_an_idle_cpu_of_arm64_is_told_from_a_deaf_one_by_its_instruction() -> None:
    idle = parse_registers((DATA / "arm64-spin-and-idle.txt").read_text())[1]
    assert look_at(idle) == "x/2xw 0xffff800080dae46c"
    assert waits(IDLE)
    assert not waits(DEAF)
    assert not waits("Cannot access memory\r\n")


def test_what_cannot_be_read_is_left_out() -> None:
    assert parse_registers("") == ()
    assert parse_registers("CPU#0\nV  0\npc ffffffff80a01234\n") == ()
