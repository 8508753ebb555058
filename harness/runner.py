# SPDX-License-Identifier: GPL-2.0-only
"""Runs cases on one kernel: prepares guests, runs a case in one, and says what became of it."""

import asyncio
import contextlib
import re
import shutil
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from harness.cache import cache_root, digest, locked, replacing
from harness.cases.case import Case
from harness.cases.needs import unmet
from harness.errors import GuestError, KernelError, KharnessError
from harness.host import Qemu, find_busybox
from harness.kernels.kernel import Kernel
from harness.verdict.console import Severity, Splat, find_splats
from harness.verdict.judge import judge
from harness.verdict.outcome import Outcome, Result, Verdict
from harness.verdict.text import decode
from harness.vm.accel import AccelChoice, choose_accel
from harness.vm.admission import Admission, Ticket
from harness.vm.agent import AgentRefusal, RunReport
from harness.vm.console import Capture, Console
from harness.vm.guest import BootLimits, Guest
from harness.vm.initramfs import agent_initramfs
from harness.vm.pool import Fork, Pool
from harness.vm.protocol import Run, RunFlags
from harness.vm.qemu import Accel, Launch, Shape, channel_for
from harness.vm.template import BOOT_LOG, CannotFork, obtain_template, template_in_use, template_key

STANDBY_LIMIT = 64
"""Programs that stand by in a template; the agent has room for so many (images/agent/job.h)."""
MARK = re.compile(r"[^\n]*kharness: end of job \d+[^\n]*\n?")
MARK_S = 2.0
"""A console has so long to print what the kernel said; a case may have turned it off."""
SETTLE_S = 2.0
"""A guest that was lost has this long to finish what it prints."""


class Isolation(StrEnum):
    """What a case shares with the cases before it."""

    FORK = "fork"
    BOOT = "boot"
    SHARED = "shared"


@dataclass(frozen=True)
class RunnerSettings:
    """How cases are run.

    Attributes:
        qemu: which QEMU.
        accel: ``auto``, ``kvm`` or ``tcg``.
        isolation: see :class:`Isolation`.
        timeout_s: a case's time limit in seconds, unless it has its own.
        limits: bounds of a boot.
        shape: the guest's size, unless a case needs more.
        consoles: folder for console files, or None to keep none.
        worker: name of this worker.
        ahead: make a fork for the next case while one runs.
        cache_limit_mib: what templates may take, in MiB.
    """

    qemu: Qemu
    accel: str = "auto"
    isolation: Isolation = Isolation.FORK
    timeout_s: float = 60.0
    limits: BootLimits = field(default_factory=BootLimits)
    shape: Shape = field(default_factory=Shape)
    consoles: Path | None = None
    worker: str = "main"
    ahead: bool = False
    cache_limit_mib: int = 2048


def guest_path(case: Case) -> str:
    """Where a case's program lies in the guest."""
    return f"/case/{case.classname}"


def store_initramfs(programs: Mapping[str, Path], *, busybox: Path | None = None) -> Path:
    """The initramfs with the agent and ``programs``, in the cache under a name by its content.

    Args:
        programs: absolute path in the guest to program on the host.
        busybox: a static busybox to bring along.
    """
    data = agent_initramfs(sorted(programs.items()), busybox)
    path = cache_root() / "initramfs" / f"{digest(data)[:32]}.cpio"
    if not path.exists():
        with locked(path), replacing(path) as temporary:
            temporary.write_bytes(data)
    return path


