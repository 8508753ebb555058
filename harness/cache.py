# SPDX-License-Identifier: GPL-2.0-only
"""The folders that kharness keeps between runs, and writing files in them so that nobody sees half.

Everything in the cache can be deleted at any time and is made again when needed.
"""

import errno
import hashlib
import os
import re
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import platformdirs
from filelock import FileLock

from harness.errors import HostError
from harness.leftovers import temporary_prefix

LINKS = 40
"""Symlinks that the kernel follows in one path (path_resolution(7))."""


def cache_root() -> Path:
    """Folder of the shared cache, made private to the user (0700).

    ``KHARNESS_CACHE`` names it; otherwise it is the user's cache folder
    (XDG Base Directory Specification, ``$XDG_CACHE_HOME/kharness``).

    Raises:
        HostError: it is no folder that can be written to.
    """
    named = os.environ.get("KHARNESS_CACHE")
    root = Path(named).absolute() if named else platformdirs.user_cache_path("kharness")
    try:
        private_folder(root)
        # It may be gone again: somebody removes the cache.
        if not os.access(root, os.W_OK | os.X_OK) and root.is_dir():
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except OSError as error:
        raise HostError(
            f"the cache {root} cannot be used: {error.strerror}",
            "KHARNESS_CACHE names another folder",
        ) from error
    return root


def private_folder(path: Path) -> Path:
    """Makes ``path`` and what is missing above it; a folder made here has mode 0700."""
    if not path.is_dir():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.mkdir(mode=0o700, exist_ok=True)
    return path


def owned(prefix: str) -> str:
    """Prefix of a temporary name that the next run removes if this process dies."""
    return temporary_prefix(prefix, cache_root())


def digest(*parts: bytes | str) -> str:
    """SHA-256 in hex over length-prefixed parts, so that ("a", "bc") and ("ab", "c") differ."""
    h = hashlib.sha256()
    for part in parts:
        data = part.encode("utf-8", "surrogateescape") if isinstance(part, str) else part
        h.update(len(data).to_bytes(8, "little"))
        h.update(data)
    return h.hexdigest()


def file_digest(path: Path) -> str:
    """SHA-256 in hex of a file's bytes."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@contextmanager
def locked(target: Path) -> Iterator[None]:
    """Holds the lock that belongs to ``target`` (``target`` + ``.lock``); other processes wait."""
    private_folder(target.parent)
    with FileLock(f"{target}.lock"):
        yield


@contextmanager
def replacing(target: Path, *, durable: bool = True) -> Iterator[Path]:
    """Gives a temporary path; on a clean end what was written there is at ``target``.

    A file takes the place of the one that was there: the bytes are on disk before the name is, so
    a crash leaves the old file or the new one. Through a symlink that is the file which it leads
    to. Into a device or a pipe the bytes are written, and it stays what it is. Who may read it is
    as before, or as the user's umask has it; a folder that has to be private is made so before.

    On an exception the temporary file goes and ``target`` stays as it was. What can be made again
    need not be ``durable``: it takes no turn of the disk then.
    """
    if is_straight(target):
        with tempfile.TemporaryDirectory(prefix="kharness-") as folder:
            temporary = Path(folder) / "output"
            temporary.touch()
            yield temporary
            _copy_into(target, temporary)
        return
    target = Path(os.path.realpath(target))
    target.parent.mkdir(parents=True, exist_ok=True)
    mode = _mode_of(target)
    fd, name = tempfile.mkstemp(prefix=owned(f".{target.name}."), dir=target.parent)
    os.fchmod(fd, mode)
    os.close(fd)
    temporary = Path(name)
    try:
        yield temporary
        if durable:
            with temporary.open("rb") as stream:
                os.fsync(stream.fileno())
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


def _mode_of(target: Path) -> int:
    """Permissions of a file, or those that a new one gets."""
    try:
        return stat.S_IMODE(target.stat().st_mode)
    except OSError:
        # Asking umask(2) means setting it, also for what other threads write meanwhile.
        about = Path("/proc/self/status").read_text("utf-8", "replace")
        umask = re.search(r"^Umask:\s*([0-7]+)$", about, re.MULTILINE)
        return 0o666 & ~int(umask[1] if umask else "077", 8)


def is_straight(path: Path) -> bool:
    """There is something that bytes are written into, and that no file may take the place of.

    That is a device, a pipe or a socket, and what this process has open, whatever it is: a file
    beside ``/dev/stdout``'s would be a file that nobody reads.

    Raises:
        OSError: it cannot be looked at.
    """
    if _own_descriptor(path) is not None:
        return True
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return False
    return not stat.S_ISREG(mode) and not stat.S_ISDIR(mode)


def _own_descriptor(path: Path) -> int | None:
    """The descriptor of this process that a path such as ``/dev/stdout`` names, see proc(5)."""
    own = {os.path.realpath("/proc/self/fd"), os.path.realpath("/proc/thread-self/fd")}
    for _ in range(LINKS):
        if path.name.isdecimal() and os.path.realpath(path.parent) in own:
            return int(path.name)
        if not path.is_symlink():
            return None
        path = path.parent / path.readlink()
    return None


def _copy_into(target: Path, source: Path) -> None:
    number = _own_descriptor(target)
    if number is not None and sys.stdout is not None:
        sys.stdout.flush()  # what was printed before comes first
    fd = os.dup(number) if number is not None else os.open(target, os.O_WRONLY | os.O_NOCTTY)
    with source.open("rb") as written, os.fdopen(fd, "wb") as stream:
        shutil.copyfileobj(written, stream)
