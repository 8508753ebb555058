# SPDX-License-Identifier: GPL-2.0-only
"""The guests of one kernel: what they boot from is made once, then they are forked or booted."""

import asyncio
import contextlib
import shutil
from collections.abc import Awaitable, Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TypeVar

from harness.console_files import ConsoleFiles
from harness.errors import (
    BootPanicError,
    BootStallError,
    GuestError,
    KharnessError,
    QemuEndedError,
)
from harness.host import find_busybox
from harness.kernels.kernel import Kernel
from harness.runner_settings import Isolation, RunnerSettings
from harness.suites.guest import memory_for, with_config
from harness.verdict.console import find_splats, worst
from harness.verdict.expected import apply_expectations
from harness.verdict.text import decode
from harness.vm.accel import AccelChoice, choose_accel
from harness.vm.admission import Admission, Ticket
from harness.vm.archives import store_initramfs
from harness.vm.console import Console
from harness.vm.guest import Guest
from harness.vm.initramfs import File
from harness.vm.pool import Fork, Pool
from harness.vm.qemu import Accel, Launch, Shape, channel_for
from harness.vm.template import (
    BOOT_LOG,
    CannotFork,
    Template,
    obtain_template,
    template_in_use,
    template_key,
)

T = TypeVar("T")
STANDBY_LIMIT = 64
"""Programs that stand by in a template; the agent has room for so many (images/agent/standby.h)."""
BOOTS = 3
"""Times that a guest is booted for a case when its QEMU is lost while it boots."""
FAILURES = 2
"""Times that a kernel panics or stalls at boot, one after the other, before it is blamed: an
emulated CPU has faults of its own, and blame is no guess."""
LOSSES = 3
"""Cases in a row for which it was begun in vain, after which the host is taken for hopeless."""


def least_shape(
    asked: Shape,
    kernel: Kernel,
    programs: Mapping[str, Path],
    files: Mapping[str, File] | None = None,
) -> Shape:
    """The shape of a guest that has room for its kernel and for what it brings along.

    Args:
        asked: as harness.toml has it.
        kernel: the kernel.
        programs: absolute path in the guest to program on the host.
        files: further files of the guest.
    """
    needed_mib = memory_for(files or {}, programs.values())
    return Shape(asked.cpus, max(asked.memory_mib, kernel.memory_mib, needed_mib))


