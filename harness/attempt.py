# SPDX-License-Identifier: GPL-2.0-only
"""One attempt at a case in a guest that is up: waits for its end, its trouble or its time limit."""

import asyncio
import contextlib
import re
from dataclasses import dataclass, field, replace
from pathlib import Path

from qemu.qmp import ExecuteError

from harness.cases.case import USUAL_ENV, Call, Case
from harness.errors import GuestError
from harness.live import GOES_ON_S, Watch, report_is_complete
from harness.verdict.taint import troubling
from harness.vm.agent import AgentRefusal, RunReport
from harness.vm.console import Capture
from harness.vm.diagnose import Diagnosis, Hang, diagnose, interrupt
from harness.vm.dump import DumpError, DumpPolicy, dump
from harness.vm.guest import Guest
from harness.vm.protocol import Run, RunFlags

DYING_S = 2.0
"""A guest that was lost has this long to finish what it prints."""
MARK_S = 2.0
"""A console has so long to print what the kernel said; a case may have turned it off."""
LAST_S = 0.1
"""What a guest that has ended wrote before is read in so long."""


class StoppedByReport(GuestError):  # noqa: N818 - an observation, judged by the caller
    """A report of the kernel ended the wait for the case."""


@dataclass(frozen=True)
class Trial:
    """What one attempt brought.

    Attributes:
        report: what the agent reported of the end, or why there is no report.
        printed: what the console printed for the case; without answers to what was asked of a
            guest that hangs.
        said: what the case wrote to stdout and stderr, as far as it came.
        turned_to: the agent had set its guest going, and came as far as the case.
        diagnosis: of a guest that hung.
        end_reason: why the guest ended by itself, in QEMU's words; empty when it did not.
        exit_words: how QEMU ended by itself, in words; empty when it did not.
        dump: file with the guest's memory, or None.
        no_dump: why there is none though one was asked for.
        evidence: by name.
    """

    report: RunReport | Exception
    printed: bytes = b""
    said: tuple[bytes, bytes] = (b"", b"")
    turned_to: bool = True
    diagnosis: Diagnosis | None = None
    end_reason: str = ""
    exit_words: str = ""
    dump: Path | None = None
    no_dump: str = ""
    evidence: dict[str, str] = field(default_factory=dict)

    @property
    def usable(self) -> bool:
        """The guest may run a further case.

        Not after one that was killed: what it would have put back, such as a sysctl, is not.
        """
        report = self.report
        return isinstance(report, RunReport) and not (report.exited.stuck or report.timed_out)


def guest_path(case: Case) -> str:
    """Where a case's program lies in the guest."""
    return f"/case/{case.classname}"


def call_of(call: Call, flags: RunFlags, factor: float) -> Run:
    """A program of somebody else's: it may write where it lies, and its two outputs are one."""
    flags |= RunFlags.WRITABLE_ROOT | RunFlags.MERGED
    env = (*(call.env or USUAL_ENV), f"LTP_TIMEOUT_MUL={max(1.0, factor):g}")
    return Run(call.argv, env, call.cwd, flags & ~RunFlags.STANDBY)


async def attempt_case(
    guest: Guest,
    case: Case,
    capture: Capture,
    *,
    timeout_s: float,
    settle_s: float,
    dropped: bool,
    sync: bytes | None,
    dumps: DumpPolicy,
    name: str,
    factor: float = 1.0,
) -> Trial:
    """Runs a case in a guest.

    Args:
        guest: it is up.
        case: what to run.
        capture: of the guest's console; it is closed when this returns.
        timeout_s: its time limit in seconds.
        settle_s: seconds after its end in which the kernel may still report.
        dropped: the guest is dropped afterwards.
        sync: the guest comes from a template: set its clock, and reseed it with these bytes.
        dumps: when its memory is dumped.
        name: of this attempt, for its files.
        factor: how much slower than usual the guest is, for programs with limits of their own.
    """
    flags = RunFlags.DISPOSABLE | RunFlags.STANDBY if dropped else RunFlags.NONE
    run = Run((guest_path(case), case.name), flags=flags, settle_ms=round(settle_s * 1000))
    if case.call:
        run = replace(call_of(case.call, flags, factor), settle_ms=run.settle_ms)
    attempt = _Attempt(guest, case, capture, dumps, name)
    try:
        return await attempt.run(run, timeout_s + settle_s, sync=sync)
    finally:
        guest.machine.console.end(attempt.capture)


