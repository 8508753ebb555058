# SPDX-License-Identifier: GPL-2.0-only
"""One QEMU process: started, spoken to over inherited sockets and pipes, and gone at the end.

Every connection is made before QEMU starts, so there is no socket file, no path that may be too
long, no race with a listener that is not there yet, and nothing to clean up.
"""

import asyncio
import contextlib
import errno
import fcntl
import logging
import os
import signal
import socket
import subprocess
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO

from qemu.qmp import EventListener, ExecuteError, QMPClient, QMPError

from harness.errors import GuestError, HostError, QemuEndedError
from harness.resources import resource
from harness.toolchain import compile_program
from harness.vm.console import Console
from harness.vm.qemu import BOARDS, Channel, Descriptors, Launch, command_line
from harness.vm.schedstat import thread_times

QMP_TIMEOUT_S = 20.0
READ_SIZE = 65536
STDERR_LIMIT = 16 * 1024
CONSOLE_ROOM = 256 * 1024
"""Bytes that the console may print while nobody here has time to read it."""
TUNABLES = (
    "glibc.malloc.hugetlb=1:glibc.malloc.arena_max=1:glibc.malloc.top_pad=4194304"
    ":glibc.malloc.mmap_threshold=1073741824"
)
"""QEMU's heap in a few huge pages: half the page faults of its start (glibc manual, "Tunables")."""

# qemu.qmp logs what it raises as well; every failure reaches the user through an exception of ours.
logging.getLogger("qemu.qmp").addHandler(logging.NullHandler())
logging.getLogger("qemu.qmp").propagate = False


@lru_cache(maxsize=1)
def _compiled_tether() -> Path:
    return compile_program(resource("images/tether/tether.c"))


def _tether() -> Path:
    """What ends QEMU with us; compiled again where the cache was removed."""
    if not _compiled_tether().exists():
        _compiled_tether.cache_clear()
    return _compiled_tether()


BytesHandler = Callable[[bytes], None]


def _pipe() -> tuple[BinaryIO, BinaryIO]:
    """A pipe's end to read from and its end to write to."""
    read_end, write_end = os.pipe()
    return os.fdopen(read_end, "rb", buffering=0), os.fdopen(write_end, "wb", buffering=0)


def _widen(pipe: BinaryIO, size: int) -> None:
    """Makes a pipe hold ``size`` bytes, or what a user may have (pipe(7), "pipe-user-pages")."""
    with contextlib.suppress(OSError):
        fcntl.fcntl(pipe.fileno(), fcntl.F_SETPIPE_SZ, size)


def _environment() -> dict[str, str]:
    """The variables that there are now.

    pytest sets one for every test and takes it away, in another thread: a name that was there a
    moment ago may be gone.
    """
    found = ((name, os.environ.get(name)) for name in list(os.environ))
    return {name: value for name, value in found if value is not None}


