# SPDX-License-Identifier: GPL-2.0-only
"""Guests that lie: every breach costs that guest, is named, and nothing of it reaches the host."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from harness.errors import GuestError
from harness.host import Qemu
from harness.kernels.kernel import Kernel
from harness.toolchain import compile_program
from harness.verdict.judge import judge
from harness.verdict.outcome import Outcome
from harness.vm.agent import RunReport
from harness.vm.archives import store_initramfs
from harness.vm.console import CAPTURE_HEAD, CAPTURE_TAIL, FILE_LIMIT, TIMES_LIMIT, Console
from harness.vm.guest import Guest
from harness.vm.loop import VmLoop
from harness.vm.protocol import Run
from harness.vm.qemu import Accel, Launch, channel_for


@pytest.fixture(scope="module")
def liar(one_kernel: Kernel) -> Launch:
    program = compile_program(Path(__file__).parents[1] / "data" / "liar.c")
    initramfs = store_initramfs({"/case/liar": program})
    return Launch(one_kernel, initramfs, Accel.TCG, channel_for(one_kernel))


@contextmanager
def lying(loop: VmLoop, qemu: Qemu, liar: Launch, way: str) -> Iterator[Guest]:
    words = ("rdinit=/case/liar", f"kh_lie={way}", f"kh_release={liar.kernel.release}")
    guest = loop.run(Guest.boot(qemu.path, replace(liar, append=words), Console(None)))
    try:
        yield guest
    finally:
        loop.run(guest.close())


def ran(loop: VmLoop, guest: Guest) -> RunReport:
    return loop.run(guest.agent.run(Run(("/case/any", "name")), timeout_s=20))


@pytest.mark.guest
@pytest.mark.parametrize(
    ("way", "words"),
    [
        ("garbage", "no frame starts with"),
        ("other", "for request 41, which is not open"),
        ("unasked", "PULL_DATA was not asked for"),
        ("state", "STATE was not asked for"),
        ("hello", "HELLO was not asked for"),
        ("huge", "payload of 4294967295 bytes announced"),
        ("short", "EXITED of 5 bytes"),
        ("flood", "more output than was asked for"),
    ],
)
def test_a_lie_costs_the_guest(
    loop: VmLoop, qemu: Qemu, liar: Launch, way: str, words: str
) -> None:
    with lying(loop, qemu, liar, way) as guest, pytest.raises(GuestError) as caught:
        ran(loop, guest)
    assert "broke the protocol" in str(caught.value)
    assert words in str(caught.value)


@pytest.mark.guest
def test_a_result_that_comes_twice_counts_once(loop: VmLoop, qemu: Qemu, liar: Launch) -> None:
    # Whichever comes first, the answer or the news of the breach: never a second result.
    with lying(loop, qemu, liar, "replay") as guest, pytest.raises(GuestError, match="EXITED"):
        for _ in range(2):
            ran(loop, guest)


@pytest.mark.guest
def test_a_name_cannot_act_on_a_terminal_nor_pass(loop: VmLoop, qemu: Qemu, liar: Launch) -> None:
    with lying(loop, qemu, liar, "names") as guest:
        report = ran(loop, guest)
    verdict = judge(
        name="name",
        stdout=report.stdout,
        stderr=report.stderr,
        wait_status=report.exited.status,
        killed_by_timeout=False,
        timeout_s=1,
        truncated=False,
    )
    assert verdict.outcome is Outcome.ERROR
    assert verdict.message == "it reported a case that was not asked for: other"


@pytest.mark.guest
@pytest.mark.parametrize(
    ("way", "words"),
    [("more", "more data than was asked for"), ("hash", "changed on its way")],
)
def test_a_pulled_file_is_what_was_asked_for(
    loop: VmLoop, qemu: Qemu, liar: Launch, way: str, words: str
) -> None:
    with lying(loop, qemu, liar, way) as guest, pytest.raises(GuestError, match=words):
        loop.run(guest.agent.pull("/etc/passwd", limit=100_000))


@pytest.mark.parametrize("piece", [b"x" * 1023 + b"\n", b"\n" * 1024])
def test_half_a_gigabyte_of_console_is_bounded(tmp_path: Path, piece: bytes) -> None:
    console = Console(tmp_path / "console.log")
    capture = console.begin()
    block = piece * 1024
    for _ in range(512):
        console.feed(block)
    kept = console.end(capture)
    console.close()
    assert len(kept) < CAPTURE_HEAD + CAPTURE_TAIL + 100
    assert b"bytes left out ...]" in kept
    stored = (tmp_path / "console.log").stat().st_size
    assert FILE_LIMIT < stored < FILE_LIMIT + 100
    assert (tmp_path / "console.log").read_bytes().endswith(b"more bytes not stored]\n")
    assert (tmp_path / "console.log.times").stat().st_size < TIMES_LIMIT + 100
