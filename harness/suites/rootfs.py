# SPDX-License-Identifier: GPL-2.0-only
"""The files that a program needs in a guest: libraries, interpreters, busybox; or a whole root.

Without a root of the user's, what an ELF header or a ``#!`` line names is taken from this host.
With one (``--rootfs``), nothing of this host goes into the guest but the agent and the suite.
"""

import contextlib
import lzma
import os
import posixpath
import re
import shutil
import stat
import subprocess
import tarfile
import zlib
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from harness.errors import HostError, UsageError
from harness.host import find_busybox
from harness.suites.elf import libraries, read_loading
from harness.vm.initramfs import File

LARGE = re.compile(r"(python|perl|ruby|tclsh|lua|node|php|guile)[\d.]*$")
"""Interpreters that are of no use without a library of files of their own."""
ROOTFS_WAY = "give a root that has it (--rootfs)"
LATE = "libgcc_s.so.1"
"""glibc loads it when a thread is cancelled or ends itself; no header names it."""

STDBUF = tuple(
    f"/usr/{folder}/coreutils/libstdbuf.so"
    for folder in ("libexec", "lib", "lib64", "lib/x86_64-linux-gnu", "lib/aarch64-linux-gnu")
)
"""What stdbuf (coreutils) preloads; ``_STDBUF_O`` tells it what to do (src/stdbuf.c)."""


class GuestRoot:
    """Collects the files of a guest.

    Attributes:
        files: absolute path in the guest to file.

    Args:
        rootfs: the user's own root; then nothing is taken from this host.
    """

    def __init__(self, rootfs: Mapping[str, File] | None = None) -> None:
        self.files: dict[str, File] = {}
        self._rootfs = rootfs

    def has(self, guest: str) -> bool:
        """Whether a path is there already, the user's root included."""
        return guest in self.files or (self._rootfs is not None and _in(self._rootfs, guest))

    def add(self, guest: str, host: Path, *, executable: bool = False) -> None:
        """One file of the host, with its permissions."""
        mode = stat.S_IMODE(host.stat().st_mode)
        self.files[guest] = File(host, mode | 0o555 if executable else mode)

    def add_tree(self, guest: str, folder: Path) -> None:
        """All files, links and folders below ``folder``."""
        self.files.update(read_folder(folder, guest))

    def require(self, guest: str, host: Path) -> str:
        """Brings along what a program needs to be started.

        Args:
            guest: the program's absolute path in the guest.
            host: the program.

        Returns:
            Why it cannot be started, in one line; empty when it can.
        """
        about = read_loading(host)
        if about is None:
            return self._script(host)
        if not about.interpreter or (self._rootfs is not None and self.has(about.interpreter)):
            return ""
        if self._rootfs is not None:
            return f"{host.name} needs {about.interpreter}, which the root given has not"
        return self._dynamic(guest, host, Path(about.interpreter))

    def require_all(self, folder: str) -> None:
        """Brings along what the programs below a folder of the guest need, as far as it is here.

        Helpers that a test starts are found so: nothing names them.
        """
        for path, file in list(self.files.items()):
            is_program = isinstance(file.content, Path) and file.mode & 0o111
            if is_program and not (file.link or file.folder) and path.startswith(f"{folder}/"):
                assert isinstance(file.content, Path)
                with contextlib.suppress(OSError):
                    self.require(path, file.content)

    def line_buffering(self, program: Path) -> tuple[str, ...]:
        """Environment that makes a program print line by line, as stdbuf --output=L does.

        kselftest/runner.sh calls a test so. Without it what is printed before a fork() is printed
        by both, and what a test that dies had printed is lost. A root without coreutils' library
        does without, as a machine without stdbuf does.

        Args:
            program: on the host; a library of another class cannot be loaded into it.
        """
        about = read_loading(program)
        for place in STDBUF:
            if self._rootfs is not None:
                if self.has(place):
                    return (f"LD_PRELOAD={place}", "_STDBUF_O=L")
                continue
            library = read_loading(Path(place))
            if library is None or (about and about.kind != library.kind):
                continue
            self.files.setdefault(place, File(Path(place).resolve(), 0o755))
            return (f"LD_PRELOAD={place}", "_STDBUF_O=L")
        return ()

    def _dynamic(self, guest: str, host: Path, loader: Path) -> str:
        """Brings the loader and the libraries of a program."""
        if not loader.is_file():
            return f"{host.name} needs {loader}, which is not on this host; {ROOTFS_WAY}"
        found, missing = libraries(guest, host)
        if missing:
            return f"{host.name} needs {missing[0]}, which is not on this host; {ROOTFS_WAY}"
        self.files.setdefault(str(loader), File(loader.resolve(), 0o755))
        for library in found:
            self.files.setdefault(library.guest, File(library.host.resolve(), 0o755))
            late = library.host.with_name(LATE)
            if library.host.name == "libc.so.6" and late.is_file():
                path = f"{posixpath.dirname(library.guest)}/{LATE}"
                self.files.setdefault(path, File(late.resolve(), 0o755))
        return ""

    def _script(self, host: Path) -> str:
        with host.open("rb") as stream:
            first = stream.readline(256)
        if not first.startswith(b"#!"):
            return f"{host.name} is no program: neither ELF nor #!"
        words = first[2:].decode("utf-8", "replace").split()
        if not words:
            return f"{host.name} has an empty #! line"
        problem = self._interpreter(words[0], host.name)
        if not problem and posixpath.basename(words[0]) == "env":
            name = next((w for w in words[1:] if not w.startswith("-") and "=" not in w), "")
            problem = self._interpreter(f"/usr/bin/{name}", host.name) if name else ""
        return problem

    def _interpreter(self, path: str, script: str) -> str:
        """Brings an interpreter along, as busybox where that has it."""
        name = posixpath.basename(path)
        if self.has(path):
            return ""
        if self._rootfs is not None:
            found = any(self.has(f"{folder}/{name}") for folder in ("/bin", "/usr/bin"))
            return "" if found else f"{script} needs {path}, which the root given has not"
        if name in busybox_applets():
            self.files[path] = File(b"/bin/busybox", link=True)
            return ""
        if LARGE.match(name):
            return f"{script} needs {name} and its library; {ROOTFS_WAY}"
        host = Path(path) if Path(path).is_file() else Path(shutil.which(name) or "")
        if not host.is_file():
            return f"{script} needs {name}, which is not on this host; {ROOTFS_WAY}"
        self.files[path] = File(host.resolve(), 0o755)
        return self.require(path, host.resolve())

    def finish(self) -> dict[str, File]:
        """All files; without a root of the user's, busybox by all its names among them."""
        if self._rootfs is not None:
            return {**self._rootfs, **self.files}
        links = {
            f"{folder}/{applet}": File(b"/bin/busybox", link=True)
            for applet in busybox_applets()
            for folder in ("/bin", "/usr/bin", "/sbin", "/usr/sbin")
            if applet != "busybox"
        }
        busybox = find_busybox()
        own = {"/bin/busybox": File(busybox, 0o755)} if busybox else {}
        return {**links, **BASICS, **own, **self.files}


