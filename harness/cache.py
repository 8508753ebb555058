# SPDX-License-Identifier: GPL-2.0-only
"""The folders that kharness keeps between runs, and writing files in them so that nobody sees half.

Everything in the cache can be deleted at any time and is made again when needed.
"""

import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import platformdirs
from filelock import FileLock


def cache_root() -> Path:
    """Folder of the shared cache, made private to the user (0700).

    ``KHARNESS_CACHE`` names it; otherwise it is the user's cache folder
    (XDG Base Directory Specification, ``$XDG_CACHE_HOME/kharness``).
    """
    named = os.environ.get("KHARNESS_CACHE")
    root = Path(named).absolute() if named else platformdirs.user_cache_path("kharness")
    return private_folder(root)


def private_folder(path: Path) -> Path:
    """Makes ``path`` and what is missing above it; a folder made here has mode 0700."""
    if not path.is_dir():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.mkdir(mode=0o700, exist_ok=True)
    return path


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
def replacing(target: Path) -> Iterator[Path]:
    """Gives a temporary path beside ``target``; on a clean end it takes the place of ``target``.

    The bytes are on disk before the name is, so a crash leaves the old file or the new one.
    On an exception the temporary file goes and ``target`` stays as it was.
    """
    private_folder(target.parent)
    fd, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    os.close(fd)
    temporary = Path(name)
    try:
        yield temporary
        with temporary.open("rb") as stream:
            os.fsync(stream.fileno())
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)
