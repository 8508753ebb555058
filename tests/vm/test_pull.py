# SPDX-License-Identifier: GPL-2.0-only
"""How long a guest may take to send a file."""

import asyncio
import hashlib
import struct
from collections.abc import Callable
from typing import cast

import pytest

from harness.errors import GuestError
from harness.vm import agent, conversation
from harness.vm.agent import Agent
from harness.vm.machine import Machine
from harness.vm.protocol import Decoder, Frame, Type, encode
from harness.vm.qemu import Channel


class SlowGuest:
    """Answers PULL with pieces of a file, with a pause before each; a Machine as Agent sees one."""

    channels = (Channel.SERIAL,)
    pid = 0

    def __init__(self, pieces: list[bytes], pause_s: float) -> None:
        self._pieces = pieces
        self._pause_s = pause_s
        self._say: Callable[[bytes], None] = print
        self._sending: asyncio.Task[None] | None = None

    def listen(self, kind: Channel, handler: Callable[[bytes], None]) -> None:
        self._say = handler

    async def send(self, kind: Channel, data: bytes) -> None:
        (asked,) = Decoder().feed(data)
        assert asked.type is Type.PULL
        self._sending = asyncio.ensure_future(self._send_pieces(asked.seq))

    async def _send_pieces(self, seq: int) -> None:
        for piece in self._pieces:
            await asyncio.sleep(self._pause_s)
            self._say(encode(Frame(Type.PULL_DATA, seq, piece)))
        whole = b"".join(self._pieces)
        done = struct.pack("<Q32sI", len(whole), hashlib.sha256(whole).digest(), 0o644)
        self._say(encode(Frame(Type.PULLED, seq, done)))


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (agent, conversation):
        monkeypatch.setattr(module, "ANSWER_S", 0.5)


def pull(pieces: list[bytes], pause_s: float) -> bytes:
    async def pulled() -> bytes:
        guest = SlowGuest(pieces, pause_s)
        asked = Agent(cast(Machine, guest), restored=Channel.SERIAL)
        return await asyncio.wait_for(asked.pull("/file"), 60)

    return asyncio.run(pulled())


def test_a_file_may_take_long_while_it_comes() -> None:
    pieces = [bytes([number]) * 60_000 for number in range(40)]
    assert pull(pieces, 0.04) == b"".join(pieces)


def test_one_that_stalls_is_lost() -> None:
    with pytest.raises(GuestError, match="does not answer: pull stalled"):
        pull([bytes(60_000), b"x"], 1e6)


def test_one_that_drips_is_lost() -> None:
    with pytest.raises(GuestError, match="does not answer: pull stalled"):
        pull([b"x"] * 100_000, 0.01)
