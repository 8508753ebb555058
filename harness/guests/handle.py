# SPDX-License-Identifier: GPL-2.0-only
"""A guest as a Python test holds it: synchronous, every wait bounded, errors of one line."""

import re
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from harness.cache import cache_root, digest, private_folder, replacing
from harness.closing import Closing
from harness.errors import HostError, KharnessError, UsageError
from harness.guests.expect import Expected
from harness.guests.outcome import GuestDied, Ran
from harness.guests.session import CRASH_S, GuestSession, Opener
from harness.guests.transcript import Mark
from harness.host import find_busybox
from harness.kernels.kernel import Kernel
from harness.toolchain import compile_program
from harness.verdict.expected import Expectation
from harness.verdict.splat import Splat
from harness.vm.loop import VmLoop
from harness.vm.protocol import Run, RunFlags

T = TypeVar("T")
NO_UID = 2**32 - 1
"""(uid_t)-1 is nobody: it leaves a user as it is (setresuid(2))."""
RUN_S = 30.0
LINE_S = 10.0
PULL_LIMIT = 64 * 1024 * 1024
ENVIRONMENT = {"PATH": "/bin:/case", "HOME": "/tmp", "TERM": "dumb"}


class GuestHandle(Closing):
    """A guest, until the test's end or :meth:`close`; a context manager.

    Programs run one at a time, as root. What they write into files is there for the next one; what
    they leave running is killed. Times are seconds. Every method raises :class:`GuestDied` when the
    guest is gone, in one line that says of what.

    Attributes:
        kernel: what it runs.
    """

    def __init__(
        self, loop: VmLoop, kernel: Kernel, opener: Opener, known: tuple[Expectation, ...] = ()
    ) -> None:
        self.kernel = kernel
        self._loop = loop
        self._session = GuestSession(opener, kernel, known)

    @classmethod
    def open(
        cls,
        loop: VmLoop,
        kernel: Kernel,
        opener: Opener,
        known: tuple[Expectation, ...] = (),
        *,
        boot: bool,
    ) -> "GuestHandle":
        """Starts a guest.

        Args:
            loop: the loop that guests live in.
            kernel: what it runs.
            opener: opens guests of it.
            known: reports of the kernel that are no trouble.
            boot: boot it instead of forking it from the template.

        Raises:
            KharnessError: it does not come up.
        """
        self = cls(loop, kernel, opener, known)
        self._do(self._session.start(boot=boot))
        return self

    # Programs and files

    def run(
        self,
        *argv: str,
        timeout_s: float = RUN_S,
        input: bytes | str | None = None,
        check: bool = False,
        env: Mapping[str, str] | None = None,
        cwd: str = "/tmp",
        uid: int = 0,
    ) -> Ran:
        """Runs a program and waits for its end.

        Args:
            argv: absolute path and arguments; a name without a slash is an applet of busybox.
            timeout_s: seconds until it is killed.
            input: its standard input; by default there is none (/dev/null). Needs busybox.
            check: it has to exit with 0.
            env: variables beside PATH, HOME and TERM.
            cwd: the folder that it starts in.
            uid: user and group that it runs as.

        Raises:
            UsageError: there is no program, or no such user.
            HostError: no static busybox, for an applet or for ``input``.
            CommandFailed: with ``check``, it did not exit with 0; shows what it wrote.
            TimedOut: its time was up.
            OSError: it does not start (FileNotFoundError, PermissionError, ...).
            GuestDied: the guest did not live to see its end.
        """
        __tracebackhide__ = True
        if not argv:
            raise UsageError("run() of nothing", "give a program")
        if not 0 <= uid < NO_UID:
            raise UsageError(f"no user has the number {uid}", f"give uid=0 to {NO_UID - 1}")
        command = argv if "/" in argv[0] else ("/bin/busybox", *argv)
        if command[0] == "/bin/busybox" or input is not None:
            _need_busybox()  # a shell opens the input
        data = input.encode() if isinstance(input, str) else input
        variables = tuple(f"{k}={v}" for k, v in {**ENVIRONMENT, **(env or {})}.items())
        flags = RunFlags.WRITABLE_ROOT | RunFlags.KEEP_TMP
        wanted = Run(tuple(command), env=variables, cwd=cwd, flags=flags, uid=uid, gid=uid)
        ran = self._do(self._session.run(argv, wanted, timeout_s, data))
        return ran.check() if check else ran

    def sh(
        self,
        script: str,
        *,
        timeout_s: float = RUN_S,
        input: bytes | str | None = None,
        check: bool = False,
    ) -> Ran:
        """Runs a line, or several, in busybox's shell; otherwise as :meth:`run`."""
        __tracebackhide__ = True
        _need_busybox()
        return self.run("/bin/sh", "-c", script, timeout_s=timeout_s, input=input, check=check)

    def push(self, source: Path | str | bytes, guest_path: str, mode: int = 0o755) -> None:
        """Writes a file in the guest; its folders are made.

        Args:
            source: file on the host, or the content.
            guest_path: absolute path in the guest.
            mode: permission bits.

        Raises:
            OSError: it cannot be read here, or written there.
            GuestDied: the guest is gone.
        """
        __tracebackhide__ = True
        data = source if isinstance(source, bytes) else Path(source).read_bytes()
        self._do(self._session.asked(guest_path, lambda a: a.push(guest_path, data, mode), "push"))

    def pull(self, guest_path: str, limit: int = PULL_LIMIT) -> bytes:
        """Reads a file of the guest, at most ``limit`` bytes.

        Raises:
            OSError: it cannot be read, is no file or is larger.
            GuestDied: the guest is gone.
        """
        __tracebackhide__ = True
        return self._do(
            self._session.asked(guest_path, lambda a: a.pull(guest_path, limit), "pull")
        )

    def compile_and_push(
        self, source: Path | str, guest_path: str = "", flags: tuple[str, ...] = ()
    ) -> str:
        """Compiles C on the host into a static program, pushes it, and returns where it lies.

        Args:
            source: a C file, or the text of one; compiled once per content.
            guest_path: by default ``/run/<name>``.
            flags: further flags of the compiler.

        Raises:
            UsageError: it does not compile.
            HostError: no compiler.
            GuestDied: the guest is gone.
        """
        __tracebackhide__ = True
        file = source if isinstance(source, Path) else _stored(source)
        try:
            # Without symbols: a guest's serial channel is slow.
            program = compile_program(file.absolute(), flags=("-s", *flags))
        except KharnessError as error:
            raise type(error)(f"{error.what}\n{error.detail}".rstrip()) from None
        path = guest_path or f"/run/{program.name}"
        self.push(program, path)
        return path

    # The console

    def mark(self) -> Mark:
        """This place in the console: for ``since``."""
        return self._value(lambda: self._session.transcript.end)

    def console(self, since: Mark | None = None) -> str:
        """What the console has printed, cleaned: since a mark, else since the guest's first start.

        What the kernel said while a program ran is in it when :meth:`run` has returned.
        """
        return self._value(lambda: self._session.transcript.text(since or 0))

    def wait_for_line(
        self, pattern: str, timeout_s: float = LINE_S, since: Mark | None = None
    ) -> re.Match[str]:
        """Waits for a line of the console, and returns the match; ``.string`` is the line.

        Args:
            pattern: regular expression that is searched for in each line.
            timeout_s: how long.
            since: where to start; by default where the guest was started or rebooted last.

        Raises:
            TimedOut: no such line came.
            GuestDied: the guest is gone, and there is no such line.
        """
        __tracebackhide__ = True
        return self._do(self._session.wait_for_line(re.compile(pattern), timeout_s, since))

    def splats(self, since: Mark | None = None) -> tuple[Splat, ...]:
        """What the kernel reported: oopses, warnings, panics; ``expected`` says who asked for it.

        Lines (``first``, ``last``) are those of ``console()``.
        """
        return self._value(lambda: self._session.splats(since or 0))

    def expect_splat(self, pattern: str, timeout_s: float = LINE_S) -> "ExpectSplat":
        """``with guest.expect_splat("KASAN") as seen:`` the kernel has to report this in the block.

        What it reports after that in the block is expected as well, for an oops brings a panic; and
        when the guest dies of it, GuestDied ends the block and goes no further. ``seen`` has the
        reports then.

        Args:
            pattern: regular expression that is searched for in the report's title.
            timeout_s: how long to wait at the block's end.

        Raises:
            AssertionError: there was no such report.
        """
        return ExpectSplat(self, re.compile(pattern), timeout_s)

    def allow_splat(self, pattern: str) -> None:
        """From now on, reports whose title matches do not make the test fail."""
        found = re.compile(pattern)
        self._value(lambda: self._session.expect(f"the test says allow_splat({pattern!r})", found))

    # The machine

    @property
    def alive(self) -> bool:
        """The guest runs: it has not crashed, ended or been killed."""
        return self._value(self._session.lives)

    def reboot(self) -> None:
        """Drops the guest and boots its kernel anew; nothing of it is left but its console.

        Raises:
            KernelError, HostError: it does not come up.
        """
        __tracebackhide__ = True
        self._do(self._session.reboot())

    def crash(self, timeout_s: float = CRASH_S) -> str:
        """Crashes the kernel (SysRq c), waits for the guest's end, and returns the report's title.

        Raises:
            TimedOut: the kernel does not panic.
            GuestDied: it was dead before.
        """
        __tracebackhide__ = True
        return self._do(self._session.crash(timeout_s))

    def qmp(self, command: str, arguments: Mapping[str, Any] | None = None, /, **named: Any) -> Any:
        """Runs a command of QEMU's and returns its answer.

        Args:
            command: ``query-status``, ``stop``, ``cont``, ``human-monitor-command`` ...
            arguments: by their names.
            named: further arguments; ``_`` in a name stands for ``-``.

        Raises:
            GuestRefusal: QEMU says no.
            GuestDied: QEMU is gone.
        """
        __tracebackhide__ = True
        more = {name.replace("_", "-"): value for name, value in named.items()}
        return self._do(self._session.qmp(command, {**(arguments or {}), **more}))

    def kill(self) -> None:
        """Ends the guest at once, as by pulling the plug; :meth:`reboot` starts it again."""
        self._do(self._session.kill())

    def close(self) -> None:
        """Drops the guest; what its console printed stays."""
        self._do(self._session.stop())

    def __repr__(self) -> str:
        return f"<guest of {self.kernel.spec}>"

    # For the fixtures

    @property
    def accel(self) -> str:
        """``kvm`` or ``tcg``."""
        return self._session.accel

    @property
    def console_file(self) -> str:
        """The raw console on the host; empty when it printed nothing."""
        return self._session.file

    @property
    def isolation(self) -> str:
        """``fork`` or ``boot``."""
        return self._session.isolation

    def begin_expecting(self, pattern: re.Pattern[str]) -> Expected:
        """The start of an :meth:`expect_splat`."""
        why = f"the test says expect_splat({pattern.pattern!r})"
        return self._value(lambda: self._session.expect(why, pattern, onwards=True))

    def end_expecting(self, expected: Expected, limit_s: float) -> list[Splat]:
        """Its end: what came of what was expected."""
        return self._do(self._session.expected_came(expected, limit_s))

    def settle(self, settle_s: float) -> None:
        """Gives the kernel a time to report what it still has to."""
        self._do(self._session.settle(settle_s))

    def _do(self, work: Coroutine[Any, Any, T]) -> T:
        """Runs ``work`` in the loop; an error shows the test's line, not the way through here."""
        __tracebackhide__ = True
        try:
            return self._loop.run(work)
        except (KharnessError, OSError, AssertionError) as error:
            raised = error
        raise raised.with_traceback(None) from None

    def _value(self, of: Callable[[], T]) -> T:
        async def read() -> T:
            return of()

        return self._do(read())


