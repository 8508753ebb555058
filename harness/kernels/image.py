# SPDX-License-Identifier: GPL-2.0-only
"""Kernel images: what they are, and what they say of themselves.

An image may be anything that a user names, so every length in it is checked before it is used.
Sources: Documentation/arch/x86/boot.rst, Documentation/arch/arm64/booting.rst.
"""

import bz2
import gzip
import io
import lzma
import re
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

import lz4.block
import zstandard
from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile

from harness.errors import KernelError
from harness.kernels.kernel import Arch

UNPACKED_LIMIT = 1 << 30
"""Bytes that a kernel may unpack to; more is no kernel but a bomb."""
IMAGE_LIMIT = 2 << 30
BANNER = re.compile(rb"Linux version (\d+\.\d+[^\s\0]*) ")
IKCONFIG = re.compile(rb"IKCFG_ST(\x1f\x8b.*?)IKCFG_ED", re.DOTALL)
PVH_NOTE = (b"Xen\0", 18)
"""XEN_ELFNOTE_PHYS32_ENTRY: QEMU can start this vmlinux itself (include/xen/elfnote.h)."""
LZ4_BLOCK = 8 << 20
"""Size of a block in lz4's legacy format, which the kernel's build uses."""


@dataclass(frozen=True)
class ImageFacts:
    """What an image says of itself.

    Attributes:
        arch: its architecture.
        release: as ``uname -r`` will say.
        vmlinux: the uncompressed kernel where it is another file than the image, else None.
        pvh: ``vmlinux``, or the image itself, is an ELF file with a PVH entry.
        config: text of the built-in configuration (IKCONFIG), or empty.
    """

    arch: Arch
    release: str
    vmlinux: bytes | None
    pvh: bool
    config: str


def read_image(path: Path) -> ImageFacts:
    """Reads a bzImage, vmlinux or Image.

    Raises:
        KernelError: it cannot be read or is not a kernel; says why.
    """
    try:
        if path.stat().st_size > IMAGE_LIMIT:
            raise KernelError(f"{path} is not a kernel: too large")
        data = path.read_bytes()
    except OSError as error:
        raise KernelError(f"cannot read {path}: {error.strerror}") from error
    try:
        return _facts(data)
    except _NoKernelError as error:
        raise KernelError(
            f"{path} is not a kernel: {error}", "give a bzImage, a vmlinux or an arm64 Image"
        ) from error


class _NoKernelError(Exception):
    pass


def _facts(data: bytes) -> ImageFacts:
    if data[0x202:0x206] == b"HdrS":
        return _bzimage(data)
    if data[:4] == b"\x7fELF":
        arch = _elf_arch(data)
        return ImageFacts(arch, _banner(data), None, _has_pvh(data), _ikconfig(data))
    if data[:2] == b"\x1f\x8b":
        data = _unpack(data)
    if data[0x38:0x3C] == b"ARM\x64":
        return ImageFacts(Arch.AARCH64, _banner(data), None, False, _ikconfig(data))
    raise _NoKernelError("it starts like none")


def _bzimage(data: bytes) -> ImageFacts:
    """The setup header is at 0x1f1; protocol 2.08 and later tells where the payload is."""
    if len(data) < 0x270:
        raise _NoKernelError("its setup header is cut off")
    setup = (data[0x1F1] or 4) + 1
    (protocol,) = struct.unpack_from("<H", data, 0x206)
    (words_at,) = struct.unpack_from("<H", data, 0x20E)
    release = ""
    if words_at:
        words = data[words_at + 0x200 : words_at + 0x400].partition(b"\0")[0]
        release = words.decode("ascii", "replace").partition(" ")[0]
    if not re.match(r"\d+\.\d+", release):
        raise _NoKernelError("it does not say its version")
    if protocol < 0x0208:
        return ImageFacts(Arch.X86_64, release, None, False, "")
    offset, length = struct.unpack_from("<II", data, 0x248)
    start = setup * 512 + offset
    payload = data[start : start + length]
    if not length or len(payload) != length:
        raise _NoKernelError("it is cut off")
    vmlinux = _unpack(payload)
    if vmlinux[:4] != b"\x7fELF":
        raise _NoKernelError("what is packed in it is no ELF file")
    return ImageFacts(_elf_arch(vmlinux), release, vmlinux, _has_pvh(vmlinux), _ikconfig(vmlinux))


