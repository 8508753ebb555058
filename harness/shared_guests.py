# SPDX-License-Identifier: GPL-2.0-only
"""Guests that many cases run in, one after another: ``--isolate shared``."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
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

    One that no case runs in is dropped when memory is short.

    Args:
        guests: where guests come from.
        consoles: where consoles are stored.
        worker: name of this worker, for their files.
    """

    def __init__(self, guests: KernelGuests, consoles: ConsoleFiles, worker: str) -> None:
        self._guests = guests
        self._consoles = consoles
        self._worker = worker
        self._count = 0
        self._shared: dict[Shape, SharedGuest] = {}
        self._turn = asyncio.Lock()
        self._busy: Shape | None = None
        guests.admission.when_short(self._give_up)

    @asynccontextmanager
    async def turn(self, shape: Shape) -> AsyncIterator[SharedGuest]:
        """The guest of a shape; the case in the block is the only one that runs in any.

        Raises:
            KharnessError: it does not come up.
        """
        async with self._turn:
            if shape not in self._shared:
                self._count += 1
                console = Console(self._consoles.path(f"{self._worker}-{self._count}"))
                self._shared[shape] = SharedGuest(*await self._guests.boot(shape, console))
            self._busy = shape
            try:
                yield self._shared[shape]
            finally:
                self._busy = None

    async def drop(self, shape: Shape) -> None:
        """The guest of a shape is of no use any more."""
        shared = self._shared.pop(shape, None)
        if shared is None:
            return
        try:
            await shared.guest.close()
        finally:
            shared.ticket.release()

    async def _give_up(self) -> bool:
        """Drops guests that no case runs in; tells whether there were any."""
        idle = [shape for shape in self._shared if shape != self._busy]
        for shape in idle:
            await self.drop(shape)
        return bool(idle)

    async def close(self) -> None:
        """Drops all."""
        for shape in list(self._shared):
            await self.drop(shape)
