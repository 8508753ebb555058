# SPDX-License-Identifier: GPL-2.0-only
"""The frames that host and agent exchange; ``docs/protocol.md`` describes them.

Every byte that a guest sends is taken as if an attacker wrote it: lengths are bounded before
anything is allocated, checksums and types are checked, and any breach ends the guest with a
:class:`ProtocolError`. There is no resynchronisation.
"""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum, IntFlag

MAGIC = b"\xc5K"
VERSION = 2
HEADER = struct.Struct("<2sBBII")
"""magic, version, type, sequence, payload length; a CRC-32 (little-endian) follows."""
HEADER_SIZE = HEADER.size + 4
MAX_PAYLOAD = 64 * 1024
WINDOW = 32 * 1024
"""Bytes of PUSH_DATA that may be under way to the guest without an acknowledgement.

A serial port of the guest drops what comes on top of 64 KiB that nobody has read
(drivers/tty/tty_buffer.c, TTYB_DEFAULT_MEM_LIMIT).
"""


class ProtocolError(Exception):
    """The peer sent what the protocol does not allow."""


class Type(IntEnum):
    """Frame types: below 64 from host to guest, from 64 on from guest to host."""

    RUN = 1
    STDIN = 2
    WINSIZE = 3
    KILL = 4
    PUSH = 5
    PUSH_DATA = 6
    PUSH_END = 7
    PULL = 8
    SYNC = 9
    POWEROFF = 10
    STANDBY = 11
    STATUS = 12

    HELLO = 64
    STARTED = 65
    STDOUT = 66
    STDERR = 67
    EXITED = 68
    ERROR = 69
    PUSH_ACK = 70
    PUSHED = 71
    PULL_DATA = 72
    PULLED = 73
    SYNCED = 74
    STATE = 75


class RunFlags(IntFlag):
    """How a program is run."""

    NONE = 0
    PTY = 1
    """On a pseudo terminal; STDOUT carries everything, STDIN and WINSIZE are heeded."""
    WRITABLE_ROOT = 2
    """Do not make the root read-only for the program."""
    KEEP_TMP = 4
    """Keep /tmp as the last program left it instead of mounting a fresh one."""
    STDIN = 8
    """Standard input is a pipe fed by STDIN frames (an empty one closes it), else /dev/null."""
    DISPOSABLE = 16
    """The guest is dropped afterwards: no fresh /tmp, no mount namespace of the program's own."""
    STANDBY = 32
    """Let the program that STANDBY started run the case ``argv[1]``, if there is one."""
    MERGED = 64
    """Standard error goes where standard output goes, so that their order is kept."""


@dataclass(frozen=True)
class Frame:
    """One frame: type, sequence number (of the request that it belongs to) and payload."""

    type: Type
    seq: int
    payload: bytes = b""


def encode(frame: Frame) -> bytes:
    """The frame's bytes.

    Raises:
        ValueError: the payload is larger than :data:`MAX_PAYLOAD`.
    """
    if len(frame.payload) > MAX_PAYLOAD:
        raise ValueError(f"payload of {len(frame.payload)} bytes, at most {MAX_PAYLOAD}")
    head = HEADER.pack(MAGIC, VERSION, frame.type, frame.seq, len(frame.payload))
    crc = zlib.crc32(frame.payload, zlib.crc32(head))
    return head + crc.to_bytes(4, "little") + frame.payload