class KernelRunner:
    """Everything that belongs to one kernel in one run. All of it happens in the VM loop.

    Attributes:
        queued: cases that wait for their turn.

    Args:
        kernel: the kernel.
        programs: absolute path in the guest to program on the host.
        settings: how cases are run.
        note: takes a line that the user should see once.
    """

    def __init__(
        self,
        kernel: Kernel,
        programs: Mapping[str, Path],
        settings: RunnerSettings,
        note: Callable[[str], None],
    ) -> None:
        self.kernel = kernel
        shape = settings.shape
        self._least = Shape(shape.cpus, max(shape.memory_mib, kernel.memory_mib))
        self._programs = programs
        self._settings = settings
        self._note = note
        self._isolation = settings.isolation
        self._prepared: AccelChoice | None = None
        self._broken: KharnessError | None = None
        self._initramfs: Path | None = None
        self._preparing = asyncio.Lock()
        self._admission = Admission()
        self._pools: dict[Shape, Pool] = {}
        self._template_locks: dict[Shape, asyncio.Lock] = {}
        self._shared: dict[Shape, tuple[Guest, Ticket, list[str]]] = {}
        self._shared_lock = asyncio.Lock()
        self._shared_count = 0
        self._held = ExitStack()
        self._cannot_fork = False
        self._told_to_wait = False
        self.queued = 0

    async def prepare(self) -> AccelChoice:
        """Makes the initramfs and finds the accelerator; once.

        Raises:
            KharnessError: what is missing, or that the kernel does not come up.
        """
        async with self._preparing:
            if self._prepared is None:
                self._initramfs = await asyncio.to_thread(
                    store_initramfs, self._programs, busybox=find_busybox()
                )
                try:
                    self._prepared = await self._choose()
                except KharnessError as error:
                    self._broken = error
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

    async def run(self, case: Case) -> Result:
        """Runs one case. Whatever happens, there is a result."""
        started = datetime.now().astimezone()
        start = time.monotonic()
        how = f"{self.kernel.options}--kernel {self.kernel.spec}"
        base = Result(
            case=case.node,
            classname=case.classname,
            name=case.name,
            kernel=self.kernel.name,
            outcome=Outcome.ERROR,
            file=str(case.source),
            line=case.line,
            started=started.isoformat(timespec="milliseconds"),
            isolation=self._isolation_of(case).value,
            reproduce=f"kharness run {how} '{case.node}'",
            worker=self._settings.worker,
        )
        reason = unmet(case.needs, self.kernel)
        if reason:
            return replace(base, outcome=Outcome.SKIP, message=reason)
        if self._broken:
            result = replace(base, message=self._broken.what, detail="(as for the case before)")
            cause = {"cause": "kernel"} if isinstance(self._broken, KernelError) else {}
            return replace(result, extra=cause)
        try:
            choice = await self.prepare()
            base = replace(base, accel=choice.accel.value)
            if choice.reason:
                base = replace(base, extra={"accel_reason": choice.reason})
            # What is made once for many cases is no case's time.
            if self._isolation_of(case) is Isolation.FORK:
                await self._pool(self._shape(case))
            start = time.monotonic()
            result = await self._in_a_guest(case, base)
        except KharnessError as error:
            if isinstance(error, KernelError):
                self._broken = error
            detail = "\n".join(part for part in (error.hint, error.detail) if part)
            result = replace(base, message=error.what, detail=detail)
            if isinstance(error, KernelError):
                result = replace(result, extra={**result.extra, "cause": "kernel"})
        return replace(result, duration_s=round(time.monotonic() - start, 6))

    def _shape(self, case: Case) -> Shape:
        return Shape(
            max(self._least.cpus, case.needs.cpus),
            max(self._least.memory_mib, case.needs.memory_mib),
        )

    def _isolation_of(self, case: Case) -> Isolation:
        """The stronger of what the run has and what the case asks for."""
        order = (Isolation.SHARED, Isolation.FORK, Isolation.BOOT)
        asked = Isolation(case.needs.isolate or Isolation.SHARED)
        if asked is Isolation.FORK and self._cannot_fork:
            asked = Isolation.BOOT
        return max(self._isolation, asked, key=order.index)

    async def _in_a_guest(self, case: Case, base: Result) -> Result:
        isolation = self._isolation_of(case)
        if isolation is Isolation.SHARED:
            async with self._shared_lock:
                return await self._shared_run(case, base)
        if isolation is Isolation.FORK:
            pool = await self._pool(self._shape(case))
            if pool:
                try:
                    fork = await pool.take()
                except GuestError:
                    # Once more from a template made anew: this one may have been damaged.
                    self._pools.pop(self._shape(case), None)
                    pool = await self._pool(self._shape(case))
                    if pool is None:
                        raise
                    fork = await pool.take()
                if self._settings.ahead and self.queued:
                    pool.prepare()
                path = self._console_path(f"{case.classname}.{case.name}")
                if path:
                    fork.guest.machine.console.store_in(path, fork.capture)
                return await self._run_and_drop(fork, case, base, sync=True)
        console = Console(self._console_path(f"{case.classname}.{case.name}"))
        guest, ticket = await self._boot(self._shape(case), Accel(base.accel), console)
        fork = Fork(guest, console.begin(), ticket)
        base = replace(base, isolation=Isolation.BOOT.value)
        return await self._run_and_drop(fork, case, base, sync=False)

    async def _boot(self, shape: Shape, accel: Accel, console: Console) -> tuple[Guest, Ticket]:
        ticket = await self._admission.admit(shape.memory_mib, self._waits)
        try:
            guest = await Guest.boot(
                self._settings.qemu.path,
                self._launch(shape, accel),
                console,
                self._settings.limits,
            )
        except BaseException:
            ticket.release()
            raise
        ticket.guest(guest.machine.pid)
        return guest, ticket

    def _waits(self, words: str) -> None:
        if not self._told_to_wait:
            self._told_to_wait = True
            self._note(words)

    async def _pool(self, shape: Shape) -> Pool | None:
        """Forks for ``shape``, or None when this QEMU cannot fork."""
        lock = self._template_locks.setdefault(shape, asyncio.Lock())
        async with lock:
            if self._cannot_fork:
                return None
            if self._broken:
                raise KernelError(self._broken.what, detail="(as for the case before)")
            if shape not in self._pools:
                assert self._prepared is not None
                launch = self._launch(shape, self._prepared.accel)
                self._held.enter_context(template_in_use(template_key(self._settings.qemu, launch)))
                boot_log = self._console_path(f"boot-{shape.cpus}x{shape.memory_mib}")
                console = Console(boot_log)
                ticket = await self._admission.admit(shape.memory_mib, self._waits)
                try:
                    template = await obtain_template(
                        *(self._settings.qemu, launch, console, self._settings.limits),
                        limit_mib=self._settings.cache_limit_mib,
                    )
                except CannotFork as error:
                    self._note(f"{self.kernel.name}: booting for every case; no fork: {error}")
                    self._cannot_fork = True
                    if self._isolation is Isolation.FORK:
                        self._isolation = Isolation.BOOT
                    return None
                except KharnessError as error:
                    # A kernel that does not come up once is not booted again for every case.
                    self._broken = error
                    raise
                finally:
                    ticket.release()
                if boot_log and not console.total:  # booted by an earlier run
                    with contextlib.suppress(OSError):
                        boot_log.parent.mkdir(parents=True, exist_ok=True)
                        shutil.copyfile(template.folder / BOOT_LOG, boot_log)
                self._pools[shape] = Pool(template, self._admission, self._waits)
            return self._pools[shape]

    async def _run_and_drop(self, fork: Fork, case: Case, base: Result, *, sync: bool) -> Result:
        console = fork.guest.machine.console
        try:
            attempt = await self._attempt(fork.guest, case, sync=sync)
            await self._console_is_complete(console, fork.capture, attempt)
        finally:
            await fork.close()
        return self._judged(case, base, attempt, console, console.end(fork.capture))

    async def _console_is_complete(
        self, console: Console, capture: Capture, attempt: RunReport | Exception
    ) -> None:
        if isinstance(attempt, RunReport) and attempt.mark:
            await console.until(capture, attempt.mark, MARK_S)

    async def _shared_run(self, case: Case, base: Result) -> Result:
        shape = self._shape(case)
        if shape not in self._shared:
            self._shared_count += 1
            console = Console(self._console_path(f"{self._settings.worker}-{self._shared_count}"))
            self._shared[shape] = (*await self._boot(shape, Accel(base.accel), console), [])
        guest, ticket, before = self._shared[shape]
        console = guest.machine.console
        capture = console.begin()
        attempt = await self._attempt(guest, case, sync=False)
        await self._console_is_complete(console, capture, attempt)
        usable = isinstance(attempt, RunReport) and not attempt.exited.stuck
        if not usable:
            del self._shared[shape]
            await guest.close()
            ticket.release()
        result = self._judged(case, base, attempt, console, console.end(capture))
        if not result.outcome.good and before:
            note = f"ran before it in this guest: {', '.join(before[-5:])}"
            result = replace(result, detail=f"{result.detail}\n{note}".strip())
        before.append(case.name)
        return result

    async def _attempt(self, guest: Guest, case: Case, *, sync: bool) -> RunReport | Exception:
        timeout_s = case.timeout_s or self._settings.timeout_s
        dropped = self._isolation_of(case) is not Isolation.SHARED
        flags = RunFlags.DISPOSABLE | RunFlags.STANDBY if dropped else RunFlags.NONE
        run = Run((guest_path(case), case.name), flags=flags)
        try:
            return await guest.agent.run(run, timeout_s=timeout_s, sync=sync)
        except AgentRefusal as refusal:
            return refusal
        except GuestError as error:
            # A dying kernel is still printing: wait for its end.
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(guest.machine.gone.wait(), SETTLE_S)
            return error

    def _judged(
        self,
        case: Case,
        base: Result,
        attempt: RunReport | Exception,
        console: Console,
        printed: bytes,
    ) -> Result:
        timeout_s = case.timeout_s or self._settings.timeout_s
        text = MARK.sub("", decode(printed))
        splats = [s for s in find_splats(text) if s.severity is not Severity.INFO]
        if isinstance(attempt, RunReport):
            verdict = judge(
                name=case.name,
                stdout=attempt.stdout,
                stderr=attempt.stderr,
                wait_status=attempt.exited.status,
                killed_by_timeout=attempt.timed_out,
                timeout_s=timeout_s,
                truncated=attempt.truncated,
            )
            base = replace(
                base,
                stdout=decode(attempt.stdout),
                stderr=decode(attempt.stderr),
                user_s=attempt.exited.user_s,
                system_s=attempt.exited.system_s,
                maxrss_kib=attempt.exited.maxrss_kib,
            )
        elif isinstance(attempt, AgentRefusal):
            verdict = Verdict(Outcome.ERROR, f"the case did not start: {attempt}")
        else:
            verdict = _lost(attempt, timeout_s)
        verdict = _promised(verdict, case, self.kernel)
        if splats:
            verdict = _crashed(splats, verdict)
        stored = console.path if console.path and console.total else None
        return replace(
            base,
            outcome=verdict.outcome,
            message=verdict.message,
            detail=verdict.detail,
            file=verdict.file if "/" in verdict.file else base.file,
            line=verdict.line or base.line,
            console=text,
            console_file=self._relative(stored) if stored else "",
        )

    def _console_path(self, name: str) -> Path | None:
        if self._settings.consoles is None:
            return None
        return self._settings.consoles / self.kernel.name / f"{name}.log"

    def _relative(self, path: Path) -> str:
        assert self._settings.consoles is not None
        return str(path.relative_to(self._settings.consoles.parent))

    async def close(self) -> None:
        """Drops every guest and gives templates back."""
        for pool in self._pools.values():
            await pool.close()
        for guest, ticket, _ in self._shared.values():
            await guest.close()
            ticket.release()
        self._shared.clear()
        self._held.close()


def _promised(verdict: Verdict, case: Case, kernel: Kernel) -> Verdict:
    """A skip for want of what the kernel's recipe says it provides is a failure."""
    if verdict.outcome is Outcome.SKIP:
        for probe, _ in case.needs.probes:
            if probe in kernel.provides and re.match(
                rf"needs {re.escape(probe)}\b", verdict.message
            ):
                message = f"{kernel.spec} provides {probe}, and the kernel says no to it"
                return replace(verdict, outcome=Outcome.FAIL, message=message)
    return verdict


def _lost(error: Exception, timeout_s: float) -> Verdict:
    if "does not answer" in str(error):
        return Verdict(Outcome.TIMEOUT, f"no end after {timeout_s:g} s, and the guest hangs")
    return Verdict(Outcome.ERROR, f"the guest was lost without a word in its console: {error}")


def _crashed(splats: list[Splat], verdict: Verdict) -> Verdict:
    worst = splats[0]
    said = verdict.message or "it reported a pass"
    detail = f"beside it: {verdict.outcome.value}: {said}\n{verdict.detail}".strip()
    return replace(verdict, outcome=Outcome.CRASH, message=worst.title, detail=detail)
