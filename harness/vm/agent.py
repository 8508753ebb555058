# SPDX-License-Identifier: GPL-2.0-only
"""What the agent of a guest does for the host: programs, files, the clock."""

import asyncio
import contextlib
import hashlib
import os
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from harness.errors import GuestError
from harness.verdict.text import gap
from harness.vm import protocol
from harness.vm.agent_requests import (
    STATE_PARTS,
    AgentRefusal,
    Pulling,
    Pushing,
    Request,
    Running,
    Starting,
    State,
    Synchronising,
)
from harness.vm.conversation import ANSWER_S, Conversation
from harness.vm.machine import Machine
from harness.vm.protocol import Done, Exited, Frame, Hello, Run, RunFlags, Type
from harness.vm.qemu import Channel

__all__ = ["Agent", "AgentRefusal", "RunReport"]

KILL_GRACE_S = 30.0
"""How long a guest may take to end a case: a fork bomb has hundreds of processes to end."""
PIECES = 4
"""Pieces of a file that are on their way at a time: together they fill the window."""
PULL_STEP = 64 * 1024
"""Bytes of a file that have to come in ANSWER_S; a serial channel on a busy host brings 1.3 MB."""


@dataclass(frozen=True)
class RunReport:
    """How a program ended.

    Attributes:
        exited: status and usage.
        stdout: standard output; where its middle was not sent a line says so (:func:`with_gap`).
        stderr: the same for standard error.
        truncated: some of the output was not sent.
        timed_out: it was killed because its time was up.
        mark: what the console has after everything that the kernel said until the program's end;
            empty when it said nothing.
    """

    exited: Exited
    stdout: bytes
    stderr: bytes
    truncated: bool = False
    timed_out: bool = False
    mark: bytes = b""


def with_gap(sent: bytes, head: int, written: int) -> bytes:
    """A stream with a line of its own in place of what was not sent.

    Lines that are there in part only are left out too, unless nothing else is there: half a result
    is not to be read as one.

    Args:
        sent: its first ``head`` bytes and its last.
        head: bytes that were sent as they came.
        written: bytes that the program wrote.
    """
    if written <= len(sent) or len(sent) < head:
        return sent
    start, end = sent[:head], sent[head:]
    start = start[: start.rfind(b"\n") + 1] or start
    end = end[end.find(b"\n") + 1 :] or end
    missing = written - len(start) - len(end)
    line = gap(missing).encode() + b"\n"
    return start + (line if start.endswith(b"\n") else b"\n" + line) + end


