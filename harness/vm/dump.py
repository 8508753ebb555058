# SPDX-License-Identifier: GPL-2.0-only
"""A guest's memory as an ELF core, compressed: for drgn, crash and gdb.

QEMU writes the core into a pipe (QMP ``dump-guest-memory``), and it is compressed as it comes: no
uncompressed copy lies anywhere. A debugger needs the kernel's VMCOREINFO note to find its way;
QEMU has it only of a guest with a driver for that (FW_CFG_SYSFS). It lies in the memory of every
kernel with VMCORE_INFO (CRASH_CORE before 6.9), so it is found there as the memory passes, and put
at the end of the core, with the notes that QEMU wrote.
"""

import asyncio
import contextlib
import itertools
import os
import struct
from collections.abc import Callable
from dataclasses import dataclass
from io import RawIOBase
from pathlib import Path
from typing import BinaryIO

import zstandard
from qemu.qmp import ExecuteError

from harness.cache import private_folder
from harness.errors import GuestError
from harness.locks import Lock
from harness.vm.machine import Machine

SUFFIX = ".core.zst"
LEVEL = 3
"""Of zstd: most of a guest's memory is zeros, and a crash should not take long."""
CHUNK = 1024 * 1024
DUMP_S = 120.0
EHDR = struct.Struct("<16sHHIQQQIHHHHHH")
PHDR = struct.Struct("<IIQQQQQQ")
"""ELF-64 file and program header (elf(5))."""
PT_NOTE, PT_LOAD = 4, 1
HEAD_LIMIT = 1024 * 1024
"""What comes before the memory: headers, and a note of some hundred bytes for each CPU."""
NAME = b"VMCOREINFO\0\0"
NOTE_START = struct.pack("<I", len(NAME) - 1)
NOTE_LIMIT = 64 * 1024
"""A VMCOREINFO note has at most a page (include/linux/vmcore_info.h, VMCOREINFO_BYTES)."""


class DumpError(Exception):
    """A dump was not taken, or not kept; says why."""


@dataclass(frozen=True)
class DumpPolicy:
    """When memory is dumped, and how much of it is kept.

    Attributes:
        when: ``never``, ``on-crash`` (a crash or a hang) or ``always``.
        folder: where dumps go.
        number: files that it may hold.
        limit_mib: what they may take together, compressed, in MiB.
    """

    when: str = "never"
    folder: Path | None = None
    number: int = 3
    limit_mib: int = 1024


async def dump(machine: Machine, policy: DumpPolicy, name: str) -> Path:
    """Writes a guest's memory to ``<folder>/<name>.core.zst``; it may run or be paused.

    Where that file is there already, this one is called ``<name>.2.core.zst``, and so on.

    Args:
        machine: the guest's QEMU.
        policy: where to, and the bounds.
        name: of the attempt at a case; a slash in it is a folder.

    Returns:
        The file.

    Raises:
        DumpError: a bound, the disk, or QEMU stands in the way.
    """
    assert policy.folder is not None
    try:
        target, room = await asyncio.to_thread(_claim, policy, name)
    except OSError as error:
        where = error.filename or policy.folder
        raise DumpError(f"cannot write {where}: {error.strerror}") from error
    read_end, write_end = os.pipe()
    writing = asyncio.ensure_future(asyncio.to_thread(_store, read_end, target, room))
    try:
        try:
            await machine.hand_over("dump", write_end)
        finally:
            os.close(write_end)
        arguments = {"paging": False, "protocol": "fd:dump"}
        await machine.execute("dump-guest-memory", arguments, limit_s=DUMP_S)
    except BaseException as error:
        machine.kill()
        await asyncio.wait({writing}, timeout=DUMP_S)
        target.unlink(missing_ok=True)
        # The writer's own failure is why QEMU failed, where there is one.
        reason = writing.exception() if writing.done() else None
        if not isinstance(error, ExecuteError | GuestError):
            raise
        raise DumpError(str(reason or error)) from error
    try:
        await asyncio.wait_for(writing, DUMP_S)
    except (DumpError, TimeoutError) as error:
        target.unlink(missing_ok=True)
        raise DumpError(str(error) or "writing it took too long") from error
    except BaseException:
        target.unlink(missing_ok=True)
        raise
    return target


