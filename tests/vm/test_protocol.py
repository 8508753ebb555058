# SPDX-License-Identifier: GPL-2.0-only
import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.vm import protocol
from harness.vm.protocol import (
    HEADER_SIZE,
    MAX_PAYLOAD,
    AgentError,
    Decoder,
    Done,
    Exited,
    Frame,
    Hello,
    ProtocolError,
    Run,
    Type,
    encode,
)

frames = st.builds(Frame, st.sampled_from(Type), st.integers(0, 2**32 - 1), st.binary(max_size=300))


@given(st.lists(frames, max_size=8), st.data())
def test_frames_come_back_whatever_the_pieces(sent: list[Frame], data: st.DataObject) -> None:
    stream = b"".join(map(encode, sent))
    decoder, got = Decoder(), []
    while stream:
        size = data.draw(st.integers(1, len(stream)))
        got += list(decoder.feed(stream[:size]))
        stream = stream[size:]
    assert got == sent


@given(st.lists(st.binary(max_size=200), max_size=10))
def test_garbage_is_a_protocol_error_and_nothing_else(pieces: list[bytes]) -> None:
    decoder = Decoder()
    with contextlib.suppress(ProtocolError):
        for piece in pieces:
            for frame in decoder.feed(piece):
                assert len(frame.payload) <= MAX_PAYLOAD


@given(frames, st.data())
def test_a_changed_byte_is_never_the_same_frame(frame: Frame, data: st.DataObject) -> None:
    stream = bytearray(encode(frame))
    at = data.draw(st.integers(0, len(stream) - 1))
    stream[at] ^= data.draw(st.integers(1, 255))
    decoder = Decoder()
    with contextlib.suppress(ProtocolError):
        assert frame not in list(decoder.feed(bytes(stream)))


def test_a_broken_stream_stays_broken() -> None:
    decoder = Decoder()
    with pytest.raises(ProtocolError):
        list(decoder.feed(b"nonsense, and a lot of it"))
    with pytest.raises(ProtocolError):
        list(decoder.feed(encode(Frame(Type.HELLO, 0))))


def test_a_length_is_refused_before_its_bytes_come() -> None:
    head = protocol.HEADER.pack(protocol.MAGIC, protocol.VERSION, 68, 0, MAX_PAYLOAD + 1)
    with pytest.raises(ProtocolError, match="announced"):
        list(Decoder().feed(head + bytes(4)))


def test_another_version_is_refused() -> None:
    stream = bytearray(encode(Frame(Type.HELLO, 0)))
    stream[2] = 9
    with pytest.raises(ProtocolError, match="version 9"):
        list(Decoder().feed(bytes(stream)))


def test_too_large_a_payload_is_not_sent() -> None:
    with pytest.raises(ValueError, match="at most"):
        encode(Frame(Type.PUSH_DATA, 1, bytes(MAX_PAYLOAD + 1)))


@given(st.binary(max_size=400))
@pytest.mark.parametrize("kind", [Hello, Exited, AgentError, Done])
def test_payloads_of_garbage_raise_nothing_else(kind: type[Hello], data: bytes) -> None:
    with contextlib.suppress(ProtocolError):
        kind.decode(data)


def test_a_string_with_nul_is_not_sent() -> None:
    with pytest.raises(ValueError, match="not a string"):
        Run(("/bin/a\0b",)).encode()


def test_header_is_as_documented() -> None:
    assert HEADER_SIZE == 16
    assert encode(Frame(Type.RUN, 7, b"ab"))[:12].hex() == "c54b02010700000002000000"
