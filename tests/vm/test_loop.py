# SPDX-License-Identifier: GPL-2.0-only
"""The loop that owns guests: what becomes of work, and of work that is given up."""

import asyncio
import gc
import os
import signal
import threading
import warnings
from concurrent.futures import CancelledError
from pathlib import Path

import pytest

from harness.host import Qemu
from harness.vm.console import Console
from harness.vm.guest import Guest
from harness.vm.loop import VmLoop
from harness.vm.qemu import Launch
from tests.judging import guests_of


class Work:
    """Goes on until it is cancelled, and then has something to clean up that takes a moment."""

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.cleaned = False
        self.cancelled = 0

    async def __call__(self) -> None:
        try:
            self.begun.set()
            await asyncio.Event().wait()
        finally:
            for _ in range(20):
                try:
                    await asyncio.sleep(0.005)
                except asyncio.CancelledError:
                    self.cancelled += 1
                    raise
            self.cleaned = True


def test_a_result_and_an_exception_come_back() -> None:
    async def divide(by: int) -> float:
        return 1 / by

    with VmLoop() as loop:
        assert loop.run(divide(2)) == 0.5
        with pytest.raises(ZeroDivisionError):
            loop.run(divide(0))


@pytest.mark.parametrize("by", ["its owner", "the end", "both"])
def test_what_is_given_up_cleans_up_in_peace(by: str) -> None:
    work = Work()
    with VmLoop() as loop:
        future = loop.start(work())
        work.begun.wait()
        if by != "the end":
            future.cancel()
        if by == "both":
            loop.give_up()
    assert (work.cleaned, work.cancelled) == (True, 0)
    with pytest.raises(CancelledError):
        future.result(timeout=0)


def test_what_a_signal_s_handler_raises_gives_up_the_work() -> None:
    """As pytest-timeout does: nobody will ask for what would have come of it."""

    class TooLong(BaseException):
        pass

    def too_long(number: int, frame: object) -> None:
        raise TooLong

    before = signal.signal(signal.SIGALRM, too_long)
    work = Work()
    try:
        with VmLoop() as loop:
            signal.setitimer(signal.ITIMER_REAL, 0.2)
            with pytest.raises(TooLong):
                loop.run(work())
            for _ in range(100):
                if work.cleaned:
                    break
                loop.run(asyncio.sleep(0.05))
            assert (work.cleaned, work.cancelled) == (True, 0)
    finally:
        signal.signal(signal.SIGALRM, before)


def test_what_had_not_begun_never_does(caplog: pytest.LogCaptureFixture) -> None:
    works = [Work() for _ in range(50)]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with VmLoop() as loop:
            for work in works:
                loop.start(work()).cancel()
        gc.collect()
    assert all(work.cleaned for work in works if work.begun.is_set())
    assert caplog.records == []


@pytest.mark.guest
def test_a_guest_that_boots_is_dead_before_the_loop_is(
    qemu: Qemu, launch: Launch, caplog: pytest.LogCaptureFixture
) -> None:
    """As when SIGHUP ends a run."""

    async def boot() -> None:
        await Guest.boot(qemu.path, launch, Console(None))

    others = set(guests_of(os.getpid()))  # fixtures of other tests may have theirs
    with VmLoop() as loop:
        future = loop.start(boot())
        while not (pids := set(guests_of(os.getpid())) - others):
            assert not future.done()
        future.cancel()
    # Dead and reaped, not dying.
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)
    gc.collect()
    assert [record for record in caplog.records if record.name == "asyncio"] == []
