# SPDX-License-Identifier: GPL-2.0-only
"""How long a guest is waited for: the time of a host that is busy with others is not the guest's.

Where the host does not tell (:mod:`harness.vm.schedstat`), time is time.
"""

import time
from collections.abc import Callable

from harness.vm.schedstat import thread_times

MOST = 8
"""A guest with less than an eighth of a CPU is given up all the same: nothing waits for ever."""


def queued_ns(pid: int) -> dict[str, int]:
    """Nanoseconds that each thread of a process has waited for a CPU."""
    return {tid: times.queued_ns for tid, times in thread_times(pid).items()}


class Patience:
    """A time limit for a guest, which begins now.

    What counts is the thread that waited for the longest: a guest waits for the last of its CPUs.

    Args:
        pid: of the guest's QEMU.
        limit_s: seconds.
        queued: tells how long threads have waited.
    """

    def __init__(
        self, pid: int, limit_s: float, queued: Callable[[int], dict[str, int]] = queued_ns
    ) -> None:
        self._pid = pid
        self._limit_s = limit_s
        self._queued = queued
        self._start = time.monotonic()
        self._before = queued(pid)

    def queued_s(self) -> float:
        """Seconds since the start in which the guest waited for a CPU of the host."""
        waits = self._queued(self._pid).items()
        return max((ns - self._before.get(tid, 0) for tid, ns in waits), default=0) / 1e9

    def left_s(self) -> float:
        """Seconds until the limit, as it looks now; none or less when it is over."""
        spent_s = time.monotonic() - self._start
        if spent_s < self._limit_s:
            return self._limit_s - spent_s
        return min(self._limit_s + self.queued_s(), self._limit_s * MOST) - spent_s
