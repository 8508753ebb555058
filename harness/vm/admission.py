# SPDX-License-Identifier: GPL-2.0-only
"""Admits guests by memory: never more than fit, over all kharness processes of this user.

Every guest has a ticket: a file in a folder that all processes share, locked for as long as the
guest lives, with what the guest may come to need and its QEMU's process id. What is promised and
not yet taken is kept free of others. A ticket of a process that died is not locked any more.

What a guest may need is in its ticket's name as well: where memory is plenty, the names are enough.
"""

import asyncio
import contextlib
import fcntl
import os
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

from harness.cache import cache_root, private_folder
from harness.errors import HostError
from harness.host import memory_available_mib
from harness.locks import Lock

OVERHEAD_MIB = 64
"""What QEMU needs beside the guest's memory (about 25 MiB private for a fork, and some spare)."""
RESERVE_MIB = 512
"""What is left to everybody else."""
RETRY_S = 0.05
PATIENCE = 20
"""Who waits sleeps so many times as long as looking took: with many guests it costs no CPU."""
NAME = re.compile(r"(?:-(\d+)MiB)?\.guest$")
UNKNOWN_MIB = 1 << 30
"""Need of a guest that its ticket's name does not tell, as kharness wrote them once: it is in the
file, and so much has that looked at."""
PAGES_PER_MIB = (1 << 20) // os.sysconf("SC_PAGESIZE")


class Ticket:
    """The right to run one guest. :meth:`release` gives it back.

    Attributes:
        need_mib: memory that the guest may come to need, in MiB.
        pid: of its QEMU, 0 before it is known.
        kept: a Python test has it (:meth:`Admission.admit`).
    """

    def __init__(self, path: Path, fd: int, need_mib: int) -> None:
        self._path = path
        self._fd = fd
        self.need_mib = need_mib
        self.pid = 0
        self.kept = False

    def guest(self, pid: int) -> None:
        """Tells which process the guest is, so that what it has taken is not counted twice.

        Where that cannot be written, it is counted twice.
        """
        self.pid = pid
        with contextlib.suppress(OSError):
            os.pwrite(self._fd, f"{self.need_mib} {pid}\n".encode(), 0)

    @property
    def released(self) -> bool:
        """It was given back."""
        return self._fd < 0

    def release(self) -> None:
        """The guest is gone."""
        if self._fd >= 0:
            self._path.unlink(missing_ok=True)
            os.close(self._fd)
            self._fd = -1


