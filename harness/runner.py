# SPDX-License-Identifier: GPL-2.0-only
"""Runs cases on one kernel: a guest for each, and what became of it as a result."""

import asyncio
import shlex
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from harness.attempt import Trial, attempt_case
from harness.cases.case import Abi, Case, CaseKind
from harness.cases.needs import cannot_run, config_unknown
from harness.choice import random_bytes
from harness.console_files import ConsoleFiles
from harness.decode import Decoder
from harness.errors import HostError, KernelError, KharnessError
from harness.judging import Rules, judged
from harness.kernel_guests import KernelGuests, boot_name
from harness.kernels.kernel import Kernel
from harness.lost import with_evidence
from harness.runner_settings import Isolation, RunnerSettings
from harness.shared_guests import SharedGuest, SharedGuests
from harness.suites.guest import reproducing, reproducing_environment
from harness.suites.kunit import kunit_result
from harness.verdict.outcome import Outcome, Result
from harness.vm.admission import Admission
from harness.vm.console import Capture, Console
from harness.vm.guest import Guest
from harness.vm.initramfs import File
from harness.vm.pool import Fork
from harness.vm.qemu import Accel, Shape

TCG_FACTOR = 4.0
"""Emulation is slower than what a suite's limits are made for; a choice, no measurement."""
STEM_LIMIT = 150
"""Characters of a case's name in a file's; with a try's number it is no name that is cut."""


