# SPDX-License-Identifier: GPL-2.0-only
import re
from dataclasses import replace

import pytest

from harness.host import find_qemu
from harness.vm.clock import clock_words, host_tsc_khz
from harness.vm.console import Console
from harness.vm.guest import Guest
from harness.vm.loop import VmLoop
from harness.vm.qemu import Accel, Launch, kernel_command_line

KHZ = host_tsc_khz()
needs_tsc = pytest.mark.skipif(KHZ is None, reason="the host has no time stamp counter")


@needs_tsc
def test_the_frequency_is_that_of_a_processor() -> None:
    assert KHZ is not None
    assert 500_000 < KHZ < 8_000_000


@needs_tsc
def test_emulated_kernels_are_told_and_others_measure(launch: Launch) -> None:
    words = kernel_command_line(launch).split()
    assert f"tsc_early_khz={KHZ}" in words
    assert "no_timer_check" in words
    under_kvm = kernel_command_line(replace(launch, accel=Accel.KVM))
    assert not set(clock_words()) & set(under_kvm.split())


@needs_tsc
def test_a_kernel_believes_it(every_launch: Launch, loop: VmLoop) -> None:
    console = Console(None)
    seen = console.begin()

    async def boot() -> None:
        guest = await Guest.boot(find_qemu().path, every_launch, console)
        await guest.close()

    loop.run(boot())
    # The counter's has a line of its own where the processor's was measured and differs (tsc.c).
    found = re.findall(rb"tsc: Detected (\d+\.\d+) MHz (?:processor|TSC)", console.end(seen))
    assert KHZ is not None
    assert round(float(found[-1]) * 1000) == KHZ
