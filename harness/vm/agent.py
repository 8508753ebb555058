# SPDX-License-Identifier: GPL-2.0-only
"""The host's side of the conversation with the agent: one request at a time."""

import asyncio
import hashlib
import os
import time
from collections.abc import Callable
from dataclasses import dataclass

from harness.errors import GuestError
from harness.vm import protocol
from harness.vm.machine import Machine
from harness.vm.protocol import (
    AgentError,
    Decoder,
    Done,
    Exited,
    Frame,
    Hello,
    ProtocolError,
    Run,
    RunFlags,
    Type,
)
from harness.vm.qemu import Channel

KILL_GRACE_S = 30.0
"""How long a guest may take to end a case: a fork bomb has hundreds of processes to end."""
TRANSFER_TIMEOUT_S = 60.0
SLACK = 4096
"""Bytes of output on top of head and tail that are no breach: a frame may straddle the limit."""


@dataclass(frozen=True)
class RunReport:
    """How a program ended.

    Attributes:
        exited: status and usage.
        stdout: standard output; when ``exited.stdout_bytes`` is larger, the middle is missing and
            ``stdout_head`` bytes of it are the start.
        stderr: the same for standard error.
        timed_out: it was killed because its time was up.
        mark: what the console has after everything that the kernel said until the program's end;
            empty when it said nothing.
    """

    exited: Exited
    stdout: bytes
    stderr: bytes
    timed_out: bool = False
    mark: bytes = b""

    @property
    def truncated(self) -> bool:
        """Some of the output was not sent."""
        sent = len(self.stdout) + len(self.stderr)
        return sent < self.exited.stdout_bytes + self.exited.stderr_bytes


class AgentRefusal(Exception):  # noqa: N818 - a refusal, not a defect
    """The agent could not do what was asked, and goes on."""

    def __init__(self, error: AgentError) -> None:
        name = os.strerror(error.errno)
        super().__init__(f"{error.what}: {name}")
        self.errno = error.errno


class _Request:
    """What is being waited for: takes the frames that belong to it and ends with a result."""

    def __init__(self, seq: int) -> None:
        self.seq = seq
        self.done: asyncio.Future[Frame] = asyncio.get_running_loop().create_future()

    def take(self, frame: Frame) -> None:
        """Takes a frame; raises ProtocolError for one that was not asked for."""
        if frame.type is Type.ERROR:
            error = AgentRefusal(AgentError.decode(frame.payload))
            if not self.done.done():
                self.done.set_exception(error)
        else:
            self.other(frame)

    def other(self, frame: Frame) -> None:
        """Everything but ERROR."""
        raise ProtocolError(f"{frame.type.name} was not asked for")

    def finish(self, frame: Frame) -> None:
        """The request is answered."""
        if not self.done.done():
            self.done.set_result(frame)


class _Synchronising(_Request):
    def other(self, frame: Frame) -> None:
        if frame.type is not Type.SYNCED:
            super().other(frame)
        self.finish(frame)


class _Starting(_Request):
    def other(self, frame: Frame) -> None:
        if frame.type is not Type.STARTED:
            super().other(frame)
        self.finish(frame)


class _Running(_Request):
    def __init__(
        self, seq: int, run: Run, on_output: Callable[[bytes], None] | None, *, synced: bool
    ) -> None:
        super().__init__(seq)
        self._synced = synced
        self._limit = run.head + run.tail + SLACK
        self._on_output = on_output
        self.output = {Type.STDOUT: bytearray(), Type.STDERR: bytearray()}

    def other(self, frame: Frame) -> None:
        if frame.type in self.output:
            if self._on_output:
                self._on_output(frame.payload)
                return
            kept = self.output[frame.type]
            kept += frame.payload
            if len(kept) > self._limit:
                raise ProtocolError("more output than was asked for")
        elif frame.type is Type.EXITED:
            Exited.decode(frame.payload)
            self.finish(frame)
        elif frame.type is Type.SYNCED and not self._synced:
            self._synced = True
        elif frame.type is not Type.STARTED:
            super().other(frame)


class _Pushing(_Request):
    def __init__(self, seq: int) -> None:
        super().__init__(seq)
        self.acknowledged = 0
        self.moved = asyncio.Event()
        self.done.add_done_callback(lambda _: self.moved.set())

    def other(self, frame: Frame) -> None:
        if frame.type is Type.PUSH_ACK:
            self.acknowledged += 1
            self.moved.set()
        elif frame.type is Type.PUSHED:
            self.finish(frame)
        else:
            super().other(frame)


