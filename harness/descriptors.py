# SPDX-License-Identifier: GPL-2.0-only
"""Descriptors for many guests: the limit is raised as far as they need, and bounds their number.

A shell gives 1024 (getrlimit(2), RLIMIT_NOFILE), which is enough for some hundred guests.
"""

import contextlib
import resource

PER_GUEST = 11
"""QMP, the console and its three files, two channels, stderr, process, ticket, state to load."""
OTHERS = 48
"""What else is open: about 25, and those that QEMU gets while it is started."""
ENOUGH = 4096
"""For Python tests with guests by the dozen. Not all that can be had: programs that close every
number up to the limit, and inherit it, would take long."""


def guests_within_limit(wanted: int) -> int:
    """How many guests may run at a time, of so many that are wanted; one at least."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if hard == resource.RLIM_INFINITY:
        return wanted
    return max(1, min(wanted, (hard - OTHERS) // PER_GUEST - 1))  # one more is made ahead


def make_room_for(guests: int) -> None:
    """Raises the limit of this process, and of what it starts, so that so many guests may run."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = max(ENOUGH, OTHERS + PER_GUEST * (guests + 1))
    if hard != resource.RLIM_INFINITY:
        wanted = min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
