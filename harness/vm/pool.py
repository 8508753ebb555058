# SPDX-License-Identifier: GPL-2.0-only
"""Forks of one template: made when they are asked for, or one ahead where a CPU is idle."""

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass

from harness.errors import QemuEndedError
from harness.vm.admission import Admission, Ticket
from harness.vm.console import Capture, Console
from harness.vm.guest import Guest
from harness.vm.template import Template

FORKS = 3
"""Times that a fork is begun whose QEMU is lost before anything has run in it."""


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
        note: told when a fork was lost before it had a case, and another took its place.
    """

    def __init__(
        self,
        template: Template,
        admission: Admission,
        waits: Callable[[str], None],
        note: Callable[[str], None],
    ) -> None:
        self._template = template
        self._admission = admission
        self._waits = waits
        self._note = note
        self._spares: list[tuple[Ticket, asyncio.Task[Fork]]] = []

    async def take(self, *, kept: bool = False) -> Fork:
        """A fork: the one that was made ahead, if there is one.

        Args:
            kept: see :meth:`harness.vm.admission.Admission.admit`.

        Raises:
            QemuEndedError: QEMU was ended by a signal, every time.
            HostError: QEMU does not start.
            GuestError: the template does not load.
        """
        if self._spares:
            ticket, task = self._spares.pop(0)
            try:
                fork = await task
            except asyncio.CancelledError:
                await _drop(ticket, task)  # it may have come up just then
                raise
            if not fork.guest.machine.gone.is_set():
                fork.ticket.kept = kept
                return fork
            await fork.close()
            self._note(f"a guest ended before its case ({fork.guest.machine.exit_words()})")
        memory_mib = self._template.launch.shape.memory_mib
        ticket = await self._admission.admit(memory_mib, self._waits, kept=kept)
        return await self._fork(ticket)

    def prepare(self) -> None:
        """Starts a fork for the next case, unless there is one or the host has no room."""
        if self._spares:
            return
        ticket = None
        with contextlib.suppress(OSError):
            ticket = self._admission.try_admit(self._template.launch.shape.memory_mib)
        if ticket:
            self._spares.append((ticket, asyncio.ensure_future(self._fork(ticket))))

    async def close(self) -> bool:
        """Drops what nobody took, also what is not up yet; tells whether there was anything."""
        spares, self._spares = self._spares, []
        for _, task in spares:
            task.cancel()
        for ticket, task in spares:
            await _drop(ticket, task)
        return bool(spares)

    async def _fork(self, ticket: Ticket) -> Fork:
        try:
            guest, capture = await self._start()
        except BaseException:
            ticket.release()
            raise
        ticket.guest(guest.machine.pid)
        return Fork(guest, capture, ticket)

    async def _start(self) -> tuple[Guest, Capture]:
        """A guest; a QEMU that a signal ends while it loads a template costs nothing but time."""
        for left in reversed(range(FORKS)):
            console = Console(None)
            capture = console.begin()
            try:
                return await self._template.fork(console), capture
            except QemuEndedError as error:
                if not left:
                    raise
                self._note(f"forking once more: {error.what}")
        raise AssertionError("unreachable")


async def _drop(ticket: Ticket, task: "asyncio.Task[Fork]") -> None:
    """Ends the making of a fork, and the fork if it is up."""
    task.cancel()
    try:
        await asyncio.wait({task})
        if not task.cancelled() and task.exception() is None:
            await task.result().close()
    finally:
        ticket.release()  # a task that had not begun gives nothing back