class KernelGuests:
    """Where the guests of one kernel come from. All of it happens in the VM loop.

    Args:
        kernel: the kernel.
        programs: absolute path in the guest to program on the host.
        settings: how cases are run.
        consoles: where consoles are stored.
        note: takes a line that the user should see once.
        files: further files of the guest: suites of others, and what they need, busybox included.
        admission: of all guests of the run; one of its own where there is no other.

    Attributes:
        admission: by memory.
        broken: what is wrong with the kernel; None as long as nothing is known to be.
        came_up: it has booted in this run: a boot that fails afterwards does not give it up.
        can_fork: this QEMU can; nobody knows better until the first template is made.
    """

    def __init__(
        self,
        kernel: Kernel,
        programs: Mapping[str, Path],
        settings: RunnerSettings,
        *,
        consoles: ConsoleFiles,
        note: Callable[[str], None],
        files: Mapping[str, File] | None = None,
        admission: Admission | None = None,
    ) -> None:
        self.kernel = kernel
        self._files = with_config(files, kernel) if files else {}
        self._least = least_shape(settings.shape, kernel, programs, self._files)
        self._programs = programs
        self._settings = settings
        self._consoles = consoles
        self._note = note
        self._prepared: AccelChoice | None = None
        self._initramfs: Path | None = None
        self._preparing = asyncio.Lock()
        self.admission = admission or Admission()
        self.admission.when_short(self._give_up_spares)
        self._pools: dict[Shape, Pool] = {}
        self._template_locks: dict[Shape, asyncio.Lock] = {}
        self._held = ExitStack()
        self._held_keys: set[str] = set()
        self._told_to_wait = False
        self._losses = 0
        self.broken: KharnessError | None = None
        self.came_up = False
        self.can_fork = True

    @property
    def accel(self) -> Accel | None:
        """The accelerator; None before :meth:`prepare`."""
        return self._prepared.accel if self._prepared else None

    def shape(self, cpus: int, memory_mib: int) -> Shape:
        """The shape of a guest that needs so much at least."""
        return Shape(max(self._least.cpus, cpus), max(self._least.memory_mib, memory_mib))

    async def prepare(self) -> AccelChoice:
        """Makes the initramfs and finds the accelerator; once.

        Raises:
            KharnessError: what is missing, or that the kernel does not come up.
        """
        async with self._preparing:
            if self._prepared is None:
                self._initramfs = await asyncio.to_thread(
                    store_initramfs,
                    self._programs,
                    busybox=None if self._files else find_busybox(),
                    more=self._files,
                )
                try:
                    self._prepared = await self._choose()
                except KharnessError as error:
                    self.broken = error
                    raise
                if self._prepared.reason:
                    self._note(f"{self.kernel.name}: using TCG; {self._prepared.reason}")
        return self._prepared

    async def _choose(self) -> AccelChoice:
        asked = self._settings.accel
        if asked != "auto":
            return AccelChoice(Accel(asked))
        launch = self._launch(self._least, Accel.TCG)
        return await choose_accel(self._settings.qemu, launch, limits=self._settings.limits)

    def _launch(self, shape: Shape, accel: Accel) -> Launch:
        assert self._initramfs is not None
        return Launch(
            *(self.kernel, self._initramfs, accel, channel_for(self.kernel), shape),
            standby=tuple(sorted(self._programs)[:STANDBY_LIMIT]),
        )

    # Booting

    async def boot(
        self, shape: Shape, console: Console, *, kept: bool = False
    ) -> tuple[Guest, Ticket]:
        """A guest that boots; both are the caller's to close and release.

        Args:
            shape: of the guest.
            console: takes what the kernel prints.
            kept: see :meth:`harness.vm.admission.Admission.admit`.

        Raises:
            KharnessError: it does not come up.
        """
        assert self._prepared is not None
        ticket = await self.admission.admit(shape.memory_mib, self._waits, kept=kept)
        launch = self._launch(shape, self._prepared.accel)
        qemu, limits = self._settings.qemu.path, self._settings.limits
        try:
            guest = await self._booted(lambda: Guest.boot(qemu, launch, console, limits))
        except BaseException:
            ticket.release()
            raise
        ticket.guest(guest.machine.pid)
        return guest, ticket

    async def _booted(self, boot: Callable[[], Awaitable[T]]) -> T:
        """What came of booting; once more where a boot that failed says nothing for certain."""
        assert self._prepared is not None
        emulated = self._prepared.accel is Accel.TCG
        losses = failures = 0
        while True:
            try:
                booted = await boot()
            except (QemuEndedError, GuestError) as error:
                losses += 1
                if losses == BOOTS:
                    raise
                why = error.what
            except (BootPanicError, BootStallError) as error:
                failures += 1
                # With KVM a kernel that stalls is the kernel's doing, and costs minutes each time.
                if failures == FAILURES or (isinstance(error, BootStallError) and not emulated):
                    raise
                why = error.what
            else:
                self.came_up = True
                return booted
            self._note(f"{self.kernel.name}: booting once more: {why}")

    def _waits(self, words: str) -> None:
        if not self._told_to_wait:
            self._told_to_wait = True
            self._note(words)

    # Forking

    async def fork(self, shape: Shape, *, ahead: bool) -> Fork | None:
        """A fork; None when this QEMU cannot.

        Args:
            shape: of the guest.
            ahead: make the next one already.

        Raises:
            KharnessError: it does not come up.
        """
        pool = await self.pool(shape)
        if pool is None:
            return None
        try:
            fork = await pool.take()
        except (GuestError, QemuEndedError):
            # Once more from a template made anew: this one may have been damaged.
            await self.drop_pool(shape)
            pool = await self.pool(shape)
            if pool is None:
                raise
            fork = await pool.take()
        if ahead:
            pool.prepare()
        return fork

    async def pool(self, shape: Shape, *, kept: bool = False) -> Pool | None:
        """Forks for ``shape``, from a template that is made now if there is none.

        Args:
            shape: of the guests.
            kept: see :meth:`harness.vm.admission.Admission.admit`.

        Returns:
            None when this QEMU cannot fork.

        Raises:
            KharnessError: the template cannot be made; what that says of the kernel is in
                ``broken``.
        """
        if self._is_settled(shape):
            return self._pools.get(shape) if self.can_fork else None
        # Memory first: who waits for it has no lock that others wait for.
        ticket = await self.admission.admit(shape.memory_mib, self._waits, kept=kept)
        try:
            async with self._template_locks.setdefault(shape, asyncio.Lock()):
                if not self._is_settled(shape):
                    await self._make_pool(shape)
                return self._pools.get(shape) if self.can_fork else None
        finally:
            ticket.release()

    def _is_settled(self, shape: Shape) -> bool:
        """Whether there are forks for ``shape``, or will never be any."""
        if self.can_fork and self.broken:
            raise type(self.broken)(self.broken.what, detail="(as for the case before)")
        return not self.can_fork or shape in self._pools

    async def _make_pool(self, shape: Shape) -> None:
        template = await self._made_template(shape)
        if template is not None:
            self._pools[shape] = Pool(
                *(template, self.admission, self._waits),
                note=lambda words: self._note(f"{self.kernel.name}: {words}"),
            )

    async def _give_up_spares(self) -> bool:
        """Drops forks that were made ahead; tells whether there were any."""
        return any([await pool.close() for pool in list(self._pools.values())])

    async def drop_pool(self, shape: Shape) -> None:
        """Forgets a template, so that it is checked, and made anew if it is damaged."""
        pool = self._pools.pop(shape, None)
        if pool:
            await pool.close()

    async def _made_template(self, shape: Shape) -> Template | None:
        assert self._prepared is not None
        launch = self._launch(shape, self._prepared.accel)
        self._hold(template_key(self._settings.qemu, launch))
        try:
            template = await self._template(launch, self._consoles.path(boot_name(shape)))
        except CannotFork as error:
            self._note(f"{self.kernel.name}: booting for every case; no fork: {error}")
            self.can_fork = False
            return None
        except KharnessError as error:
            if self._is_final(error):
                self.broken = error
            raise
        self._losses = 0
        self._tell_of_boot(template.folder / BOOT_LOG)
        return template

    def _is_final(self, error: KharnessError) -> bool:
        """Whether no further case boots: a kernel that never came up is not booted again.

        A QEMU that was lost says nothing of the next one, but for a host where all are.
        """
        if isinstance(error, QemuEndedError | GuestError):
            self._losses += 1
            return self._losses >= LOSSES
        return not self.came_up

    async def _template(self, launch: Launch, log: Path | None) -> Template:
        """The template; what a boot printed that failed is kept beside the log of the next one."""
        console = Console(log)

        async def boot() -> Template:
            nonlocal console
            if console.total and log:
                log.replace(log.with_name(f"{log.stem}-failed{log.suffix}"))
                console = Console(log)
            return await obtain_template(
                *(self._settings.qemu, launch, console, self._settings.limits),
                limit_mib=self._settings.cache_limit_mib,
            )

        template = await self._booted(boot)
        if log and not console.total:  # booted by an earlier run
            with contextlib.suppress(OSError):
                log.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(template.folder / BOOT_LOG, log)
        return template

    def _hold(self, key: str) -> None:
        """Keeps a template from being evicted, until the end; once, however often it is made."""
        if key not in self._held_keys:
            self._held.enter_context(template_in_use(key))
            self._held_keys.add(key)

    def _tell_of_boot(self, log: Path) -> None:
        """What the kernel said while booting belongs to no case, and is not to be lost."""
        with contextlib.suppress(OSError):
            found = find_splats(decode(log.read_bytes()))
            found, _ = apply_expectations(found, self._settings.expect, self.kernel.release)
            splat = worst(found)
            if splat is not None:
                self._note(f"{self.kernel.name}: while booting: {splat.title}")

    # For Python tests

    async def open_guest(
        self, name: str, cpus: int, memory_mib: int, *, boot: bool, doubt: bool = False
    ) -> Fork:
        """A guest for a Python test, which closes it.

        Args:
            name: of its console's file.
            cpus: what it needs at least.
            memory_mib: the same.
            boot: boot it; otherwise it is forked where that can be done.
            doubt: look at the saved template anew: a guest of it was lost.

        Returns:
            The guest; the capture has its console from the first byte on.

        Raises:
            KharnessError: it does not come up.
        """
        if self.broken:
            raise self.broken
        await self.prepare()
        shape = self.shape(cpus, memory_mib)
        boot = boot or self._settings.isolation is Isolation.BOOT
        if doubt:
            await self.drop_pool(shape)
        pool = None if boot else await self.pool(shape, kept=True)
        path = self._consoles.path(name)
        if pool is None:
            console = Console(path)
            capture = console.begin()
            guest, ticket = await self.boot(shape, console, kept=True)
            return Fork(guest, capture, ticket)
        fork = await pool.take(kept=True)
        try:
            if path:
                fork.guest.machine.console.store_in(path, fork.capture)
            await fork.guest.agent.sync()
        except BaseException:
            await fork.close()
            raise
        return fork

    async def close(self) -> None:
        """Drops what nobody took, and gives templates back."""
        while self._pools:
            _, pool = self._pools.popitem()
            await pool.close()
        self._held.close()


def boot_name(shape: Shape) -> str:
    """What the console of a template's boot is called."""
    return f"boot-{shape.cpus}x{shape.memory_mib}"
