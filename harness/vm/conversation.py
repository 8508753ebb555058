# SPDX-License-Identifier: GPL-2.0-only
"""The conversation with a guest's agent: frames there and back, one request at a time.

Who breaks the protocol is lost, and so is who does not answer.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from harness.errors import GuestError
from harness.vm import protocol
from harness.vm.agent_requests import Request
from harness.vm.machine import Machine
from harness.vm.patience import Patience
from harness.vm.protocol import Decoder, Frame, Hello, ProtocolError, Type
from harness.vm.qemu import Channel

ANSWER_S = 60.0
"""How long an agent may take for what is not a program's run."""
LOOK_AGAIN_S = 0.02
"""A limit that moves on is looked at no more often."""


class Conversation:
    """What is said to an agent, and what it says.

    Attributes:
        lost: why the guest is lost; None while it is not.
        request: what it was asked and has not answered.
        queued_s: seconds that the guest waited for a CPU of the host while its last answer that
            came too late was waited for.

    Args:
        machine: the guest's QEMU; its channels are listened to from now on.
        restored: the guest comes from a template: its HELLO was said long ago, on this channel.
    """

    def __init__(self, machine: Machine, restored: Channel | None) -> None:
        self.lost: GuestError | None = None
        self.request: Request | None = None
        self.queued_s = 0.0
        self._machine = machine
        self._channel = restored
        self._seq = 0
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

    def next_seq(self) -> int:
        """A number for the next request."""
        self._seq += 1
        return self._seq

    @asynccontextmanager
    async def asked(self, request: Request, data: bytes) -> AsyncIterator[None]:
        """Asks for something; in the block its answer is waited for.

        Args:
            request: what is asked.
            data: the frames that ask for it.

        Raises:
            GuestError: the guest is lost.
        """
        if self.lost is not None:
            raise self.lost
        if self.request is not None:
            raise RuntimeError("one request at a time")
        self.request = request
        try:
            await self._machine.send(self.channel, data)
            yield
        finally:
            self.request = None

    async def send(self, frame: Frame) -> None:
        """Sends one more frame.

        Raises:
            GuestError: the guest is lost.
        """
        if self.lost is not None:
            raise self.lost
        await self._machine.send(self.channel, protocol.encode(frame))

    async def answer(self, request: Request, timeout_s: float | None) -> Frame:
        """The frame that ends a request.

        Args:
            request: what was asked.
            timeout_s: seconds of the guest's time (:class:`Patience`); None waits for ever.

        Raises:
            TimeoutError: it did not come; the guest is not lost by that.
            AgentRefusal: the agent could not do it.
            GuestError: the guest is lost.
        """
        if timeout_s is None:
            return await asyncio.shield(request.done)
        patience = Patience(self._machine.pid, timeout_s)
        while not request.done.done():
            left_s = patience.left_s()
            if left_s <= 0:
                self.queued_s = patience.queued_s()
                raise TimeoutError
            await asyncio.wait({request.done}, timeout=max(left_s, LOOK_AGAIN_S))
        return request.done.result()

    async def bounded(self, request: Request) -> Frame:
        """The same for an agent that has to answer by :data:`ANSWER_S`, else it is lost."""
        try:
            return await self.answer(request, ANSWER_S)
        except TimeoutError:
            raise self.lose("the guest does not answer") from None

    def lose(self, words: str) -> GuestError:
        """Gives the guest up; returns why it is lost, which may be what came before."""
        if self.lost is not None:
            return self.lost
        error = self.lost = GuestError(words)
        waiting: list[asyncio.Future[Hello] | asyncio.Future[Frame]] = [self._hello]
        if self.request:
            waiting.append(self.request.done)
        for future in waiting:
            if not future.done():
                future.set_exception(error)
                future.exception()  # nobody may be waiting for it
        return error

    def _receiver(self, kind: Channel) -> Callable[[bytes], None]:
        decoder = Decoder()

        def receive(data: bytes) -> None:
            if self.lost is not None:
                return
            if not data:
                self.lose("the guest ended")
                return
            try:
                for frame in decoder.feed(data):
                    self._take(kind, frame)
            except ProtocolError as error:
                self.lose(f"the guest broke the protocol: {error}")
                self._machine.kill()

        return receive

    def _take(self, kind: Channel, frame: Frame) -> None:
        if self._channel is None:
            if frame.type is not Type.HELLO:
                raise ProtocolError(f"{frame.type.name} before HELLO")
            self._channel = kind
            self._hello.set_result(Hello.decode(frame.payload))
            return
        answered = self.request is None or self.request.done.done()
        if kind is not self._channel or self.request is None or answered:
            raise ProtocolError(f"{frame.type.name} was not asked for")
        if frame.seq not in (self.request.seq, 0):
            raise ProtocolError(f"{frame.type.name} for request {frame.seq}, which is not open")
        self.request.take(frame)