class Machine:
    """A running QEMU. Made by :meth:`start`; :meth:`close` is its only end.

    Attributes:
        launch: what was started.
        console: where the console's bytes go.
        gone: set when the process has ended.
        returncode: of the process, as subprocess has it, once it has ended.
    """

    def __init__(self, launch: Launch, console: Console) -> None:
        self.launch = launch
        self.console = console
        self.gone = asyncio.Event()
        self.returncode: int | None = None
        self.qmp = QMPClient("kharness")
        self._loop = asyncio.get_running_loop()
        self._process: subprocess.Popen[bytes] | None = None
        self._watched = False
        self._stderr = bytearray()
        self._open: list[socket.socket | BinaryIO] = []
        self._channels: dict[Channel, socket.socket] = {}
        self._readers: dict[int, asyncio.Event] = {}
        self._console_keys: BinaryIO | None = None
        self._connected = False
        self._shutdown = EventListener(names=("SHUTDOWN",))
        self._end_reason = ""
        self.qmp.register_listener(self._shutdown)

    @classmethod
    async def start(
        cls, qemu: Path | str, launch: Launch, console: Console, inherits: Sequence[int] = ()
    ) -> "Machine":
        """Starts QEMU and connects QMP.

        Args:
            qemu: the executable.
            launch: the guest.
            console: gets the console's bytes from the first on.
            inherits: further descriptors that QEMU has, under the same numbers.

        Raises:
            HostError: QEMU does not start, or exits before it answers; its words are the detail.
            QemuEndedError: it is ended by a signal before, or does not answer at all.
        """
        self = cls(launch, console)
        try:
            qmp = self._spawn(str(qemu), inherits)
            await self._connect(qmp)
        except BaseException:
            await self.close()
            raise
        return self

    def _spawn(self, qemu: str, inherits: Sequence[int]) -> socket.socket:
        tether = [str(_tether()), str(os.getpid())]
        ours_qmp, theirs_qmp = socket.socketpair()
        theirs = {}
        wanted = (
            (
                [Channel.VIRTIO]
                if not BOARDS[self.launch.kernel.arch].serial_channel
                else list(Channel)
            )
            if self.launch.channel is Channel.AUTO
            else [self.launch.channel]
        )
        for kind in (Channel.VIRTIO, Channel.SERIAL):
            if kind in wanted:
                self._channels[kind], theirs[kind] = socket.socketpair()
        passed = [theirs_qmp, *theirs.values()]
        fds = Descriptors(theirs_qmp.fileno(), {k: s.fileno() for k, s in theirs.items()})
        errors, their_errors = _pipe()
        printed, their_console = _pipe()
        _widen(printed, CONSOLE_ROOM)
        their_keys, self._console_keys = _pipe()
        for sock in (ours_qmp, *self._channels.values()):
            sock.setblocking(False)
        for pipe in (errors, printed, self._console_keys):
            os.set_blocking(pipe.fileno(), False)
        self._open += [*self._channels.values(), errors, printed, self._console_keys]
        command = command_line(qemu, self.launch, fds)
        try:
            self._process = subprocess.Popen(
                [*tether, *command],
                stdin=their_keys,
                stdout=their_console,
                stderr=their_errors,
                env={"GLIBC_TUNABLES": TUNABLES, **_environment()},
                pass_fds=[*inherits, *(s.fileno() for s in passed)],
                start_new_session=True,  # a Ctrl-C in the terminal is for kharness to act on
            )
        except OSError as error:
            ours_qmp.close()
            if error.filename:  # of the program that was to be run, which is the tether
                hint = "set KHARNESS_CACHE to a folder whose programs may be run"
                raise HostError(f"cannot run {tether[0]}: {error.strerror}", hint) from error
            raise HostError(f"QEMU does not start ({qemu}): {error.strerror}") from error
        finally:
            for pipe in (their_errors, their_console, their_keys):
                pipe.close()
            for sock in passed:
                sock.close()
        try:
            self._watch_exit(self._process)
        except BaseException:
            ours_qmp.close()
            raise
        self._watch(errors, self._on_stderr)
        self._watch(printed, self.console.feed)
        return ours_qmp

    async def _connect(self, sock: socket.socket) -> None:
        connect = asyncio.ensure_future(self.qmp.connect(sock))
        ended = asyncio.ensure_future(self.gone.wait())
        try:
            await asyncio.wait(
                {connect, ended}, timeout=QMP_TIMEOUT_S, return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            ended.cancel()
            if not connect.done():
                connect.cancel()
            await asyncio.gather(connect, ended, return_exceptions=True)
            # Also when this is cancelled just now: a connection that was made is to be ended.
            self._connected = not connect.cancelled() and connect.exception() is None
        if self._connected:
            return
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.gone.wait(), 1)
        if self.returncode is None:
            raise QemuEndedError(
                "QEMU was started, and does not answer over QMP", detail=self.stderr()
            )
        kind = QemuEndedError if self.returncode < 0 else HostError
        raise kind(
            f"QEMU ended before the guest started ({self.exit_words()})", detail=self.stderr()
        )

    # What comes from QEMU

    def stderr(self) -> str:
        """What QEMU itself printed, at most 16 KiB."""
        return self._stderr.decode("utf-8", "replace").strip()

    def exit_words(self) -> str:
        """How QEMU ended, in words."""
        last = self.stderr().splitlines()[-1:] or [""]
        if self.returncode is None:
            return "still running, not answering"
        if self.returncode < 0:
            how = f"killed by {signal.Signals(-self.returncode).name}"
        else:
            how = f"exit {self.returncode}"
        return f"{how}: {last[0]}" if last[0] else how

    def _is_gone(self) -> GuestError:
        return GuestError(f"QEMU is gone ({self.exit_words()})")

    def listen(self, kind: Channel, handler: BytesHandler) -> None:
        """Hands what comes over a channel to ``handler``; an empty ``bytes`` is its end."""
        self._watch(self._channels[kind], handler)

    @property
    def channels(self) -> tuple[Channel, ...]:
        """The channels that this guest was given."""
        return tuple(self._channels)

    async def send(self, kind: Channel, data: bytes) -> None:
        """Writes to a channel.

        Raises:
            GuestError: QEMU is gone.
        """
        try:
            await self._loop.sock_sendall(self._channels[kind], data)
        except OSError as error:
            raise self._is_gone() from error

    # What goes to QEMU

    async def execute(
        self,
        command: str,
        arguments: dict[str, Any] | None = None,
        limit_s: float = QMP_TIMEOUT_S,
    ) -> Any:
        """Runs a QMP command within ``limit_s`` seconds.

        Raises:
            ExecuteError: QEMU refuses.
            GuestError: QEMU does not answer or is gone.
        """
        try:
            return await asyncio.wait_for(self.qmp.execute(command, arguments), timeout=limit_s)
        except ExecuteError:
            raise
        except TimeoutError as error:
            raise GuestError(f"QEMU did not answer {command} in {limit_s:.0f} s") from error
        except (QMPError, EOFError, OSError) as error:
            raise self._is_gone() from error

    async def hand_over(self, name: str, fd: int) -> None:
        """Gives QEMU a copy of ``fd`` under ``name`` (QMP ``getfd``).

        Nothing else may be sent before this returns. QEMU reads its monitor in one thread and works
        in another: at every byte the first looks through the descriptors that came, unlocked, and
        the second takes them away. A command right behind ``getfd`` is a null pointer once in some
        100,000 times (QEMU 7.2, chardev/char-socket.c: tcp_chr_recv(), tcp_get_msgfds()).

        Raises:
            GuestError: QEMU does not answer or is gone.
        """
        try:
            self.qmp.send_fd_scm(fd)
        except (QMPError, OSError) as error:
            raise self._is_gone() from error
        await self.execute("getfd", {"fdname": name})

    async def sysrq(self, letter: str) -> None:
        """SysRq over the console's serial line: a break, then the letter."""
        await self.execute("chardev-send-break", {"id": "console"})
        if self._console_keys is not None:
            with contextlib.suppress(OSError):
                self._console_keys.write(letter.encode())

    async def ended(self) -> None:
        """Waits until the guest has ended: QEMU is gone, or holds what is left of it, paused."""
        gone = asyncio.ensure_future(self.gone.wait())
        event = asyncio.ensure_future(self._shutdown.get())
        try:
            await asyncio.wait({gone, event}, return_when=asyncio.FIRST_COMPLETED)
            if event.done() and not event.cancelled() and event.exception() is None:
                self._note_end(event.result())
        finally:
            gone.cancel()
            event.cancel()
            await asyncio.gather(gone, event, return_exceptions=True)

    @property
    def end_reason(self) -> str:
        """Why the guest ended by itself: ``guest-reset``, ``guest-shutdown`` ...; else empty.

        QEMU's words (qapi/run-state.json, ShutdownCause).
        """
        for event in self._shutdown.clear():
            self._note_end(event)
        return self._end_reason

    def _note_end(self, event: Any) -> None:
        data = event.get("data", {})
        if data.get("guest"):
            self._end_reason = self._end_reason or str(data.get("reason", ""))

    @property
    def pid(self) -> int:
        """Process id of QEMU."""
        return self._process.pid if self._process else 0

    def vcpu_runtime_ns(self) -> int | None:
        """CPU time of QEMU's threads in ns, or None when the host does not tell."""
        times = thread_times(self.pid).values()
        return sum(each.ran_ns for each in times) if times else None

    # The end

    def kill(self) -> None:
        """SIGKILL; :meth:`close` still has to be called."""
        if self._process and self._process.returncode is None:
            self._process.kill()

    async def close(self) -> None:
        """Ends the process, takes what the console still has, and closes everything."""
        self.kill()
        if self._process and self._watched:
            await self.gone.wait()
        elif self._process:
            self.returncode = await asyncio.to_thread(self._process.wait)
            self.gone.set()
        await self.drain()
        if self._connected:
            # After QEMU is gone, disconnect() raises what its reader met.
            with contextlib.suppress(EOFError, OSError, QMPError, TimeoutError):
                await asyncio.wait_for(self.qmp.disconnect(), 5)
            self._connected = False
        for fd in list(self._readers):
            self._loop.remove_reader(fd)
        self._readers.clear()
        for one in self._open:
            one.close()
        self._open.clear()
        self.console.close()

    async def drain(self) -> None:
        """Waits until everything that QEMU wrote before it ended has been read."""
        ends = [event.wait() for event in self._readers.values()]
        if ends:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(asyncio.gather(*ends), 5)

    # Watching descriptors

    def _on_stderr(self, data: bytes) -> None:
        self._stderr += data
        del self._stderr[: max(0, len(self._stderr) - STDERR_LIMIT)]

    def _watch(self, end: socket.socket | BinaryIO, handler: BytesHandler) -> None:
        fd = end.fileno()
        ended = self._readers[fd] = asyncio.Event()

        def readable() -> None:
            try:
                data = os.read(fd, READ_SIZE)
            except (BlockingIOError, InterruptedError):
                return
            except OSError:
                data = b""
            if not data:
                self._loop.remove_reader(fd)
                self._readers.pop(fd, None)
                ended.set()
            handler(data)

        self._loop.add_reader(fd, readable)

    def _watch_exit(self, process: subprocess.Popen[bytes]) -> None:
        try:
            pidfd = os.pidfd_open(process.pid)
        except OSError as error:
            if error.errno not in (errno.ENOSYS, errno.EPERM):
                raise
            raise HostError(
                f"QEMU cannot be watched: pidfd_open: {error.strerror}",
                "this needs Linux 5.3, and a sandbox that lets pidfd_open(2) through",
            ) from error

        def reap() -> None:
            self._loop.remove_reader(pidfd)
            os.close(pidfd)
            self.returncode = process.wait()
            self.gone.set()

        try:
            self._loop.add_reader(pidfd, reap)
        except BaseException:
            os.close(pidfd)
            raise
        self._watched = True