BASICS = {
    "/etc/passwd": File(b"root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534::/:/bin/false\n"),
    "/etc/group": File(b"root:x:0:\nnogroup:x:65534:\n"),
    "/root": File(b"", 0o700, folder=True),
    "/var/tmp": File(b"", 0o1777, folder=True),
}
"""What programs of others take for granted."""


@lru_cache(maxsize=1)
def busybox_applets() -> frozenset[str]:
    """The names that this host's static busybox goes by; none without one."""
    busybox = find_busybox()
    if busybox is None:
        return frozenset()
    done = subprocess.run(
        [busybox, "--list"], capture_output=True, text=True, check=False, timeout=30
    )
    return frozenset(done.stdout.split())


def read_rootfs(path: Path) -> dict[str, File]:
    """A folder or a tarball as the guest's root.

    Raises:
        UsageError: it is neither, or cannot be read.
    """
    try:
        if path.is_dir():
            return read_folder(path, "")
        if path.is_file():
            return _read_tarball(path)
    except tarfile.ReadError as error:
        raise UsageError(
            f"the root {path} is no tarball, or a damaged one",
            "give tar, tar.gz, tar.bz2 or tar.xz; unpack another into a folder and give that",
        ) from error
    except EOFError as error:
        raise UsageError(f"the root {path} ends in the middle: it was cut") from error
    except (OSError, tarfile.TarError, zlib.error, lzma.LZMAError) as error:
        raise UsageError(f"cannot read the root {path}: {error}") from error
    raise UsageError(f"no root at {path}", "give a folder or a tarball")


def read_folder(folder: Path, guest: str) -> dict[str, File]:
    """Files, links and folders below ``folder``, by their absolute path in the guest.

    What cannot be in a program's tree (sockets, devices, FIFOs) is left out.

    Raises:
        HostError: a folder cannot be read.
    """
    files: dict[str, File] = {}
    try:
        for entry in sorted(os.scandir(folder), key=lambda e: e.name):
            path, name = Path(entry.path), f"{guest}/{entry.name}"
            if entry.is_symlink():
                files[name] = File(os.fsencode(path.readlink()), link=True)
            elif entry.is_dir():
                files[name] = File(b"", stat.S_IMODE(entry.stat().st_mode), folder=True)
                files.update(read_folder(path, name))
            elif entry.is_file():
                files[name] = File(path, stat.S_IMODE(entry.stat().st_mode))
    except OSError as error:
        raise HostError(f"cannot read {folder}: {error.strerror}") from error
    return files


def _read_tarball(path: Path) -> dict[str, File]:
    files: dict[str, File] = {}
    left_out: set[str] = set()
    with tarfile.open(path) as archive:
        for member in archive:
            name = posixpath.normpath(f"/{member.name}")
            if name in ("/", "//"):
                continue
            if member.isdir():
                files[name] = File(b"", member.mode & 0o7777, folder=True)
            elif member.issym():
                files[name] = File(os.fsencode(member.linkname), link=True)
            elif member.islnk():
                target = posixpath.normpath(f"/{member.linkname}")
                if target in files:
                    files[name] = files[target]
                elif target not in left_out:
                    words = f"{member.name} is a hard link to {member.linkname}, which is not"
                    raise UsageError(f"the root {path}: {words} in it", "pack what it links to")
            elif member.isreg():
                stream = archive.extractfile(member)
                data = stream.read() if stream else b""
                files[name] = File(data, member.mode & 0o7777)
            else:
                left_out.add(name)
    return files


def _in(rootfs: Mapping[str, File], guest: str, depth: int = 0) -> bool:
    """Whether the root has a path, links in it followed."""
    if depth > 8:
        return False
    at = ""
    for part in guest.strip("/").split("/"):
        at = f"{at}/{part}"
        file = rootfs.get(at)
        if file is not None and file.link:
            assert isinstance(file.content, bytes)
            target = posixpath.join(posixpath.dirname(at), os.fsdecode(file.content))
            rest = guest[len(at) :]
            return _in(rootfs, posixpath.normpath(target + rest), depth + 1)
    return guest in rootfs or any(path.startswith(f"{guest}/") for path in rootfs)