class Agent:
    """The agent of one guest.

    Attributes:
        said: what the last program wrote to stdout and stderr, as far as it came; also of one
            whose end nobody reported.
        turned_to: the agent came as far as the last program that it was asked to run; otherwise
            whatever happened was before that.

    Args:
        machine: the guest's QEMU; its channels are listened to from now on.
        restored: the guest comes from a template: its HELLO was said long ago, on this channel.
    """

    def __init__(self, machine: Machine, restored: Channel | None = None) -> None:
        self.said = (b"", b"")
        self.turned_to = True
        self._talk = Conversation(machine, restored)

    @property
    def channel(self) -> Channel:
        """The channel that the agent chose."""
        return self._talk.channel

    @property
    def queued_s(self) -> float:
        """See :class:`harness.vm.conversation.Conversation`."""
        return self._talk.queued_s

    async def hello(self) -> Hello:
        """Waits for the agent's HELLO, without bound: the caller races it against its own."""
        return await self._talk.hello()

    async def run(
        self,
        run: Run,
        *,
        timeout_s: float | None,
        on_output: Callable[[bytes], None] | None = None,
        sync: bytes | None = None,
        on_timeout: Callable[[], Awaitable[bool]] | None = None,
    ) -> RunReport:
        """Runs a program and waits for its end.

        Args:
            run: the program.
            timeout_s: seconds of the guest's time until it is killed; None waits for ever.
            on_output: takes the output as it comes; then it is not in the report.
            sync: set the guest's clock and feed these bytes to its random numbers first, in the
                same write.
            on_timeout: awaited when the time is up, before the program is killed; False: killing
                it is of no use.

        Raises:
            AgentRefusal: it could not be started.
            GuestError: the guest was lost, or does not answer any more.
        """
        request = Running(self._talk.next_seq(), run, on_output, synced=sync is None)
        frames = [Frame(Type.RUN, request.seq, run.encode())]
        if sync is not None:
            frames.insert(0, Frame(Type.SYNC, 0, protocol.sync(time.time_ns(), sync)))
        async with self._talk.asked(request, b"".join(map(protocol.encode, frames))):
            try:
                frame, timed_out = await self._ended(request, timeout_s, on_timeout)
            finally:
                out, err = request.output[Type.STDOUT], request.output[Type.STDERR]
                self.said = bytes(out), bytes(err)
                self.turned_to = request.synced
        exited = Exited.decode(frame.payload)
        mark = b"kharness: end of job %d" % request.seq if exited.marked else b""
        sent, written = self.said, (exited.stdout_bytes, exited.stderr_bytes)
        stdout, stderr = (with_gap(s, run.head, w) for s, w in zip(sent, written, strict=True))
        truncated = sum(map(len, sent)) < sum(written)
        return RunReport(exited, stdout, stderr, truncated, timed_out, mark)

    async def _ended(
        self,
        request: Running,
        timeout_s: float | None,
        on_timeout: Callable[[], Awaitable[bool]] | None,
    ) -> tuple[Frame, bool]:
        """What the agent says of a program's end, and whether its time was up."""
        talk = self._talk
        with contextlib.suppress(TimeoutError):
            return await talk.answer(request, timeout_s), False
        if on_timeout and not await on_timeout() and not request.done.done():
            raise talk.lose("the guest does not answer: the case cannot be ended")
        if not request.done.done():
            await talk.send(Frame(Type.KILL, request.seq))
        try:
            return await talk.answer(request, KILL_GRACE_S), True
        except TimeoutError:
            raise talk.lose("the guest does not answer: its agent cannot end the case") from None

    async def state(self, limit_s: float) -> str | None:
        """What the processes of the program that runs do: as ``images/agent/state.h`` has it.

        Args:
            limit_s: what has not come by then is left out.

        Returns:
            Lines, none where the guest has no /proc; None when the agent does not answer.
        """
        request = self._talk.request
        if self._talk.lost is not None or not isinstance(request, Running) or request.state:
            return None
        state = request.state = State()
        try:
            async with asyncio.timeout(limit_s):
                await self._talk.send(Frame(Type.STATUS, request.seq))
                while state.parts < STATE_PARTS and not request.done.done():
                    state.moved.clear()
                    await state.moved.wait()
        except (TimeoutError, GuestError):
            if not state.parts:
                return None
        return state.text.decode("utf-8", "backslashreplace")

    async def sync(self) -> None:
        """Sets the guest's clock and feeds its random numbers.

        Raises:
            GuestError: the guest was lost, or does not answer.
        """
        payload = protocol.sync(time.time_ns(), os.urandom(64))
        await self._asked(Synchronising(self._talk.next_seq()), Type.SYNC, payload)

    async def standby(self, program: str) -> None:
        """Starts a case program that then waits for the name of a case to run.

        Args:
            program: absolute path in the guest.

        Raises:
            AgentRefusal: it could not be started.
            GuestError: the guest was lost, or does not answer.
        """
        run = Run((program, "-"), flags=RunFlags.STANDBY)
        await self._asked(Starting(self._talk.next_seq()), Type.STANDBY, run.encode())

    async def feed(self, data: bytes) -> None:
        """Standard input for the running program; an empty ``bytes`` is its end."""
        if request := self._talk.request:
            await self._talk.send(Frame(Type.STDIN, request.seq, data))

    async def resize(self, rows: int, cols: int) -> None:
        """The size of the running program's terminal."""
        if request := self._talk.request:
            await self._talk.send(Frame(Type.WINSIZE, request.seq, protocol.winsize(rows, cols)))

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
        talk = self._talk
        request = Pushing(talk.next_seq())
        start = Frame(Type.PUSH, request.seq, protocol.push(path, mode, len(data)))
        async with talk.asked(request, protocol.encode(start)):
            step = protocol.WINDOW // PIECES
            for number, at in enumerate(range(0, len(data), step)):
                await self._room(request, number)
                if request.done.done():
                    break
                await talk.send(Frame(Type.PUSH_DATA, request.seq, data[at : at + step]))
            if not request.done.done():
                await talk.send(Frame(Type.PUSH_END, request.seq))
            frame = await talk.bounded(request)
        if Done.decode(frame.payload).sha256 != hashlib.sha256(data).digest():
            raise GuestError(f"{path} differs in the guest from what was pushed")

    async def _room(self, request: Pushing, number: int) -> None:
        """Waits until there is room for a piece by its number, or the request is over."""
        while number - request.acknowledged >= PIECES and not request.done.done():
            request.moved.clear()
            try:
                await asyncio.wait_for(request.moved.wait(), ANSWER_S)
            except TimeoutError:
                self._talk.lose("the guest does not answer: push stalled")

    async def pull(self, path: str, limit: int = 64 * 1024 * 1024) -> bytes:
        """Reads a file of the guest and compares hashes.

        Args:
            path: absolute path in the guest.
            limit: largest size in bytes that is taken.

        Raises:
            AgentRefusal: it cannot be read, or is larger.
            GuestError: the guest was lost, or the hash differs.
        """
        talk = self._talk
        request = Pulling(talk.next_seq(), limit)
        start = Frame(Type.PULL, request.seq, protocol.pull(path, limit))
        async with talk.asked(request, protocol.encode(start)):
            frame = await self._pulled(request)
        done = Done.decode(frame.payload)
        data = bytes(request.data)
        if done.size != len(data) or done.sha256 != hashlib.sha256(data).digest():
            raise GuestError(f"{path} changed on its way from the guest")
        return data

    async def _pulled(self, request: Pulling) -> Frame:
        """The end of a file that may take long, as long as enough of it comes."""
        while True:
            before = len(request.data)
            try:
                return await self._talk.answer(request, ANSWER_S)
            except TimeoutError:
                if len(request.data) - before < PULL_STEP:
                    raise self._talk.lose("the guest does not answer: pull stalled") from None

    async def poweroff(self) -> None:
        """Asks the guest to end; QEMU ends with it."""
        await self._talk.send(Frame(Type.POWEROFF, self._talk.next_seq()))

    async def _asked(self, request: Request, kind: Type, payload: bytes) -> Frame:
        """Asks, and waits for the answer."""
        frame = protocol.encode(Frame(kind, request.seq, payload))
        async with self._talk.asked(request, frame):
            return await self._talk.bounded(request)