class Decoder:
    """Turns bytes, in whatever pieces they come, into frames. Holds at most one frame's bytes."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._broken: ProtocolError | None = None

    def feed(self, data: bytes) -> Iterator[Frame]:
        """Takes bytes and yields the frames that are complete now.

        Raises:
            ProtocolError: wrong magic, version, length, checksum or type; and on every later call.
        """
        if self._broken:
            raise self._broken
        self._buffer += data
        try:
            while frame := self._next():
                yield frame
        except ProtocolError as error:
            self._broken = error
            self._buffer.clear()
            raise

    def _next(self) -> Frame | None:
        buffer = self._buffer
        if bytes(buffer[: len(MAGIC)]) != MAGIC[: len(buffer)]:
            raise ProtocolError(f"no frame starts with {bytes(buffer[:8]).hex(' ')}")
        if len(buffer) < HEADER_SIZE:
            return None
        _, version, kind, seq, length = HEADER.unpack_from(buffer)
        if version != VERSION:
            raise ProtocolError(f"protocol version {version}, this side speaks {VERSION}")
        if length > MAX_PAYLOAD:
            raise ProtocolError(f"payload of {length} bytes announced, at most {MAX_PAYLOAD}")
        if len(buffer) < HEADER_SIZE + length:
            return None
        payload = bytes(buffer[HEADER_SIZE : HEADER_SIZE + length])
        crc = int.from_bytes(buffer[HEADER.size : HEADER_SIZE], "little")
        if zlib.crc32(payload, zlib.crc32(bytes(buffer[: HEADER.size]))) != crc:
            raise ProtocolError("checksum mismatch")
        try:
            known = Type(kind)
        except ValueError:
            raise ProtocolError(f"unknown frame type {kind}") from None
        del buffer[: HEADER_SIZE + length]
        return Frame(known, seq, payload)


# Payloads. Integers are little-endian; a string is u16 length and bytes without a NUL.


def _string(text: str) -> bytes:
    data = text.encode("utf-8", "surrogateescape")
    if b"\0" in data or len(data) > 0xFFFF:
        raise ValueError(f"not a string for the protocol: {text[:40]!r}")
    return struct.pack("<H", len(data)) + data


def _take_string(payload: bytes, offset: int) -> tuple[str, int]:
    if offset + 2 > len(payload):
        raise ProtocolError("payload ends inside a string's length")
    (length,) = struct.unpack_from("<H", payload, offset)
    end = offset + 2 + length
    if end > len(payload):
        raise ProtocolError("payload ends inside a string")
    return payload[offset + 2 : end].decode("utf-8", "surrogateescape"), end


@dataclass(frozen=True)
class Run:
    """RUN: u32 flags, u32 head, u32 tail, u32 uid, u32 gid, u32 settle in ms, u16 rows, u16 cols,
    string cwd, u16 argc, strings, u16 envc, strings (``NAME=value``).

    ``head`` and ``tail`` bound each output stream in bytes: of what is longer, the first ``head``
    and the last ``tail`` bytes are sent. ``argv[0]`` is the program's absolute path. After the
    program's end the agent waits ``settle_ms`` for what the kernel may still report.
    """

    argv: tuple[str, ...]
    env: tuple[str, ...] = ()
    cwd: str = "/tmp"
    flags: RunFlags = RunFlags.NONE
    head: int = 512 * 1024
    tail: int = 64 * 1024
    uid: int = 0
    gid: int = 0
    settle_ms: int = 0
    rows: int = 24
    cols: int = 80

    def encode(self) -> bytes:
        """Payload of the RUN frame."""
        parts = [
            struct.pack(
                "<IIIIIIHH",
                *(self.flags, self.head, self.tail, self.uid, self.gid),
                *(self.settle_ms, self.rows, self.cols),
            ),
            _string(self.cwd),
            struct.pack("<H", len(self.argv)),
            *map(_string, self.argv),
            struct.pack("<H", len(self.env)),
            *map(_string, self.env),
        ]
        return b"".join(parts)


@dataclass(frozen=True)
class Hello:
    """HELLO: u32 largest payload, u32 page size, u64 memory in KiB, u32 CPUs, and five strings:
    channel, sysname, release, version, machine (uname(2)).
    """

    memory_kib: int
    cpus: int
    channel: str
    release: str
    version: str
    machine: str

    @classmethod
    def decode(cls, payload: bytes) -> "Hello":
        """Reads the payload; raises :class:`ProtocolError`."""
        head = struct.Struct("<IIQI")
        if len(payload) < head.size:
            raise ProtocolError("short HELLO")
        _, _, memory, cpus = head.unpack_from(payload)
        offset, texts = head.size, []
        for _ in range(5):
            text, offset = _take_string(payload, offset)
            texts.append(text)
        channel, _, release, version, machine = texts
        return cls(memory, cpus, channel, release, version, machine)


_EXITED = struct.Struct("<iIQQQQQQIIII")
TAINT_UNKNOWN = 0xFFFFFFFF
"""The agent has no /proc to read the kernel's taint from."""