class _Pulling(_Request):
    def __init__(self, seq: int, limit: int) -> None:
        super().__init__(seq)
        self.data = bytearray()
        self._limit = limit

    def other(self, frame: Frame) -> None:
        if frame.type is Type.PULL_DATA:
            self.data += frame.payload
            if len(self.data) > self._limit:
                raise ProtocolError("more data than was asked for")
        elif frame.type is Type.PULLED:
            self.finish(frame)
        else:
            super().other(frame)


class Agent:
    """The agent of one guest.

    Args:
        machine: the guest's QEMU; its channels are listened to from now on.
        restored: the guest comes from a template: its HELLO was said long ago, on this channel.
    """

    def __init__(self, machine: Machine, restored: Channel | None = None) -> None:
        self._machine = machine
        self._channel = restored
        self._request: _Request | None = None
        self._seq = 0
        self._lost: GuestError | None = None
        self._hello: asyncio.Future[Hello] = asyncio.get_running_loop().create_future()
        for kind in machine.channels:
            machine.listen(kind, self._receiver(kind))

    @property
    def channel(self) -> Channel:
        """The channel that the agent chose."""
        if self._channel is None:
            raise GuestError("the agent has not said HELLO")
        return self._channel

    async def hello(self) -> Hello:
        """Waits for the agent's HELLO, without bound: the caller races it against its own."""
        return await asyncio.shield(self._hello)

    async def run(
        self,
        run: Run,
        *,
        timeout_s: float | None,
        on_output: Callable[[bytes], None] | None = None,
        sync: bool = False,
    ) -> RunReport:
        """Runs a program and waits for its end.

        Args:
            run: the program.
            timeout_s: seconds until it is killed; None waits for ever.
            on_output: takes the output as it comes; then it is not in the report.
            sync: set the guest's clock and reseed its random numbers first, in the same write.

        Raises:
            AgentRefusal: it could not be started.
            GuestError: the guest was lost, or does not answer any more.
        """
        request = _Running(self._next_seq(), run, on_output, synced=not sync)
        frames = [Frame(Type.RUN, request.seq, run.encode())]
        if sync:
            frames.insert(0, Frame(Type.SYNC, 0, protocol.sync(time.time_ns(), os.urandom(64))))
        await self._begin(request, b"".join(map(protocol.encode, frames)))
        timed_out = False
        try:
            frame = await self._answer(request, timeout_s)
        except TimeoutError:
            timed_out = True
            await self._send(Frame(Type.KILL, request.seq))
            try:
                frame = await self._answer(request, KILL_GRACE_S)
            except TimeoutError:
                self._lose(GuestError("the guest does not answer: its agent cannot end the case"))
                raise self._lost_error() from None
        finally:
            self._request = None
        exited = Exited.decode(frame.payload)
        out, err = request.output[Type.STDOUT], request.output[Type.STDERR]
        mark = b"kharness: end of job %d" % request.seq if exited.marked else b""
        return RunReport(exited, bytes(out), bytes(err), timed_out, mark)

    async def sync(self) -> None:
        """Sets the guest's clock and feeds its random numbers.

        Raises:
            GuestError: the guest was lost, or does not answer.
        """
        request = _Synchronising(self._next_seq())
        payload = protocol.sync(time.time_ns(), os.urandom(64))
        await self._begin(request, protocol.encode(Frame(Type.SYNC, request.seq, payload)))
        try:
            await self._bounded(request)
        finally:
            self._request = None

    async def standby(self, program: str) -> None:
        """Starts a case program that then waits for the name of a case to run.

        Args:
            program: absolute path in the guest.

        Raises:
            AgentRefusal: it could not be started.
            GuestError: the guest was lost, or does not answer.
        """
        request = _Starting(self._next_seq())
        run = Run((program, "-"), flags=RunFlags.STANDBY)
        await self._begin(request, protocol.encode(Frame(Type.STANDBY, request.seq, run.encode())))
        try:
            await self._bounded(request)
        finally:
            self._request = None

    async def feed(self, data: bytes) -> None:
        """Standard input for the running program; an empty ``bytes`` is its end."""
        if self._request:
            await self._send(Frame(Type.STDIN, self._request.seq, data))

    async def resize(self, rows: int, cols: int) -> None:
        """The size of the running program's terminal."""
        if self._request:
            await self._send(Frame(Type.WINSIZE, self._request.seq, protocol.winsize(rows, cols)))

    async def push(self, path: str, data: bytes, mode: int = 0o644) -> None:
        """Writes a file in the guest and compares hashes.

        Args:
            path: absolute path in the guest.
            data: the file's bytes.
            mode: permission bits.

        Raises:
            AgentRefusal: it cannot be written there.
            GuestError: the guest was lost, or the hash differs.
        """
        request = _Pushing(self._next_seq())
        seq = request.seq
        await self._begin(
            request, protocol.encode(Frame(Type.PUSH, seq, protocol.push(path, mode, len(data))))
        )
        try:
            step = protocol.WINDOW // 4
            for number, start in enumerate(range(0, len(data), step)):
                while number - request.acknowledged >= 4 and not request.done.done():
                    request.moved.clear()
                    try:
                        await asyncio.wait_for(request.moved.wait(), TRANSFER_TIMEOUT_S)
                    except TimeoutError:
                        self._lose(GuestError("the guest does not answer: push stalled"))
                if request.done.done():
                    break
                await self._send(Frame(Type.PUSH_DATA, seq, data[start : start + step]))
            if not request.done.done():
                await self._send(Frame(Type.PUSH_END, seq))
            frame = await self._bounded(request)
        finally:
            self._request = None
        if Done.decode(frame.payload).sha256 != hashlib.sha256(data).digest():
            raise GuestError(f"{path} differs in the guest from what was pushed")

    async def pull(self, path: str, limit: int = 64 * 1024 * 1024) -> bytes:
        """Reads a file of the guest and compares hashes.

        Args:
            path: absolute path in the guest.
            limit: largest size in bytes that is taken.

        Raises:
            AgentRefusal: it cannot be read, or is larger.
            GuestError: the guest was lost, or the hash differs.
        """
        request = _Pulling(self._next_seq(), limit)
        await self._begin(
            request, protocol.encode(Frame(Type.PULL, request.seq, protocol.pull(path, limit)))
        )
        try:
            frame = await self._bounded(request)
        finally:
            self._request = None
        done = Done.decode(frame.payload)
        data = bytes(request.data)
        if done.size != len(data) or done.sha256 != hashlib.sha256(data).digest():
            raise GuestError(f"{path} changed on its way from the guest")
        return data

    async def poweroff(self) -> None:
        """Asks the guest to end; QEMU ends with it."""
        await self._send(Frame(Type.POWEROFF, self._next_seq()))

    # Inside

    def _next_seq(self) -> int:
        self._seq += 1
        return self._seq

    def _lost_error(self) -> GuestError:
        return self._lost or GuestError("the guest was lost")

    def _lose(self, error: GuestError) -> None:
        if self._lost is not None:
            return
        self._lost = error
        waiting: list[asyncio.Future[Hello] | asyncio.Future[Frame]] = [self._hello]
        if self._request:
            waiting.append(self._request.done)
        for future in waiting:
            if not future.done():
                future.set_exception(error)
                future.exception()  # nobody may be waiting for it

    def _receiver(self, kind: Channel) -> Callable[[bytes], None]:
        decoder = Decoder()

        def receive(data: bytes) -> None:
            if self._lost is not None:
                return
            if not data:
                self._lose(GuestError("the guest ended"))
                return
            try:
                for frame in decoder.feed(data):
                    self._take(kind, frame)
            except ProtocolError as error:
                self._lose(GuestError(f"the guest broke the protocol: {error}"))
                self._machine.kill()

        return receive

    def _take(self, kind: Channel, frame: Frame) -> None:
        if self._channel is None:
            if frame.type is not Type.HELLO:
                raise ProtocolError(f"{frame.type.name} before HELLO")
            self._channel = kind
            self._hello.set_result(Hello.decode(frame.payload))
            return
        if kind is not self._channel or self._request is None:
            raise ProtocolError(f"{frame.type.name} was not asked for")
        if frame.seq not in (self._request.seq, 0):
            raise ProtocolError(f"{frame.type.name} for request {frame.seq}, which is not open")
        self._request.take(frame)

    async def _begin(self, request: _Request, data: bytes) -> None:
        if self._lost is not None:
            raise self._lost
        if self._request is not None:
            raise RuntimeError("one request at a time")
        self._request = request
        await self._machine.send(self.channel, data)

    async def _send(self, frame: Frame) -> None:
        if self._lost is not None:
            raise self._lost
        await self._machine.send(self.channel, protocol.encode(frame))

    async def _answer(self, request: _Request, timeout_s: float | None) -> Frame:
        return await asyncio.wait_for(asyncio.shield(request.done), timeout_s)

    async def _bounded(self, request: _Request) -> Frame:
        try:
            return await self._answer(request, TRANSFER_TIMEOUT_S)
        except TimeoutError:
            self._lose(GuestError("the guest does not answer"))
            raise self._lost_error() from None
