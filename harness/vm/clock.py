# SPDX-License-Identifier: GPL-2.0-only
"""The frequency of the time stamp counter that an emulated x86 guest sees.

Under TCG that is the host's counter (QEMU, include/qemu/timer.h). A kernel that starts on a busy
host measures it wrongly or not at all, and from then on its time runs too fast or in jumps: time
limits in the guest end early, and RCU reports stalls that are none. So it is told.
"""

import platform
import subprocess
from functools import lru_cache

from harness.cache import cache_root, locked, private_folder, replacing
from harness.errors import KharnessError
from harness.host import boot_id
from harness.resources import resource
from harness.toolchain import compile_program

ROUND_KHZ = 1000
"""A kernel takes a later measurement of its own when it differs by less than 1 % (tsc.c)."""


@lru_cache(maxsize=1)
def host_tsc_khz() -> int | None:
    """The counter's frequency in kHz, the same for one boot of the host; None where none is known.

    It is measured once (``images/tsc``), in 0.1 s, and rounded, since it is part of what shapes a
    template.
    """
    if platform.machine() not in ("x86_64", "AMD64"):
        return None
    path = cache_root() / "host" / f"tsc-{boot_id()}"
    try:
        if path.is_file():
            return int(path.read_text())
        private_folder(path.parent)
        with locked(path):
            if path.is_file():
                return int(path.read_text())
            measured = subprocess.run(
                [compile_program(resource("images/tsc/tsc.c"))],
                capture_output=True,
                text=True,
                timeout=30,
                check=True,
            )
            khz = round(int(measured.stdout) / ROUND_KHZ) * ROUND_KHZ
            with replacing(path) as temporary:
                temporary.write_text(str(khz))
            return khz
    except (OSError, ValueError, subprocess.SubprocessError, KharnessError):
        return None  # the guest measures by itself


def clock_words() -> tuple[str, ...]:
    """What an emulated x86 kernel is told of its clock, on its command line.

    ``tsc_early_khz`` instead of a measurement, ``tsc=reliable`` against one clock being judged by
    another that the host's load holds up (Documentation/admin-guide/kernel-parameters.txt).
    ``no_timer_check`` as every hypervisor's guest has it (arch/x86/kernel/kvm.c): on a host with
    much to do the ten ticks of the test come too late, and the kernel panics ("IO-APIC + timer
    doesn't work!").
    """
    khz = host_tsc_khz()
    frequency = (f"tsc_early_khz={khz}", "tsc=reliable") if khz else ()
    return (*frequency, "no_timer_check")
