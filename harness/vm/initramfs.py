# SPDX-License-Identifier: GPL-2.0-only
"""Makes an initramfs: a cpio archive in the kernel's "newc" format, without root and without nodes.

The same input gives the same bytes: no times, no inode numbers of the host, files in order.
Source of the format: Documentation/driver-api/early-userspace/buffer-format.rst.
"""

import stat
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from harness.errors import HostError, UsageError
from harness.resources import resource
from harness.toolchain import compile_program

TRAILER = "TRAILER!!!"
BLOCK = 512
BUSYBOX_APPLETS = ("sh", "ls", "cat", "ps", "mount", "dmesg", "sleep", "echo", "env", "kill", "vi")


@dataclass(frozen=True)
class File:
    """A file of the archive.

    Attributes:
        content: its bytes, a file on the host to take them from, or the target of a symbolic link.
        mode: permission bits.
        link: ``content`` is the target of a symbolic link.
        folder: a folder, which may stay empty; ``content`` is nothing.
    """

    content: bytes | Path
    mode: int = 0o644
    link: bool = False
    folder: bool = False

    @property
    def size(self) -> int:
        """Bytes of its content; 0 where that cannot be read."""
        if isinstance(self.content, bytes):
            return len(self.content)
        try:
            return self.content.stat().st_size
        except OSError:
            return 0


def build(files: Mapping[str, File]) -> bytes:
    """The archive.

    Args:
        files: absolute path in the guest to file; parent folders are made.

    Raises:
        UsageError: a path is not absolute, has ``..``, or is both file and folder.
        HostError: a file of the host cannot be read.
    """
    entries: dict[str, tuple[int, bytes]] = {}
    for path, file in sorted(files.items()):
        name = _name(path)
        for parent in reversed(PurePosixPath(name).parents[:-1]):
            mode, _ = entries.setdefault(str(parent), (stat.S_IFDIR | 0o755, b""))
            if not stat.S_ISDIR(mode):
                raise UsageError(f"/{parent} is to be a file and a folder in the initramfs")
        if file.folder:
            mode, _ = entries.setdefault(name, (stat.S_IFDIR | file.mode, b""))
            if not stat.S_ISDIR(mode):
                raise UsageError(f"/{name} is to be a file and a folder in the initramfs")
            entries[name] = (stat.S_IFDIR | file.mode, b"")
            continue
        if name in entries:
            raise UsageError(f"/{name} is in the initramfs twice, or is a folder too")
        kind = stat.S_IFLNK if file.link else stat.S_IFREG
        entries[name] = (kind | (0o777 if file.link else file.mode), _content(file))
    out = bytearray()
    for number, (name, (mode, data)) in enumerate(sorted(entries.items()), start=1):
        out += _entry(number, name, mode, data)
    out += _entry(0, TRAILER, 0, b"")
    out += bytes(-len(out) % BLOCK)
    return bytes(out)


def agent_initramfs(
    programs: Iterable[tuple[str, Path]],
    busybox: Path | None = None,
    more: Mapping[str, File] | None = None,
) -> bytes:
    """The archive with the agent as ``/init``.

    Args:
        programs: absolute path in the guest and static program on the host.
        busybox: a static busybox to bring along with its usual names.
        more: further files; they stand for those of the same path, but for ``/init``.

    Raises:
        HostError, UsageError: the agent does not compile, or see :func:`build`.
    """
    agent = compile_program(resource("images/agent/agent.c"))
    files: dict[str, File] = {}
    if busybox:
        files["/bin/busybox"] = File(busybox, 0o755)
        for applet in BUSYBOX_APPLETS:
            files[f"/bin/{applet}"] = File(b"busybox", link=True)
    for path, program in programs:
        files[path] = File(program, 0o755)
    return build({**files, **(more or {}), "/init": File(agent, 0o755)})


def _name(path: str) -> str:
    parts = path.split("/")
    if not path.startswith("/") or "\0" in path or any(p in ("", ".", "..") for p in parts[1:]):
        raise UsageError(f"{path!r} is no path for an initramfs: absolute, without .. and //")
    return path[1:]


def _content(file: File) -> bytes:
    if isinstance(file.content, bytes):
        return file.content
    try:
        return file.content.read_bytes()
    except OSError as error:
        raise HostError(f"cannot read {file.content}: {error.strerror}") from error


def _entry(number: int, name: str, mode: int, data: bytes) -> bytes:
    encoded = name.encode("utf-8", "surrogateescape") + b"\0"
    links = 2 if stat.S_ISDIR(mode) else 1
    # ino mode uid gid nlink mtime filesize devmajor devminor rdevmajor rdevminor namesize check
    fields = (number, mode, 0, 0, links, 0, len(data), 0, 0, 0, 0, len(encoded), 0)
    head = b"070701" + b"".join(b"%08x" % field for field in fields) + encoded
    head += bytes(-len(head) % 4)
    return head + data + bytes(-len(data) % 4)