class KernelRunner:
    """Everything that belongs to one kernel in one run. All of it happens in the VM loop.

    Attributes:
        kernel: the kernel.
        guests: where its guests come from.
        consoles: where their consoles are stored.
        queued: cases that wait for their turn.

    Args:
        kernel: the kernel.
        programs: absolute path in the guest to program on the host.
        settings: how cases are run.
        note: takes a line that the user should see once.
        files: further files of the guest: suites of others, and what they need, busybox included.
        admission: see :class:`harness.kernel_guests.KernelGuests`.
    """

    def __init__(
        self,
        kernel: Kernel,
        programs: Mapping[str, Path],
        settings: RunnerSettings,
        note: Callable[[str], None],
        *,
        files: Mapping[str, File] | None = None,
        admission: Admission | None = None,
    ) -> None:
        self.kernel = kernel
        self.consoles = ConsoleFiles(settings.consoles, kernel.name)
        self.guests = KernelGuests(
            *(kernel, programs, settings),
            consoles=self.consoles,
            note=note,
            files=files,
            admission=admission,
        )
        self._settings = settings
        self._note = note
        self._told_of_config = False
        self._decoder = Decoder(kernel.vmlinux)
        self._shared = SharedGuests(self.guests, self.consoles, settings.worker)
        self.queued = 0

    async def run(self, case: Case, number: int = 1, *, doubt: bool = False) -> Result:
        """Runs one case. Whatever happens, there is a result.

        Args:
            case: the case.
            number: of the try, from 1.
            doubt: look at the saved template anew: a guest of it was lost.
        """
        start = time.monotonic()
        base = self._base(case)
        reason = cannot_run(case, self.kernel)
        if reason:
            return replace(base, outcome=Outcome.SKIP, message=reason)
        if case.call and case.call.problem:
            return replace(base, message=case.call.problem)
        if case.needs.config and not self.kernel.config.known and not self._told_of_config:
            self._told_of_config = True
            self._note(config_unknown(self.kernel))
        broken = self.guests.broken
        if broken:
            result = replace(base, message=broken.what, detail="(as for the case before)")
            cause = {"cause": "kernel"} if isinstance(broken, KernelError) else {}
            return replace(result, extra=cause)
        try:
            choice = await self.guests.prepare()
            base = replace(base, accel=choice.accel.value)
            if choice.reason:
                base = replace(base, extra={"accel_reason": choice.reason})
            if doubt:
                await self.guests.drop_pool(self._shape(case))
            # What is made once for many cases is no case's time.
            if self._isolation_of(case) is Isolation.FORK:
                await self.guests.pool(self._shape(case))
            start, base = time.monotonic(), replace(base, started=_now())
            result = await self._in_a_guest(case, base, number)
        except (KharnessError, OSError, MemoryError) as raised:
            result = self._failed(base, _as_ours(raised))
        return result if result.duration_s else replace(result, duration_s=_since(start))

    def _base(self, case: Case) -> Result:
        """What is known of a result beforehand."""
        how = f"{self.kernel.options}--kernel {shlex.quote(self.kernel.spec)}"
        how += f" --abi {case.abi.value}" if case.abi is not Abi.NATIVE else ""
        how += reproducing(case.call) if case.call else ""
        before = reproducing_environment(case.call) if case.call else ""
        how += " --kunit" if case.kind is CaseKind.KUNIT else ""
        # Quoted whether it must be or not: most shells take `[` and `:` for something.
        node = case.node.replace("'", "'\"'\"'")
        return Result(
            case=case.node,
            classname=case.classname,
            name=case.name,
            kernel=self.kernel.name,
            outcome=Outcome.ERROR,
            file=str(case.source),
            line=case.line,
            started=_now(),
            isolation=self._isolation_of(case).value,
            reproduce=f"{before}kharness run {how} '{node}'",
            worker=self._settings.worker,
        )

    def _failed(self, base: Result, error: KharnessError) -> Result:
        """The result of a case that had no guest."""
        if isinstance(error, KernelError) and not self.guests.came_up:
            self.guests.broken = error
        detail = "\n".join(part for part in (error.hint, error.detail) if part)
        result = replace(base, message=error.what, detail=detail)
        if isinstance(error, KernelError):
            return replace(result, extra={**result.extra, "cause": "kernel"})
        if not self.guests.broken:
            return replace(result, extra={**result.extra, "cause": "guest"})
        return result

    def _shape(self, case: Case) -> Shape:
        return self.guests.shape(case.needs.cpus, case.needs.memory_mib)

    def _isolation_of(self, case: Case) -> Isolation:
        """The stronger of what the run has and what the case asks for, as far as QEMU can."""
        order = (Isolation.SHARED, Isolation.FORK, Isolation.BOOT)
        asked = Isolation(case.needs.isolate or Isolation.SHARED)
        stronger = max(self._settings.isolation, asked, key=order.index)
        if stronger is Isolation.FORK and not self.guests.can_fork:
            return Isolation.BOOT
        return stronger

    # In a guest

    async def _in_a_guest(self, case: Case, base: Result, number: int) -> Result:
        if case.kind is CaseKind.KUNIT:
            return await self._booted(case, base)
        shape, isolation = self._shape(case), self._isolation_of(case)
        name = _file_name(case, number)
        if isolation is Isolation.SHARED:
            async with self._shared.turn(shape) as shared:
                # Nor is it a case's time that others took before its turn.
                start, base = time.monotonic(), replace(base, started=_now())
                result = await self._shared_run(shared, case, base, name)
                return replace(result, duration_s=_since(start))
        path = self.consoles.path(name)
        if isolation is Isolation.FORK:
            ahead = self._settings.ahead and bool(self.queued)
            fork = await self.guests.fork(shape, ahead=ahead)
            if fork:
                entropy = random_bytes(self._settings.seed, case.node, self.kernel.name, number)
                return await self._run_and_drop(fork, case, base, name, entropy=entropy, path=path)
        console = Console(path)
        guest, ticket = await self.guests.boot(shape, console)
        fork = Fork(guest, console.begin(), ticket)
        base = replace(base, isolation=Isolation.BOOT.value)
        return await self._run_and_drop(fork, case, base, name)

    async def _run_and_drop(
        self,
        fork: Fork,
        case: Case,
        base: Result,
        name: str,
        *,
        entropy: bytes | None = None,
        path: Path | None = None,
    ) -> Result:
        """Runs the case and drops its guest, whose console is stored in ``path`` from now on."""
        machine = fork.guest.machine
        try:
            if path:
                machine.console.store_in(path, fork.capture)
            trial = await self._attempt(fork.guest, case, fork.capture, name, entropy)
        finally:
            await fork.close()
        result = with_evidence(self._judged(case, base, trial, machine.console), trial, machine)
        return await self._decoded(result)

    async def _shared_run(self, shared: SharedGuest, case: Case, base: Result, name: str) -> Result:
        machine = shared.guest.machine
        trial = await self._attempt(shared.guest, case, machine.console.begin(), name, None)
        if not trial.usable:
            await self._shared.drop(self._shape(case))
        result = with_evidence(self._judged(case, base, trial, machine.console), trial, machine)
        result = await self._decoded(result)
        if not result.outcome.good and shared.before:
            result = _noted(result, f"ran before it in this guest: {', '.join(shared.before)}")
        shared.before.append(case.name)
        return result

    async def _booted(self, case: Case, base: Result) -> Result:
        """The KUnit tests of this kernel's boot: the template's, or of one made for it."""
        shape = self._shape(case)
        name = boot_name(shape)
        path = self.consoles.path(name)
        forks = self._isolation_of(case) is Isolation.FORK
        if forks and await self.guests.pool(shape) and path:
            log = await asyncio.to_thread(path.read_bytes)
        else:
            console = Console(self.consoles.path(f"{name}-kunit"))
            capture = console.begin()
            guest, ticket = await self.guests.boot(shape, console)
            try:
                log = console.end(capture)
            finally:
                await guest.close()
                ticket.release()
            path = console.path
        result = kunit_result(
            *(base, log, self.consoles.relative(path) if path else ""),
            release=self.kernel.release,
            rules=self._rules(case),
        )
        return await self._decoded(result)

    async def _attempt(
        self, guest: Guest, case: Case, capture: Capture, name: str, entropy: bytes | None
    ) -> Trial:
        """Runs the case; with ``entropy``, the guest's clock is set and its generator fed first."""
        settle_s = self._settings.settle_s if case.settle_s is None else case.settle_s
        return await attempt_case(
            guest,
            case,
            capture,
            timeout_s=self._timeout_s(case),
            settle_s=settle_s,
            dropped=self._isolation_of(case) is not Isolation.SHARED,
            sync=entropy,
            dumps=self._settings.dumps,
            name=name,
            factor=self._factor(),
        )

    # What became of it

    async def _decoded(self, result: Result) -> Result:
        """The result with call traces as files and lines, where the kernel's vmlinux tells them."""
        if not result.splats:
            return result
        splats = await asyncio.to_thread(self._decoder.decode, result.splats)
        return replace(result, splats=splats)

    def _judged(self, case: Case, base: Result, trial: Trial, console: Console) -> Result:
        stored = console.path if console.path and console.total else None
        base = replace(base, console_file=self.consoles.relative(stored) if stored else "")
        if trial.dump:
            base = replace(base, files={**base.files, "dump": self.consoles.relative(trial.dump)})
        result = judged(case, base, trial, kernel=self.kernel, rules=self._rules(case))
        if console.problem:
            result = _noted(result, f"its console could not be stored whole: {console.problem}")
        return result

    def _rules(self, case: Case) -> Rules:
        return Rules(self._timeout_s(case), self._settings.warn, self._settings.expect)

    def _timeout_s(self, case: Case) -> float:
        if case.call and case.timeout_s:
            return case.timeout_s * self._factor()
        return case.timeout_s or self._settings.timeout_s

    def _factor(self) -> float:
        """A suite's own limits are made for real hardware."""
        slow = self.guests.accel is Accel.TCG
        return self._settings.timeout_factor or (TCG_FACTOR if slow else 1.0)

    async def close(self) -> None:
        """Drops every guest and gives templates back."""
        await self._shared.close()
        await self.guests.close()


def _noted(result: Result, note: str) -> Result:
    """The result with one more line that a reader should see."""
    return replace(result, detail=f"{result.detail}\n{note}".strip())


def _file_name(case: Case, number: int) -> str:
    """Of what is kept of a try."""
    name = f"{case.classname}.{case.name}"[:STEM_LIMIT]
    return name + (f".try{number}" if number > 1 else "")


def _now() -> str:
    return datetime.now().astimezone().isoformat(timespec="milliseconds")


def _since(start: float) -> float:
    return round(time.monotonic() - start, 6)


def _as_ours(error: KharnessError | OSError | MemoryError) -> KharnessError:
    """What the host has run out of (memory, descriptors, processes), as an error of ours."""
    if isinstance(error, KharnessError):
        return error
    words = error.strerror if isinstance(error, OSError) else "out of memory"
    return HostError(f"the host could not do its part: {words or error}")
