# SPDX-License-Identifier: GPL-2.0-only
"""Where a CPU spins, from several looks at it."""

from harness.vm.diagnose import between_interrupts
from harness.vm.registers import Cpu

PLACES = {1: "trouble_spin", 2: "native_apic_mem_write", 3: "cpu_relax"}


def look(address: int, *, interrupts: bool = True) -> Cpu:
    return Cpu(0, address, user=False, interrupts=interrupts, halted=False)


def place(cpu: Cpu) -> str:
    return PLACES[cpu.address]


def test_a_handler_of_an_interrupt_is_not_where_it_spins() -> None:
    handler = look(2, interrupts=False)
    assert between_interrupts([look(1), handler], place) == "trouble_spin"
    assert between_interrupts([handler, handler, look(1)], place) == "trouble_spin"


def test_where_it_was_most_often_counts() -> None:
    assert between_interrupts([look(1), look(3), look(1)], place) == "trouble_spin"


def test_who_was_only_seen_in_handlers_is_there() -> None:
    assert between_interrupts([look(2, interrupts=False)], place) == "native_apic_mem_write"
