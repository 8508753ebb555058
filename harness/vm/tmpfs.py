# SPDX-License-Identifier: GPL-2.0-only
"""The folder in tmpfs where a cache's templates lie, and those that no cache knows of any more.

A user may remove a cache at any time, and what it has in /dev/shm would stay until the host boots.
So the folder says in a file whose it is. That file is also its lock: who forks templates shares it.
"""

import contextlib
import os
import re
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from harness.cache import cache_root, digest, owned
from harness.locks import Lock

SHM = Path("/dev/shm")
OWNER = "owner"
"""File of the folder with the path of the cache that it belongs to."""
GONE = ".gone"
"""What a folder's name ends with while it is being removed."""
TRIES = 100
"""Somebody may remove a cache again and again, but not so often."""
PATH_LIMIT = 4096
"""Bytes that a path has at most (linux/limits.h, PATH_MAX)."""


@dataclass(frozen=True)
class Orphan:
    """A folder in tmpfs whose cache is gone.

    Attributes:
        folder: the folder.
        cache: path of the cache that it belonged to; empty when it was being removed.
        size_mib: what it takes, in MiB.
    """

    folder: Path
    cache: str
    size_mib: int


def tmpfs_folder() -> Path | None:
    """The folder of this cache, if there is one."""
    folder = _folder_of(cache_root())
    return folder if _is_ours(folder) else None


def make_tmpfs_folder() -> Path | None:
    """The folder of this cache, made if it is missing; None where there is no tmpfs for us."""
    for _ in range(TRIES):
        try:
            return _made(cache_root())
        except FileNotFoundError:
            continue  # the cache or the folder was removed just now, or there is no tmpfs
        except OSError:
            break
    return None


def _made(root: Path) -> Path | None:
    folder = _folder_of(root)
    folder.mkdir(mode=0o700, exist_ok=True)
    if not _is_ours(folder):
        return None
    if not (folder / OWNER).exists():
        # Complete or not at all, and never in place of another: it may be locked already.
        words = folder / owned(f".{OWNER}.")
        words.write_bytes(os.fsencode(root))
        with contextlib.suppress(FileExistsError):
            (folder / OWNER).hardlink_to(words)
        words.unlink()
    return folder


@contextmanager
def tmpfs_folder_in_use() -> Iterator[None]:
    """Keeps the folder of this cache from being removed while the block runs; makes it.

    Raises:
        OSError: the file in it cannot be locked.
    """
    while True:
        folder = make_tmpfs_folder()
        if folder is None:
            yield
            return
        lock = Lock(folder / OWNER, shared=True, make=False)
        try:
            lock.acquire()
        except FileNotFoundError:
            continue  # it was removed just now
        with contextlib.ExitStack() as stack:
            stack.callback(lock.release)
            if lock.current:
                yield
                return


def orphans() -> list[Orphan]:
    """Folders of this user whose cache is gone, in use or not."""
    found = []
    for folder in sorted(SHM.glob(f"kharness-{os.getuid()}-*")):
        if not _is_ours(folder):
            continue
        if re.fullmatch(r"kharness-\d+-[0-9a-f]{12}" + re.escape(GONE), folder.name):
            found.append(Orphan(folder, "", _size_mib(folder)))
            continue
        cache = _owner_of(folder)
        if cache is not None and _is_gone(cache):
            found.append(Orphan(folder, str(cache), _size_mib(folder)))
    return found


def remove_orphans() -> list[Orphan]:
    """Removes folders of this user whose cache is gone and that nobody uses; returns which."""
    return [orphan for orphan in orphans() if _remove(orphan.folder)]


def remove_if_empty() -> None:
    """Removes the folder of this cache if there is no template in it, and nobody uses it."""
    folder = tmpfs_folder()
    if folder is not None:
        _remove(folder, empty=True)


def _remove(folder: Path, *, empty: bool = False) -> bool:
    """Removes a folder: of a cache that is gone, or an ``empty`` one."""
    if folder.name.endswith(GONE):
        shutil.rmtree(folder, ignore_errors=True)
        return not folder.exists()
    lock = Lock(folder / OWNER, shared=False, make=False)
    try:
        # Looked at again under the lock: now nobody comes.
        if not (lock.acquire(wait=False) and lock.current and _may_go(folder, empty=empty)):
            return False
        # At once under another name, so that who comes now makes a new one.
        away = folder.with_name(folder.name + GONE)
        shutil.rmtree(away, ignore_errors=True)
        folder.rename(away)
        shutil.rmtree(away, ignore_errors=True)
    except OSError:
        return False
    finally:
        lock.release()
    return True


def _may_go(folder: Path, *, empty: bool) -> bool:
    if empty:
        return [path.name for path in folder.iterdir()] == [OWNER]
    cache = _owner_of(folder)
    return cache is not None and _is_gone(cache)


def _folder_of(cache: Path) -> Path:
    return SHM / f"kharness-{os.getuid()}-{digest(str(cache))[:12]}"


def _is_ours(folder: Path) -> bool:
    """A real folder, of this user alone."""
    try:
        about = folder.lstat()
    except OSError:
        return False
    return (
        folder.is_dir()
        and not folder.is_symlink()
        and about.st_uid == os.getuid()
        and about.st_mode & 0o077 == 0
    )


def _owner_of(folder: Path) -> Path | None:
    """The cache that a folder belongs to; None when it does not say so, or its name does not."""
    path = folder / OWNER
    try:
        about = path.lstat()
        if not stat.S_ISREG(about.st_mode) or about.st_size > PATH_LIMIT:
            return None
        cache = Path(os.fsdecode(path.read_bytes()))
    except OSError:
        return None
    named = cache.is_absolute() and _folder_of(cache).name == folder.name
    return cache if named else None


def _is_gone(cache: Path) -> bool:
    """There is no cache of this path; one that cannot be looked at may be there."""
    try:
        cache.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return False


def _size_mib(folder: Path) -> int:
    blocks = 0
    for path in folder.rglob("*"):
        with contextlib.suppress(OSError):
            blocks += path.lstat().st_blocks
    return blocks // 2048
