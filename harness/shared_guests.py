# SPDX-License-Identifier: GPL-2.0-only
"""Guests that many cases run in, one after another: ``--isolate shared``."""

import asyncio
from collections import deque
from dataclasses import dataclass, field

from harness.console_files import ConsoleFiles
from harness.kernel_guests import KernelGuests
from harness.vm.admission import Ticket
from harness.vm.console import Console
from harness.vm.guest import Guest
from harness.vm.qemu import Shape

TOLD = 5
"""Cases that ran before one that failed, and are named with it."""


@dataclass(frozen=True)
class SharedGuest:
    """A guest that many cases run in.

    Attributes:
        guest: it runs.
        ticket: its right to memory.
        before: names of the cases that ran in it last.
    """

    guest: Guest
    ticket: Ticket
    before: deque[str] = field(default_factory=lambda: deque(maxlen=TOLD))


class SharedGuests:
    """One guest for each shape, booted when it is first needed and when it was dropped.

    Args:
        guests: where guests come from.
        consoles: where consoles are stored.
        worker: name of this worker, for their files.

    Attributes:
        turn: held by the case that runs in one of them.
    """

    def __init__(self, guests: KernelGuests, consoles: ConsoleFiles, worker: str) -> None:
        self._guests = guests
        self._consoles = consoles
        self._worker = worker
        self._count = 0
        self._shared: dict[Shape, SharedGuest] = {}
        self.turn = asyncio.Lock()

    async def take(self, shape: Shape) -> SharedGuest:
        """The guest of a shape.

        Raises:
            KharnessError: it does not come up.
        """
        if shape not in self._shared:
            self._count += 1
            console = Console(self._consoles.path(f"{self._worker}-{self._count}"))
            self._shared[shape] = SharedGuest(*await self._guests.boot(shape, console))
        return self._shared[shape]

    async def drop(self, shape: Shape) -> None:
        """The guest of a shape is of no use any more."""
        shared = self._shared.pop(shape)
        await shared.guest.close()
        shared.ticket.release()

    async def close(self) -> None:
        """Drops all."""
        for shape in list(self._shared):
            await self.drop(shape)