@dataclass(frozen=True)
class Exited:
    """EXITED, after the program ended, what it left was killed, and all output was sent:
    i32 wait status, u32 flags (1: killed by KILL, 2: the console is marked), u64 user us,
    u64 system us, u64 peak RSS KiB, u64 wall ns, u64 stdout bytes, u64 stderr bytes,
    u32 leftovers killed, u32 stuck, u32 taint before, u32 taint after.

    Attributes:
        status: as wait(2) gives it.
        killed: a KILL frame ended it.
        marked: the kernel said something, and ``kharness: end of job <seq>`` follows it there.
        user_s: CPU time in user space, seconds.
        system_s: CPU time in the kernel, seconds.
        maxrss_kib: peak resident set, KiB (ru_maxrss of wait4(2)).
        wall_s: from start to end by the guest's monotonic clock, seconds.
        stdout_bytes: bytes written, those included that were not sent.
        stderr_bytes: the same for standard error.
        leftovers: processes of the case that were still there and were killed.
        stuck: processes that did not die; the guest is not usable any more.
        taint_before: the kernel's taint bits when the last program ended, or at the start.
        taint: the same now; :data:`TAINT_UNKNOWN` where the guest cannot tell.
    """

    status: int
    killed: bool
    marked: bool
    user_s: float
    system_s: float
    maxrss_kib: int
    wall_s: float
    stdout_bytes: int
    stderr_bytes: int
    leftovers: int
    stuck: int
    taint_before: int = TAINT_UNKNOWN
    taint: int = TAINT_UNKNOWN

    @property
    def new_taint(self) -> int:
        """Taint bits that were not there before; 0 where the guest cannot tell."""
        if TAINT_UNKNOWN in (self.taint_before, self.taint):
            return 0
        return self.taint & ~self.taint_before

    @classmethod
    def decode(cls, payload: bytes) -> "Exited":
        """Reads the payload; raises :class:`ProtocolError`."""
        if len(payload) != _EXITED.size:
            raise ProtocolError(f"EXITED of {len(payload)} bytes, {_EXITED.size} expected")
        status, flags, user, system, rss, wall, out, err, left, stuck, before, now = _EXITED.unpack(
            payload
        )
        return cls(
            status,
            bool(flags & 1),
            bool(flags & 2),
            user / 1e6,
            system / 1e6,
            rss,
            wall / 1e9,
            out,
            err,
            left,
            stuck,
            before,
            now,
        )


@dataclass(frozen=True)
class AgentError:
    """ERROR: i32 errno, string what was tried. The request failed, the agent goes on."""

    errno: int
    what: str

    @classmethod
    def decode(cls, payload: bytes) -> "AgentError":
        """Reads the payload; raises :class:`ProtocolError`."""
        if len(payload) < 4:
            raise ProtocolError("short ERROR")
        what, _ = _take_string(payload, 4)
        return cls(struct.unpack_from("<i", payload)[0], what)


@dataclass(frozen=True)
class Done:
    """PUSHED and PULLED: u64 size, 32 bytes SHA-256, u32 mode."""

    size: int
    sha256: bytes
    mode: int

    @classmethod
    def decode(cls, payload: bytes) -> "Done":
        """Reads the payload; raises :class:`ProtocolError`."""
        if len(payload) != 44:
            raise ProtocolError(f"PUSHED or PULLED of {len(payload)} bytes, 44 expected")
        size, sha256, mode = struct.unpack("<Q32sI", payload)
        return cls(size, sha256, mode)


def push(path: str, mode: int, size: int) -> bytes:
    """Payload of PUSH: u32 mode, u64 size, string absolute path.

    Each PUSH_DATA is answered by a PUSH_ACK (u32 bytes of that frame) once it is written; PUSH_END
    by PUSHED. After an ERROR the agent drops what still comes of that push.
    """
    return struct.pack("<IQ", mode, size) + _string(path)


def pull(path: str, limit: int) -> bytes:
    """Payload of PULL: u64 limit in bytes, string absolute path. A larger file is an ERROR."""
    return struct.pack("<Q", limit) + _string(path)


def sync(realtime_ns: int, entropy: bytes) -> bytes:
    """Payload of SYNC: u64 wall clock in ns since 1970 (0: leave it), bytes mixed into the RNG."""
    return struct.pack("<Q", realtime_ns) + entropy


def winsize(rows: int, cols: int) -> bytes:
    """Payload of WINSIZE: u16 rows, u16 columns."""
    return struct.pack("<HH", rows, cols)
