# SPDX-License-Identifier: GPL-2.0-only
"""What is asked of an agent: which frames are an answer to it, and which one ends it."""

import asyncio
import os
from collections.abc import Callable

from harness.verdict.text import one_line
from harness.vm.protocol import AgentError, Exited, Frame, ProtocolError, Run, Type

STATE_PARTS = 2
STATE_LIMIT = 256 * 1024
"""Bytes that an agent may tell of a case's processes: 64 tasks with a stack of a page each."""
SLACK = 4096
"""Bytes of output on top of head and tail that are no breach: a frame may straddle the limit."""


class AgentRefusal(Exception):  # noqa: N818 - a refusal, not a defect
    """The agent could not do what was asked, and goes on."""

    def __init__(self, error: AgentError) -> None:
        name = os.strerror(error.errno)
        super().__init__(f"{one_line(error.what)}: {name}")
        self.errno = error.errno


class Request:
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
            self._other(frame)

    def _other(self, frame: Frame) -> None:
        """Everything but ERROR."""
        raise ProtocolError(f"{frame.type.name} was not asked for")

    def finish(self, frame: Frame) -> None:
        """The request is answered."""
        if not self.done.done():
            self.done.set_result(frame)


class Synchronising(Request):
    """SYNC."""

    def _other(self, frame: Frame) -> None:
        if frame.type is not Type.SYNCED:
            super()._other(frame)
        self.finish(frame)


class Starting(Request):
    """STANDBY."""

    def _other(self, frame: Frame) -> None:
        if frame.type is not Type.STARTED:
            super()._other(frame)
        self.finish(frame)


class Running(Request):
    """RUN, and a SYNC in the same write unless ``synced``; output goes to ``on_output`` or is kept.

    Attributes:
        synced: the agent has done with SYNC, and turns to the program.
        state: of the program's processes, while that is asked for.
        output: what is kept, by the kind of frame that brings it.
    """

    def __init__(
        self, seq: int, run: Run, on_output: Callable[[bytes], None] | None, *, synced: bool
    ) -> None:
        super().__init__(seq)
        self.synced = synced
        self._limit = run.head + run.tail + SLACK
        self._on_output = on_output
        self.state: State | None = None
        self.output = {Type.STDOUT: bytearray(), Type.STDERR: bytearray()}

    def _other(self, frame: Frame) -> None:
        if frame.type in self.output:
            if self._on_output:
                self._on_output(frame.payload)
                return
            kept = self.output[frame.type]
            kept += frame.payload
            if len(kept) > self._limit:
                raise ProtocolError("more output than was asked for")
        elif frame.type is Type.STATE and self.state:
            self.state.take(frame.payload)
        elif frame.type is Type.EXITED:
            Exited.decode(frame.payload)
            self.finish(frame)
        elif frame.type is Type.SYNCED and not self.synced:
            self.synced = True
        elif frame.type is not Type.STARTED:
            super()._other(frame)


class State:
    """What an agent tells of a case's processes, as it comes.

    Attributes:
        text: all of it.
        parts: those that are whole: first the tasks, then their stacks.
        moved: something came.
    """

    def __init__(self) -> None:
        self.text = bytearray()
        self.parts = 0
        self.moved = asyncio.Event()

    def take(self, payload: bytes) -> None:
        """Takes a piece; an empty one ends a part."""
        self.parts += not payload
        self.text += payload
        if len(self.text) > STATE_LIMIT or self.parts > STATE_PARTS:
            raise ProtocolError("more state than was asked for")
        self.moved.set()


class Pushing(Request):
    """PUSH.

    Attributes:
        acknowledged: pieces that the agent has written.
        moved: one more of them, or the end.
    """

    def __init__(self, seq: int) -> None:
        super().__init__(seq)
        self.acknowledged = 0
        self.moved = asyncio.Event()
        self.done.add_done_callback(lambda _: self.moved.set())

    def _other(self, frame: Frame) -> None:
        if frame.type is Type.PUSH_ACK:
            self.acknowledged += 1
            self.moved.set()
        elif frame.type is Type.PUSHED:
            self.finish(frame)
        else:
            super()._other(frame)


class Pulling(Request):
    """PULL of at most ``limit`` bytes, which are in ``data`` at its end."""

    def __init__(self, seq: int, limit: int) -> None:
        super().__init__(seq)
        self.data = bytearray()
        self._limit = limit

    def _other(self, frame: Frame) -> None:
        if frame.type is Type.PULL_DATA:
            self.data += frame.payload
            if len(self.data) > self._limit:
                raise ProtocolError("more data than was asked for")
        elif frame.type is Type.PULLED:
            self.finish(frame)
        else:
            super()._other(frame)