class _Attempt:
    def __init__(
        self, guest: Guest, case: Case, capture: Capture, dumps: DumpPolicy, name: str
    ) -> None:
        self.guest, self.capture, self.dumps, self.name = guest, capture, dumps, name
        self.machine, self.console = guest.machine, guest.machine.console
        self.watch = Watch(case)
        self.before = b""
        self.diagnosis: Diagnosis | None = None
        self.hangs = self.ending = False
        self.dump: Path | None = None
        self.no_dump = ""
        self.evidence: dict[str, str] = {}

    async def run(self, run: Run, limit_s: float, *, sync: bytes | None) -> Trial:
        if self.dumps.when != "never":
            # What has reset is kept, paused, with its memory (QEMU 6.0 and later).
            with contextlib.suppress(ExecuteError):
                await self.machine.execute("set-action", {"shutdown": "pause"})
        with self.console.watched(self.watch):
            report = await self._wait(run, limit_s, sync=sync)
        if isinstance(report, RunReport) and report.mark:
            await self.console.until(self.capture, report.mark, MARK_S)
        if self.dumps.when != "never" and self._is_trouble(report):
            await self._dump()
        return Trial(
            report,
            self.before + self.console.end(self.capture),
            self.guest.agent.said,
            self.guest.agent.turned_to,
            self.diagnosis,
            self.machine.end_reason,
            self.machine.exit_words() if self.machine.gone.is_set() else "",
            self.dump,
            self.no_dump,
            self.evidence,
        )

    async def _wait(self, run: Run, limit_s: float, *, sync: bytes | None) -> RunReport | Exception:
        running = asyncio.ensure_future(
            self.guest.agent.run(run, timeout_s=limit_s, sync=sync, on_timeout=self._on_timeout)
        )
        seen = asyncio.ensure_future(self.watch.seen.wait())
        ended = asyncio.ensure_future(self.machine.ended())
        try:
            await asyncio.wait({running, seen, ended}, return_when=asyncio.FIRST_COMPLETED)
            if not running.done() and self.hangs:
                await asyncio.wait({running})
            if not running.done() and not ended.done():
                # The report's end, and the case's own words: it may live on for a moment.
                self.ending = True
                both = {running, ended}
                await asyncio.wait(both, timeout=GOES_ON_S, return_when=asyncio.FIRST_COMPLETED)
            if not running.done() and ended.done():
                self.ending = True
                await asyncio.wait({running}, timeout=LAST_S)
            if running.done():
                return await self._report(running)
            if not ended.done():
                await report_is_complete(self.console)
                return StoppedByReport("a report of the kernel ended the wait")
            await self.console.quiet(LAST_S, DYING_S)
            return GuestError("the guest ended")
        finally:
            for task in (running, seen, ended):
                task.cancel()
            await asyncio.gather(running, seen, ended, return_exceptions=True)

    async def _report(self, running: "asyncio.Future[RunReport]") -> RunReport | Exception:
        try:
            return running.result()
        except AgentRefusal as refusal:
            return refusal
        except GuestError as error:
            if not self.hangs:
                # A dying kernel is still printing: wait for its end.
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self.machine.ended(), DYING_S)
                if self.machine.gone.is_set():
                    await self.machine.drain()
            return error

    async def _on_timeout(self) -> bool:
        """The case's time is up; True when killing it is of use."""
        if self.ending:
            return False
        self.hangs = True
        self.watch.close()
        self.before = self.console.end(self.capture)
        found = self.diagnosis = await diagnose(self.guest)
        self.evidence.update(found.evidence)
        if self.dumps.when != "never" and found.hang is not Hang.DEAD:
            await self._dump()
        if found.hang in (Hang.DEAF, Hang.SILENT):
            words = await interrupt(self.machine)
            if words.strip():
                self.evidence["non-maskable interrupt"] = words
        self.capture = self.console.begin()
        return found.answers and found.hang in (Hang.SLEEP, Hang.USER_SPIN)

    def _is_trouble(self, report: RunReport | Exception) -> bool:
        """Whether the kernel is unwell, as far as can be told before the guest is dropped."""
        if self.hangs or isinstance(report, AgentRefusal):
            return False
        if isinstance(report, RunReport):
            return bool(self.watch.noted or troubling(report.exited.new_taint))
        return True

    async def _dump(self) -> None:
        kernel = self.machine.launch.kernel.name
        name = re.sub(r"[^\w.+-]+", "-", self.name)
        try:
            self.dump = await dump(self.machine, self.dumps, f"{kernel}/{name}")
        except DumpError as error:
            self.no_dump = str(error)