def _unpack(data: bytes) -> bytes:
    """Unpacks a payload by its magic number; what follows the packed data is left out."""
    try:
        if data[:2] == b"\x1f\x8b":
            return _bounded(zlib.decompressobj(31).decompress(data, UNPACKED_LIMIT))
        if data[:4] == b"\x28\xb5\x2f\xfd":
            unpacker = zstandard.ZstdDecompressor().stream_reader(io.BytesIO(data))
            return _bounded(unpacker.read(UNPACKED_LIMIT))
        if data[:4] == b"\x02\x21\x4c\x18":
            return _lz4_legacy(data)
        if data[:6] == b"\xfd7zXZ\0" or data[:3] == b"\x5d\0\0":
            return _bounded(lzma.LZMADecompressor().decompress(data, UNPACKED_LIMIT))
        if data[:3] == b"BZh":
            return _bounded(bz2.BZ2Decompressor().decompress(data, UNPACKED_LIMIT))
    except (
        zlib.error,
        lzma.LZMAError,
        OSError,
        EOFError,
        ValueError,
        RuntimeError,
        MemoryError,
        zstandard.ZstdError,
        lz4.block.LZ4BlockError,
    ) as error:
        raise _NoKernelError(f"what is packed in it is damaged ({error})") from error
    raise _NoKernelError(f"packed in a way that is not known ({data[:6].hex(' ')})")


def _bounded(data: bytes) -> bytes:
    if len(data) >= UNPACKED_LIMIT:
        raise _NoKernelError("it unpacks to more than 1 GiB")
    return data


def _lz4_legacy(data: bytes) -> bytes:
    """Blocks with a u32 size each; a size that does not fit ends it (the size of all follows)."""
    out, at = bytearray(), 4
    while at + 4 <= len(data) and len(out) < UNPACKED_LIMIT:
        (size,) = struct.unpack_from("<I", data, at)
        at += 4
        if size == 0 or size > len(data) - at:
            break
        out += lz4.block.decompress(data[at : at + size], uncompressed_size=LZ4_BLOCK)
        at += size
    return _bounded(bytes(out))


def _elf_arch(data: bytes) -> Arch:
    machines = {62: Arch.X86_64, 183: Arch.AARCH64}  # e_machine, elf(5)
    if len(data) < 64 or data[4] != 2 or data[5] != 1:
        raise _NoKernelError("an ELF file, but not a 64-bit little-endian one")
    (machine,) = struct.unpack_from("<H", data, 18)
    if machine not in machines:
        raise _NoKernelError(f"an ELF file for machine {machine}; x86-64 and arm64 are known")
    return machines[machine]


def _banner(data: bytes) -> str:
    found = BANNER.search(data)
    if found is None:
        raise _NoKernelError("it has no 'Linux version' in it")
    return found[1].decode("ascii", "replace")


def _ikconfig(data: bytes) -> str:
    found = IKCONFIG.search(data)
    if found is None:
        return ""
    try:
        return gzip.decompress(found[1]).decode("utf-8", "replace")
    except (OSError, EOFError, zlib.error):
        return ""


def _has_pvh(data: bytes) -> bool:
    try:
        for segment in ELFFile(io.BytesIO(data)).iter_segments("PT_NOTE"):
            notes = data[segment["p_offset"] :][: min(segment["p_filesz"], 1 << 20)]
            if _note(notes, *PVH_NOTE):
                return True
    except (ELFError, KeyError, ValueError, OSError, struct.error):
        pass
    return False


def _note(notes: bytes, owner: bytes, kind: int) -> bool:
    """Looks for a note: u32 name size, u32 content size, u32 type, name, content (elf(5))."""
    at = 0
    while at + 12 <= len(notes):
        name, content, found = struct.unpack_from("<III", notes, at)
        if notes[at + 12 : at + 12 + name] == owner and found == kind:
            return True
        at += 12 + (name + 3 & ~3) + (content + 3 & ~3)
    return False
