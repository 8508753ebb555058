# SPDX-License-Identifier: GPL-2.0-only
"""A case that does not end: in which way its guest hangs, and what it could still tell."""

import asyncio
import os
import signal
from pathlib import Path

import pytest

from harness.host import Qemu
from harness.verdict.outcome import Outcome
from harness.vm.agent import RunReport
from harness.vm.console import Console
from harness.vm.diagnose import Diagnosis, Hang, diagnose
from harness.vm.guest import Guest
from harness.vm.loop import VmLoop
from harness.vm.protocol import Run
from harness.vm.qemu import Launch
from tests.faults.conftest import Outcomes

pytestmark = pytest.mark.guest
NAMES = {
    "sleeps": "user-space hang in __do_sys_pause",
    "spins": "user-space spin in try.trouble",
    "blocks": "uninterruptible sleep in trouble_sleep",
    "deadlocks": "uninterruptible sleep in trouble_deadlock",
    "spins_in_the_kernel": "spin with interrupts on in trouble_spin",
    "spins_deaf": "spin with interrupts off in trouble_spin_irqs_off",
    "wedges_the_console": "uninterruptible sleep in trouble_sleep",
}


@pytest.fixture(scope="module")
def hung(broken: Path) -> Outcomes:
    return Outcomes(broken, "-k", "sleeps or spins or blocks or deadlocks or wedges")


@pytest.mark.parametrize("case", NAMES)
def test_a_hang_is_named_with_its_place(hung: Outcomes, case: str) -> None:
    result = hung.results[case]
    assert result.outcome is Outcome.TIMEOUT
    assert result.message == f"no end after 3 s: {NAMES[case]}"
    assert result.extra["hang"] == NAMES[case].split(" in ")[0]


@pytest.mark.parametrize(
    ("case", "evidence", "words"),
    [
        ("sleeps", "processes", "__do_sys_pause"),
        ("blocks", "processes", "trouble_sleep"),
        ("blocks", "blocked tasks", "trouble_sleep"),
        ("deadlocks", "blocked tasks", "mutex_lock"),
        ("spins_in_the_kernel", "backtraces", "trouble_spin"),
        ("spins_in_the_kernel", "registers", "interrupts on, at trouble_spin"),
        ("spins_deaf", "registers", "interrupts off, at trouble_spin_irqs_off"),
        ("spins_deaf", "non-maskable interrupt", "trouble_spin_irqs_off"),
        ("wedges_the_console", "summary", "the kernel does not answer SysRq"),
    ],
)
def test_the_evidence_says_what_hangs(hung: Outcomes, case: str, evidence: str, words: str) -> None:
    assert words in hung.results[case].evidence[evidence]


def test_what_was_asked_is_not_the_case_s_console(hung: Outcomes) -> None:
    for case in NAMES:
        assert "sysrq:" not in hung.results[case].console
        assert "NMI" not in hung.results[case].console


async def hang_and_ask(qemu: Qemu, launch: Launch, way: signal.Signals) -> Diagnosis:
    guest = await Guest.boot(qemu.path, launch, Console(None))
    found: list[Diagnosis] = []

    async def ask() -> bool:
        os.kill(guest.machine.pid, way)
        found.append(await diagnose(guest))
        return False

    try:
        run = guest.agent.run(Run(("/case/hostile", "spin")), timeout_s=0.5, on_timeout=ask)
        (ended,) = await asyncio.gather(run, return_exceptions=True)
        assert not isinstance(ended, RunReport)
    finally:
        await guest.close()
    return found[0]


@pytest.mark.parametrize("way", [signal.SIGSTOP, signal.SIGKILL])
def test_a_dead_qemu_is_told_from_a_dead_guest(
    loop: VmLoop, qemu: Qemu, launch: Launch, way: signal.Signals
) -> None:
    diagnosis = loop.run(hang_and_ask(qemu, launch, way))
    assert diagnosis.hang is Hang.DEAD
    assert "QEMU" in diagnosis.evidence["qemu"]
    assert not diagnosis.answers
