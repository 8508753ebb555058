# SPDX-License-Identifier: GPL-2.0-only
"""A test's guest over its reboots: what happens in the VM loop when a test asks for something."""

import asyncio
import contextlib
import re
import time
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from qemu.qmp import ExecuteError

from harness.errors import GuestError
from harness.guests.expect import Expected, ReportSearch, judged_splats
from harness.guests.outcome import Death, GuestDied, GuestRefusal, Ran, TimedOut, command_words
from harness.guests.transcript import LineSearch, Mark, Transcript
from harness.host import find_busybox
from harness.kernels.kernel import Kernel
from harness.verdict.console import worst
from harness.verdict.expected import Expectation
from harness.verdict.splat import Severity, Splat
from harness.verdict.text import one_line
from harness.vm.agent import Agent, AgentRefusal
from harness.vm.machine import Machine
from harness.vm.pool import Fork
from harness.vm.protocol import Run

T = TypeVar("T")
Opener = Callable[[bool], Coroutine[Any, Any, Fork]]
"""Opens a guest: booted when the argument is True, else forked where that can be done."""

CRASH_S = 30.0
SYSRQ_S = 3.0
"""A kernel that takes SysRq over its serial line has said so by then."""
DYING_S = 2.0
"""A guest that was lost has this long to finish what it prints."""
MARK_S = 2.0
"""A console has so long to print what the kernel said while a program ran."""
CALM_S, REPORT_S = 0.3, 3.0
"""A report is complete when nothing comes for the one, or after the other; seconds."""
TAIL_LINES = 12
INPUT = "/run/kharness-input"
PANIC = re.compile(r"Kernel panic - not syncing: .*")