class Admission:
    """Hands out tickets; one for all guests of a process, so that who waits is given what is idle.

    Args:
        folder: shared by all processes; by default one in the cache.
        available: memory in MiB that can be had now.
        reserve_mib: memory that is left to others, in MiB.
    """

    def __init__(
        self,
        folder: Path | None = None,
        available: Callable[[], int] = memory_available_mib,
        reserve_mib: int = RESERVE_MIB,
    ) -> None:
        self._folder = private_folder(folder or cache_root() / "guests")
        self._available = available
        self._reserve_mib = reserve_mib
        self._count = 0
        self._turn: asyncio.Lock | None = None
        self._waiting = 0
        self._looked = False
        self._tickets: dict[str, Ticket] = {}
        self._idle: list[Callable[[], Awaitable[bool]]] = []

    def when_short(self, give_up: Callable[[], Awaitable[bool]]) -> None:
        """Has guests dropped that nobody uses, whenever somebody is to wait for memory.

        Args:
            give_up: drops them, and tells whether there were any.
        """
        self._idle.append(give_up)

    async def admit(
        self, memory_mib: int, waits: Callable[[str], None], *, kept: bool = False
    ) -> Ticket:
        """A ticket for a guest with so much memory; waits until it fits.

        Args:
            memory_mib: the guest's memory.
            waits: told when there is something to wait for.
            kept: who asks is a Python test: while it waits, it gives back nothing of what it has.

        Raises:
            HostError: it does not fit, and there is no other guest that will end.
        """
        if self._turn is None:
            self._turn = asyncio.Lock()
        if kept and self._kept_now():
            # Not behind somebody who may wait for what it has.
            return await self._admitted(memory_mib, waits, kept=True)
        async with self._turn:
            return await self._admitted(memory_mib, waits, kept=kept)

    async def _admitted(
        self, memory_mib: int, waits: Callable[[str], None], *, kept: bool
    ) -> Ticket:
        self._waiting += 1
        try:
            while True:
                began = time.monotonic()
                ticket, others, free = self._try(memory_mib + OVERHEAD_MIB)
                took_s = time.monotonic() - began
                if not ticket and any([await give_up() for give_up in self._idle]):
                    continue
                if ticket:
                    ticket.kept = kept
                    return ticket
                if others == (self._kept_now() if kept else 0):
                    beside = f", beside the {others} that the test has" if others else ""
                    raise HostError(
                        f"no memory for a guest of {memory_mib} MiB{beside}: {free} MiB can be had",
                        "stop something, or lower [guest] memory_mib in harness.toml",
                    )
                waits(f"{free} MiB of memory can be had: waiting for one of {others} guests to end")
                await asyncio.sleep(max(RETRY_S, PATIENCE * took_s))
        finally:
            self._waiting -= 1

    def _kept_now(self) -> int:
        """How many tickets Python tests have."""
        return sum(one.kept and not one.released for one in self._tickets.values())

    def try_admit(self, memory_mib: int) -> Ticket | None:
        """A ticket if it fits now, and nobody waits for one."""
        return None if self._waiting else self._try(memory_mib + OVERHEAD_MIB)[0]

    def _try(self, need: int) -> tuple[Ticket | None, int, int]:
        """A ticket or None, how many other guests there are, and what is free for a guest."""
        with Lock(self._folder / "lock", shared=False):
            needs = self._needs()
            others, free = len(needs), self._available() - sum(needs.values())
            # Once in any case, so that what dead processes left goes.
            if not self._looked or free - self._reserve_mib < need:
                self._looked = True
                promised, others = self._promised(needs)
                free = self._available() - promised
            fits = free - self._reserve_mib >= need or (not others and free >= need)
            return self._issue(need) if fits else None, others, max(0, free)

    def _issue(self, need: int) -> Ticket:
        self._count += 1
        path = self._folder / f"{os.getpid()}-{id(self):x}-{self._count}-{need}MiB.guest"
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(fd, fcntl.LOCK_EX)
        ticket = Ticket(path, fd, need)
        ticket.guest(0)
        self._tickets = {name: one for name, one in self._tickets.items() if not one.released}
        self._tickets[path.name] = ticket
        return ticket

    def _needs(self) -> dict[str, int]:
        """What guests may come to need, in MiB, by the names of their tickets."""
        needs = {}
        for path in self._folder.iterdir():
            if named := NAME.search(path.name):
                needs[path.name] = int(named[1] or UNKNOWN_MIB)
        return needs

    def _promised(self, needs: Mapping[str, int]) -> tuple[int, int]:
        """MiB that other guests were promised and have not taken, and how many there are."""
        promised = others = 0
        for name, need in needs.items():
            own = self._tickets.get(name)
            claim = (own.need_mib, own.pid) if own else _claim(self._folder / name, need)
            if claim is not None:
                others += 1
                promised += max(0, claim[0] - _taken_mib(claim[1]))
        return promised, others


def _claim(path: Path, need: int) -> tuple[int, int] | None:
    """MiB and process id by a ticket; None, and the ticket goes, if its process has died."""
    lock = Lock(path, shared=False, make=False)
    try:
        if lock.acquire(wait=False):
            path.unlink(missing_ok=True)
            return None
        said, pid = path.read_text().split()
        return int(said), int(pid)
    except FileNotFoundError:
        return None
    except (OSError, ValueError):
        return need, 0  # it is there, whatever keeps it from being read
    finally:
        lock.release()


def _taken_mib(pid: int) -> int:
    """Anonymous memory of a process in MiB: resident without what is shared (proc(5), statm)."""
    try:
        _, resident, shared = Path(f"/proc/{pid}/statm").read_text().split()[:3]
    except (OSError, ValueError):
        return 0
    return (int(resident) - int(shared)) // PAGES_PER_MIB