def _claim(policy: DumpPolicy, name: str) -> tuple[Path, int]:
    """Makes an empty file that was not there; bytes that it may have. Workers take turns."""
    assert policy.folder is not None
    private_folder(policy.folder)
    with Lock(policy.folder / ".lock", shared=False):
        there = list(policy.folder.glob(f"**/*{SUFFIX}"))
        if len(there) >= policy.number:
            raise DumpError(f"{len(there)} dumps are there already ([run] dump_limit)")
        room = policy.limit_mib * 1024 * 1024 - sum(file.stat().st_size for file in there)
        if room <= 0:
            raise DumpError(f"dumps have {policy.limit_mib} MiB already ([run] dump_limit_mib)")
        for number in itertools.count(1):
            more = f".{number}" if number > 1 else ""
            target = policy.folder / f"{name}{more}{SUFFIX}"
            private_folder(target.parent)
            with contextlib.suppress(FileExistsError):
                target.touch(mode=0o600, exist_ok=False)
                break
        return target, room


def _store(read_end: int, target: Path, room: int) -> None:
    """Compresses what comes through the pipe into the file."""
    packer = zstandard.ZstdCompressor(level=LEVEL).compressobj()
    try:
        with os.fdopen(read_end, "rb", buffering=0) as source, target.open("wb") as stream:
            left = room

            def keep(packed: bytes) -> None:
                nonlocal left
                left -= len(packed)
                if left < 0:
                    raise DumpError("it is larger than dumps may be ([run] dump_limit_mib)")
                stream.write(packed)

            rewrite(source, lambda data: keep(packer.compress(data)))
            keep(packer.flush())
    except OSError as error:
        raise DumpError(f"cannot write {target}: {error.strerror}") from error


def rewrite(source: RawIOBase | BinaryIO, write: Callable[[bytes], None]) -> None:
    """Copies an ELF core and puts VMCOREINFO into its notes, where the memory holds one.

    Args:
        source: the core as QEMU writes it: ELF-64, headers and notes first, then memory.
        write: takes the new core piece by piece, from its start to its end.

    Raises:
        DumpError: what comes is no such core.
    """
    head = _exactly(source, EHDR.size)
    fields = list(EHDR.unpack(head))
    if head[:5] != b"\x7fELF\x02" or head[5] != 1:
        raise DumpError("QEMU wrote no little-endian 64-bit ELF core")
    table_at, count = fields[5], fields[10]
    after = table_at + count * PHDR.size
    if not EHDR.size <= table_at <= after <= HEAD_LIMIT:
        raise DumpError("QEMU's core has its headers at an unknown place")
    head += _exactly(source, after - len(head))
    rows = [list(PHDR.unpack_from(head, table_at + n * PHDR.size)) for n in range(count)]
    note = next((row for row in rows if row[0] == PT_NOTE), None)
    if note is None or note[2] + note[5] > HEAD_LIMIT:
        raise DumpError("QEMU's core has no notes")
    head += _exactly(source, max(0, note[2] + note[5] - len(head)))
    notes = head[note[2] : note[2] + note[5]]
    end = max(row[2] + row[5] for row in rows)
    end += -end % 4
    # Where the notes will stand is known before what they will be: room for the largest.
    note[2], note[5], note[6] = end, len(notes) + NOTE_LIMIT, len(notes) + NOTE_LIMIT
    table = b"".join(PHDR.pack(*row) for row in rows)
    # QEMU's section headers tell nothing more, and their names come after the memory.
    fields[6] = fields[11] = fields[12] = fields[13] = 0
    write(EHDR.pack(*fields) + head[EHDR.size : table_at] + table + head[after:])
    copied, found, last = len(head), b"", b""
    while data := source.read(CHUNK):
        data = data[: max(0, end - copied)]
        if not found:
            found = _vmcoreinfo(last + data)
            last = data[-NOTE_LIMIT:]
        write(data)
        copied += len(data)
    write(bytes(max(0, end - copied)))
    notes += found
    # What is left of the room is one note that nobody knows, of zeros.
    rest = NOTE_LIMIT - len(found)
    padding = struct.pack("<III", 9, rest - 24, 0) + b"kharness\0\0\0\0"
    write(notes + padding + bytes(rest - len(padding)))


def _vmcoreinfo(data: bytes) -> bytes:
    """The VMCOREINFO note in a piece of memory, when it is there as a whole."""
    at = -1
    while (at := data.find(NAME + b"OSRELEASE=", at + 1)) >= 0:
        if at < 12 or data[at - 12 : at - 8] != NOTE_START:
            continue
        (size,) = struct.unpack_from("<I", data, at - 8)
        whole = 12 + len(NAME) + size + -size % 4
        if 0 < size < NOTE_LIMIT // 2 and at - 12 + whole <= len(data):
            return data[at - 12 : at - 12 + whole]
    return b""


def _exactly(source: RawIOBase | BinaryIO, size: int) -> bytes:
    data = b""
    while len(data) < size:
        piece = source.read(size - len(data))
        if not piece:
            raise DumpError("QEMU's core ends in its headers")
        data += piece
    return data