class ExpectSplat:
    """See :meth:`GuestHandle.expect_splat`."""

    def __init__(self, guest: GuestHandle, pattern: re.Pattern[str], timeout_s: float) -> None:
        self._guest = guest
        self._pattern = pattern
        self._timeout_s = timeout_s
        self._seen: list[Splat] = []
        self._expected: Expected | None = None

    def __enter__(self) -> list[Splat]:
        self._expected = self._guest.begin_expecting(self._pattern)
        return self._seen

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        __tracebackhide__ = True
        assert self._expected is not None
        died = isinstance(error, GuestDied)
        wait_s = self._timeout_s if error is None else 0.0
        self._seen += self._guest.end_expecting(self._expected, wait_s)
        if self._seen or error is not None:
            return bool(self._seen) and died
        others = ", ".join(s.title for s in self._guest.splats()) or "none at all"
        raise AssertionError(
            f"no report of the kernel matched {self._pattern.pattern!r}; reports: {others}"
        )


def _need_busybox() -> None:
    if find_busybox() is None:
        raise HostError("no static busybox for the guest", "apt-get install busybox-static")


def _stored(source: str) -> Path:
    """A file with this text, always the same for the same text, so that it is compiled once."""
    path = private_folder(cache_root() / "snippets") / f"c{digest(source)[:16]}.c"
    if not path.exists():
        with replacing(path) as temporary:
            temporary.write_text(source)
    return path
