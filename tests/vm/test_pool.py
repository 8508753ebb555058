# SPDX-License-Identifier: GPL-2.0-only
"""Forks that are lost, or of no use, before they had a case."""

import asyncio
import errno
import os
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from harness.cache import cache_root
from harness.cases.case import Case, Needs
from harness.errors import GuestError, QemuEndedError
from harness.host import Qemu
from harness.kernels.kernel import Kernel
from harness.runner import KernelRunner
from harness.runner_settings import RunnerSettings
from harness.verdict.outcome import Outcome
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


def test_a_fork_that_comes_up_when_nobody_wants_it_any_more_goes(
    loop: VmLoop, template: Template
) -> None:
    pool = Pool(template, Admission(), print, print)

    async def taken_and_cancelled() -> None:
        pool.prepare()
        pool._spares[0][1].add_done_callback(lambda _: taking.cancel())
        taking = asyncio.ensure_future(pool.take())
        with pytest.raises(asyncio.CancelledError):
            await taking

    loop.run(taken_and_cancelled())
    assert guests() == []


@pytest.fixture
def runner(loop: VmLoop, one_kernel: Kernel, qemu: Qemu, tmp_path: Path) -> Iterator[KernelRunner]:
    settings = RunnerSettings(qemu, "tcg", consoles=tmp_path)

    async def make() -> KernelRunner:
        return KernelRunner(one_kernel, {}, settings, print)

    made = loop.run(make())
    yield made
    loop.run(made.close())


CASE = Case(Path("a.c"), "t", 1, Path("a"), Needs(), None, "", "", slow=False, classname="a")


def full(*_: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_console_that_cannot_be_stored_leaves_no_guest(
    loop: VmLoop, runner: KernelRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Console, "store_in", full)
    result = loop.run(runner.run(CASE))
    assert (result.outcome, "No space left" in result.message) == (Outcome.ERROR, True)
    assert guests() == []
    with pytest.raises(OSError, match="No space left"):
        loop.run(runner.guests.open_guest("t", 1, 128, boot=False))
    assert guests() == []


def test_a_fork_that_cannot_be_made_ahead_costs_nobody_theirs(
    loop: VmLoop, runner: KernelRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Admission, "try_admit", full)

    async def forked() -> None:
        await runner.guests.prepare()
        fork = await runner.guests.fork(runner.guests.shape(1, 128), ahead=True)
        assert fork is not None
        await fork.close()

    loop.run(forked())
    assert guests() == []
