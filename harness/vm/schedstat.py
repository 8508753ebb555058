# SPDX-License-Identifier: GPL-2.0-only
"""How long a process's threads ran, and how long they waited for a CPU.

Source: /proc/<pid>/task/<tid>/schedstat (Documentation/scheduler/sched-stats.rst). A host without
CONFIG_SCHED_INFO has zeros there.
"""

from pathlib import Path
from typing import NamedTuple

PROC = Path("/proc")


class ThreadTimes(NamedTuple):
    """The times of one thread.

    Attributes:
        ran_ns: nanoseconds on a CPU.
        queued_ns: nanoseconds in which it could have run, and waited for a CPU.
    """

    ran_ns: int
    queued_ns: int


def thread_times(pid: int, proc: Path = PROC) -> dict[str, ThreadTimes]:
    """The times of each thread of a process.

    Args:
        pid: of the process.
        proc: where procfs is.

    Returns:
        By thread; nothing when the process is gone, or the host does not tell.
    """
    found = {}
    try:
        for task in (proc / str(pid) / "task").iterdir():
            try:
                ran, queued, *_ = map(int, (task / "schedstat").read_text().split())
            except (FileNotFoundError, ProcessLookupError):
                continue  # it has just ended, and says nothing of the others
            found[task.name] = ThreadTimes(ran, queued)
    except (OSError, ValueError):
        return {}
    return found