class GuestSession:
    """A guest and its console, over reboots. Everything happens in the VM loop.

    Attributes:
        transcript: of the console, over reboots.
        accel: ``kvm`` or ``tcg``.
        isolation: ``fork`` or ``boot``: how it was started first.
        file: the raw console on the host; empty when it printed nothing.

    Args:
        opener: opens a guest.
        kernel: what it runs.
        known: reports that harness.toml knows of.
    """

    def __init__(self, opener: Opener, kernel: Kernel, known: tuple[Expectation, ...] = ()) -> None:
        self._kernel = kernel
        self._known = known
        self.transcript = Transcript()
        self.accel = self.isolation = self.file = ""
        self._opener = opener
        self._expected: list[Expected] = []
        self._fork: Fork | None = None
        self._held = contextlib.ExitStack()
        self._started_at = Mark(0)
        self._killed = False

    async def start(self, *, boot: bool) -> None:
        """Starts the guest.

        Raises:
            KharnessError: it does not come up.
        """
        fork = self._fork = await self._opener(boot)
        machine = fork.guest.machine
        self._started_at = self.transcript.end
        self._killed = False
        self.accel = machine.launch.accel.value
        self.isolation = self.isolation or ("fork" if machine.launch.incoming else "boot")
        self.transcript.feed(machine.console.end(fork.capture))
        if not machine.launch.incoming:
            # As for C cases: what a kernel says while booting belongs to no test.
            first = self.transcript.line_at(self._started_at)
            self._expected.append(Expected("while booting", first, self.transcript.last_line()))
        self._held.enter_context(machine.console.watched(self.transcript.feed))
        wakes = asyncio.ensure_future(self._wake_at_end(machine))
        self._held.callback(wakes.cancel)

    async def _wake_at_end(self, machine: Machine) -> None:
        await machine.gone.wait()
        self.transcript.wake()

    async def stop(self) -> None:
        """Drops the guest, if there is one."""
        if self._fork is None:
            return
        fork, self._fork = self._fork, None
        try:
            await fork.close()
        finally:
            self._held.close()
            console = fork.guest.machine.console
            if console.path and console.total:
                self.file = str(console.path)
            self.transcript.wake()
            for expected in self._expected:
                if expected.last is None and expected.pattern is None:
                    expected.last = self.transcript.last_line()

    async def reboot(self) -> None:
        """A new boot of the same kernel."""
        await self.stop()
        await self.start(boot=True)

    def lives(self) -> bool:
        """The guest runs."""
        machine = self._fork.guest.machine if self._fork else None
        return bool(machine and not machine.gone.is_set() and not machine.end_reason)

    def _live(self, doing: str) -> Fork:
        if self._fork is None:
            raise GuestDied(f"{doing}: the guest was closed", Death.TEST)
        return self._fork

    async def run(
        self, shown: tuple[str, ...], wanted: Run, timeout_s: float, data: bytes | None
    ) -> Ran:
        """Runs a program; ``data`` is its standard input. See :meth:`GuestHandle.run`."""
        words = f"`{command_words(shown)}`"
        if data is not None:
            await self.asked(INPUT, lambda a: a.push(INPUT, data, 0o644), "push")
            script = f'exec "$@" < {INPUT}'
            wanted = _with_argv(wanted, ("/bin/sh", "-c", script, "sh", *wanted.argv))
        agent, since = self._live(words).guest.agent, self.transcript.end
        start = time.monotonic()
        try:
            report = await agent.run(wanted, timeout_s=timeout_s)
        except AgentRefusal as refusal:
            raise _os_error(refusal, shown[0]) from None
        except GuestError as error:
            raise await self._death(error, f"while {words} ran") from None
        took = time.monotonic() - start
        if report.mark:
            await self.until(report.mark, since, MARK_S)
        ran = Ran.of(shown, report, took)
        if report.timed_out:
            raise TimedOut(f"{words} did not end within {timeout_s:g} s and was killed", ran)
        return ran

    async def asked(
        self, path: str, ask: Callable[[Agent], Coroutine[Any, Any, T]], what: str
    ) -> T:
        """Asks the agent for something that concerns a file."""
        agent = self._live(f"{what} {path}").guest.agent
        try:
            return await ask(agent)
        except AgentRefusal as refusal:
            raise _os_error(refusal, path) from None
        except GuestError as error:
            if self.lives() and "differs" in str(error):
                raise
            raise await self._death(error, f"at {what} of {path}") from None

    async def until(self, data: bytes, since: int, limit_s: float) -> bool:
        """Waits until the console has ``data``; False when the time is up or the guest gone."""
        deadline = time.monotonic() + limit_s
        while data not in self.transcript.raw(since):
            left = deadline - time.monotonic()
            if left <= 0 or not self.lives() or not await self.transcript.more(left):
                return False
        return True

    async def wait_for_line(
        self, pattern: re.Pattern[str], timeout_s: float, since: Mark | None
    ) -> re.Match[str]:
        """See :meth:`GuestHandle.wait_for_line`."""
        words = f"a line with {pattern.pattern!r}"
        search = LineSearch(self.transcript, pattern, self._started_at if since is None else since)
        deadline = time.monotonic() + timeout_s
        while True:
            machine = self._fork.guest.machine if self._fork else None
            over = machine is None or machine.gone.is_set()
            if machine and over:
                await machine.drain()
            found = search.look(whole=over)
            if found:
                return found
            if over:
                death, why = self._why()
                raise GuestDied(f"the guest died before {words} came: {why}", death, self._tail())
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimedOut(f"{words} did not come within {timeout_s:g} s{self._ends_with()}")
            await self.transcript.more(left)

    async def crash(self, timeout_s: float) -> str:
        """See :meth:`GuestHandle.crash`."""
        machine = self._live("crash()").guest.machine
        if not self.lives():
            raise await self._death(GuestError("it had ended"), "before crash()")
        since = self.transcript.end
        self.expect("the test says crash()", None)
        deadline = time.monotonic() + timeout_s
        typed = asyncio.ensure_future(self._type_crash(since))
        try:
            with contextlib.suppress(GuestError):
                await machine.sysrq("c")
            try:
                async with asyncio.timeout(max(0.0, deadline - time.monotonic())):
                    await machine.ended()
            except TimeoutError:
                raise TimedOut(
                    f"the kernel did not panic within {timeout_s:g} s{self._ends_with()}"
                ) from None
        finally:
            typed.cancel()
            await asyncio.gather(typed, return_exceptions=True)
        if machine.gone.is_set():
            await machine.drain()
        fatal = [s for s in self.splats(since) if s.severity is Severity.FATAL]
        if fatal:
            return fatal[0].title
        panic = PANIC.search(self.transcript.text(since))
        if panic:
            return panic[0].strip()
        raise GuestDied("crash(): the guest ended without a panic", Death.ENDED, self._tail())

    async def _type_crash(self, since: int) -> None:
        """For a kernel that takes no SysRq over its serial line."""
        if await self.until(b"sysrq:", since, SYSRQ_S):
            return
        line = ("/bin/sh", "-c", "echo c > /proc/sysrq-trigger")
        fork = self._fork
        if fork and find_busybox():
            with contextlib.suppress(GuestError, AgentRefusal):
                await fork.guest.agent.run(Run(line), timeout_s=CRASH_S)

    async def qmp(self, command: str, arguments: dict[str, Any]) -> Any:
        """See :meth:`GuestHandle.qmp`."""
        machine = self._live(f"QMP {command}").guest.machine
        try:
            return await machine.execute(command, arguments)
        except ExecuteError as error:
            raise GuestRefusal(f"QEMU refuses {command}: {one_line(str(error))}") from None
        except GuestError as error:
            raise await self._death(error, f"at QMP {command}") from None

    async def kill(self) -> None:
        """Ends QEMU; the guest stays as it was found, for its console."""
        if self._fork:
            self._killed = True
            self._fork.guest.machine.kill()
            await self._fork.guest.machine.gone.wait()
            await self._fork.guest.machine.drain()

    async def settle(self, settle_s: float) -> None:
        """Gives a kernel time to report, and to end a report that it is printing."""
        if self._fork and self.lives() and settle_s:
            await asyncio.sleep(settle_s)  # nothing tells that a kernel has nothing more to say
        if self._fork and self.splats(self._started_at) and self.lives():
            await self._fork.guest.machine.console.quiet(CALM_S, REPORT_S)

    # What became of it

    def expect(
        self, why: str, pattern: re.Pattern[str] | None, *, onwards: bool = False
    ) -> Expected:
        """From here on, reports are expected."""
        end = self.transcript.end
        line = self.transcript.line_at(end)
        self._expected.append(Expected(why, line, None, pattern, onwards, end))
        return self._expected[-1]

    def splats(self, since: int) -> tuple[Splat, ...]:
        """What the kernel reported since a place in the console."""
        dropped = self.transcript.dropped_lines
        first = self.transcript.line_at(since) - dropped if since else 1
        found = judged_splats(
            *(self.transcript.text(), self._expected, self._known),
            release=self._kernel.release,
            dropped=dropped,
        )
        return tuple(s for s in found if s.first >= first)

    async def _death(self, error: GuestError, when: str) -> GuestDied:
        """Waits until a dying guest has said everything."""
        if "does not answer" in str(error):
            words = f"the guest hangs, {when}: it does not answer"
            return GuestDied(words, Death.HANGS, self._tail())
        machine = self._live("the guest").guest.machine
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(machine.ended(), DYING_S)
        if machine.gone.is_set():
            await machine.drain()
        death, why = self._why(str(error))
        return GuestDied(f"the guest died {when}: {why}", death)

    def _why(self, otherwise: str = "it was closed") -> tuple[Death, str]:
        """Of what it died, in a few words as well."""
        splats = self.splats(self._started_at)
        machine = self._fork.guest.machine if self._fork else None
        unexpected = [s for s in splats if not s.expected]
        if unexpected:
            return Death.REPORT, (worst(unexpected) or unexpected[0]).title
        # Of those that were expected only one of the kind that kills explains a death.
        fatal = next((s for s in splats if s.severity is Severity.FATAL), None)
        if fatal:
            known = fatal.expected in {expectation.words for expectation in self._known}
            return Death.KNOWN if known else Death.REPORT, fatal.title
        if machine is None or self._killed:
            return Death.TEST, "the test had killed it" if self._killed else otherwise
        if machine.end_reason:
            off = machine.end_reason == "guest-shutdown"
            did = "switched itself off" if off else "reset itself"
            return Death.ENDED, f"it {did}, without a report in the console"
        if machine.gone.is_set():
            return Death.QEMU, f"QEMU ended ({machine.exit_words()})"
        return Death.QEMU, otherwise

    def _tail(self) -> str:
        """The console's last lines."""
        lines = [s for s in self.transcript.text().splitlines() if s.strip()]
        return "\n".join(lines[-TAIL_LINES:])

    async def expected_came(self, expected: Expected, limit_s: float) -> list[Splat]:
        """Waits for a report that is expected, and closes the expectation."""
        deadline = time.monotonic() + limit_s
        search = ReportSearch(self.transcript, expected.pattern, expected.since)
        # To read all of a console takes seconds where it is long: not for each piece that comes.
        while not (came := search.look() and bool(self._covered(expected))):
            left = deadline - time.monotonic()
            if left <= 0 or not self.lives() or not await self.transcript.more(left):
                break
        machine = self._fork.guest.machine if self._fork else None
        if machine and came and self.lives():
            await machine.console.quiet(CALM_S, REPORT_S)
        if machine and machine.gone.is_set():
            await machine.drain()
        expected.last = self.transcript.last_line()
        return self._covered(expected)

    def _covered(self, expected: Expected) -> list[Splat]:
        first = expected.first - self.transcript.dropped_lines
        return [s for s in self.splats(0) if s.expected == expected.why and s.first >= first]

    def _ends_with(self) -> str:
        lines = self._tail().splitlines()
        if not lines:
            return "; the console is empty"
        return "; the console ends with:" + "".join(f"\n  | {line}" for line in lines)


def _with_argv(run: Run, argv: tuple[str, ...]) -> Run:
    return Run(argv, env=run.env, cwd=run.cwd, flags=run.flags, uid=run.uid, gid=run.gid)


def _os_error(refusal: AgentRefusal, path: str) -> OSError:
    """As Python has it: FileNotFoundError, PermissionError, ..."""
    words = str(refusal).rpartition(": ")[2] or "refused"
    return OSError(refusal.errno, f"in the guest: {words}", path)
