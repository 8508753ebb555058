# SPDX-License-Identifier: GPL-2.0-only
"""Forks of one template: made when they are asked for, or one ahead where a CPU is idle."""

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass

from harness.errors import KharnessError
from harness.vm.admission import Admission, Ticket
from harness.vm.console import Capture, Console
from harness.vm.guest import Guest
from harness.vm.template import Template


@dataclass(frozen=True)
class Fork:
    """A guest for one case.

    Attributes:
        guest: it runs.
        capture: everything that its console printed since it was started.
        ticket: its right to memory.
    """

    guest: Guest
    capture: Capture
    ticket: Ticket

    async def close(self) -> None:
        """Drops the guest and gives the memory back."""
        try:
            await self.guest.close()
        finally:
            self.ticket.release()


class Pool:
    """Forks of one template.

    Args:
        template: where they start from.
        admission: by memory.
        waits: told when memory has to be waited for.
    """

    def __init__(
        self, template: Template, admission: Admission, waits: Callable[[str], None]
    ) -> None:
        self._template = template
        self._admission = admission
        self._waits = waits
        self._spares: list[asyncio.Task[Fork]] = []

    async def take(self) -> Fork:
        """A fork: the one that was made ahead, if there is one.

        Raises:
            HostError: QEMU does not start.
            GuestError: the template does not load.
        """
        if self._spares:
            return await self._spares.pop(0)
        ticket = await self._admission.admit(self._template.launch.shape.memory_mib, self._waits)
        return await self._fork(ticket)

    def prepare(self) -> None:
        """Starts a fork for the next case, unless there is one or memory is short."""
        if self._spares:
            return
        ticket = self._admission.try_admit(self._template.launch.shape.memory_mib)
        if ticket:
            self._spares.append(asyncio.ensure_future(self._fork(ticket)))

    async def close(self) -> None:
        """Drops what nobody took."""
        for spare in self._spares:
            with contextlib.suppress(KharnessError):
                await (await spare).close()
        self._spares.clear()

    async def _fork(self, ticket: Ticket) -> Fork:
        console = Console(None)
        capture = console.begin()
        try:
            guest = await self._template.fork(console)
        except BaseException:
            ticket.release()
            raise
        ticket.guest(guest.machine.pid)
        return Fork(guest, capture, ticket)
