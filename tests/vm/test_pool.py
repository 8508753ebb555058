# SPDX-License-Identifier: GPL-2.0-only
"""Forks that are lost before they had a case."""

import asyncio
import os
import signal
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from harness.cache import cache_root
from harness.errors import GuestError, QemuEndedError
from harness.host import Qemu
from harness.vm.admission import Admission
from harness.vm.console import Console
from harness.vm.loop import VmLoop
from harness.vm.pool import FORKS, Pool
from harness.vm.protocol import Run
from harness.vm.qemu import Launch
from harness.vm.template import Template, obtain_template
from tests.judging import guests_of
from tests.qemus import Stage, lost_qemu, starts

pytestmark = pytest.mark.guest


@pytest.fixture(scope="module")
def template(loop: VmLoop, qemu: Qemu, launch: Launch) -> Template:
    return loop.run(obtain_template(qemu, launch, Console(None)))


async def a_case_in(pool: Pool) -> bytes:
    fork = await pool.take()
    try:
        words = Run(("/bin/sh", "-c", "echo well"))
        return (await fork.guest.agent.run(words, timeout_s=30, sync=os.urandom(64))).stdout
    finally:
        await fork.close()


def guests() -> list[str]:
    """Tickets and QEMUs that this process has."""
    tickets = [path.name for path in (cache_root() / "guests").glob(f"{os.getpid()}-*")]
    return tickets + [str(pid) for pid in guests_of(os.getpid()) if pid not in OTHERS]


OTHERS: set[int] = set()
"""Guests that other tests of this worker have; those of this file start later."""


@pytest.fixture(autouse=True, scope="module")
def _others() -> None:
    OTHERS.update(guests_of(os.getpid()))


@pytest.mark.parametrize("stage", [Stage.STARTING, Stage.LOADING])
@pytest.mark.parametrize("times", range(1, FORKS))
def test_a_qemu_that_is_lost_while_it_loads_a_template_costs_nothing(
    loop: VmLoop, qemu: Qemu, template: Template, tmp_path: Path, stage: Stage, times: int
) -> None:
    notes: list[str] = []
    fails = replace(template, qemu=lost_qemu(tmp_path, qemu, stage, times))
    assert loop.run(a_case_in(Pool(fails, Admission(), print, notes.append))) == b"well\n"
    assert starts(tmp_path) == times + 1
    assert len(notes) == times
    assert all("forking once more: QEMU ended" in note and "SIGSEGV" in note for note in notes)
    assert guests() == []


@pytest.mark.parametrize("stage", [Stage.STARTING, Stage.LOADING])
def test_a_qemu_that_is_always_lost_is_an_error_in_the_end(
    loop: VmLoop, qemu: Qemu, template: Template, tmp_path: Path, stage: Stage
) -> None:
    fails = replace(template, qemu=lost_qemu(tmp_path, qemu, stage, 1000))
    with pytest.raises(QemuEndedError, match="SIGSEGV"):
        loop.run(a_case_in(Pool(fails, Admission(), print, print)))
    assert starts(tmp_path) == FORKS
    assert guests() == []


def test_a_state_that_does_not_load_is_not_tried_again(
    loop: VmLoop, qemu: Qemu, template: Template, tmp_path: Path
) -> None:
    subprocess.run(["cp", "-r", "--sparse=always", template.folder, tmp_path / "t"], check=True)
    os.truncate(tmp_path / "t" / "state", 5000)
    whole = lost_qemu(tmp_path, qemu, Stage.LOADING, 0)
    damaged = replace(template, folder=tmp_path / "t", qemu=whole)
    with pytest.raises(GuestError, match="exit 1"):
        loop.run(a_case_in(Pool(damaged, Admission(), print, print)))
    assert starts(tmp_path) == 1
    assert guests() == []


def test_a_fork_that_was_made_ahead_and_lost_is_replaced(loop: VmLoop, template: Template) -> None:
    notes: list[str] = []
    pool = Pool(template, Admission(), print, notes.append)

    async def ahead_and_killed() -> None:
        pool.prepare()
        fork = await asyncio.shield(pool._spares[0][1])
        os.kill(fork.guest.machine.pid, signal.SIGKILL)
        await fork.guest.machine.gone.wait()

    loop.run(ahead_and_killed())
    assert loop.run(a_case_in(pool)) == b"well\n"
    assert [note for note in notes if "SIGKILL" in note] == notes != []
    assert guests() == []


@pytest.mark.parametrize("steps", [0, 1, 2, 5, 10, 20, 100])
def test_a_fork_that_is_not_up_yet_goes_with_its_pool(
    loop: VmLoop, template: Template, steps: int
) -> None:
    """At every stage of its start: so many times the loop went round."""

    async def closed() -> None:
        pool = Pool(template, Admission(), print, print)
        pool.prepare()
        for _ in range(steps):
            await asyncio.sleep(0.0005)
        await pool.close()

    loop.run(closed())
    assert guests() == []
