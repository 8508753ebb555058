# SPDX-License-Identifier: GPL-2.0-only
"""Where initramfs archives lie, and which of them go when there are too many.

Every change of a case makes another one of a few MiB, and QEMU reads it for every boot and fork.
Who has one holds a shared lock on it, until its process ends.
"""

import contextlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.cache import cache_root, digest, private_folder, replacing
from harness.locks import Lock
from harness.vm.initramfs import File, agent_initramfs

LIMIT_MIB = 512
"""What archives may take together, in MiB: some hundred of cases, a few of whole suites."""

_mine: dict[Path, Lock] = {}


@dataclass(frozen=True)
class Archive:
    """An archive in the cache: its file, its size in bytes, and when it was last used."""

    path: Path
    size: int
    used: float


def store_initramfs(
    programs: Mapping[str, Path],
    *,
    busybox: Path | None = None,
    more: Mapping[str, File] | None = None,
    limit_mib: int = LIMIT_MIB,
) -> Path:
    """The initramfs with the agent and ``programs``, in the cache under a name by its content.

    It stays there for as long as this process lives.

    Args:
        programs: absolute path in the guest to program on the host.
        busybox: a static busybox to bring along.
        more: further files, by absolute path in the guest.
        limit_mib: what all archives together may take, in MiB, once this one is made.
    """
    data = agent_initramfs(sorted(programs.items()), busybox, more)
    folder = _folder()
    path = folder / f"{digest(data)[:32]}.cpio"
    with _alone(folder):
        made = not path.exists()
        if made:
            with replacing(path) as temporary:
                temporary.write_bytes(data)
        os.utime(path)  # least recently used goes first
        _hold(path)
    if made:
        prune_archives(limit_mib)
    return path


def stored_archives() -> list[Archive]:
    """All archives, least recently used first."""
    found = []
    for path in _folder().glob("*.cpio"):
        with contextlib.suppress(OSError):
            about = path.stat()
            found.append(Archive(path, about.st_size, about.st_mtime))
    return sorted(found, key=lambda archive: archive.used)


def prune_archives(limit_mib: int) -> list[Archive]:
    """Removes archives, least recently used first, until the rest takes at most ``limit_mib``.

    One that a process has asked for and may still use is never taken.

    Returns:
        What was removed.
    """
    removed = []
    with _alone(_folder()):
        archives = stored_archives()
        total = sum(archive.size for archive in archives)
        for archive in archives:
            if total <= limit_mib << 20:
                break
            lock = Lock(archive.path, shared=False, make=False)
            try:
                if not lock.acquire(wait=False):
                    continue
                archive.path.unlink()
            except FileNotFoundError:
                continue
            finally:
                lock.release()
            total -= archive.size
            removed.append(archive)
    return removed


def _folder() -> Path:
    return private_folder(cache_root() / "initramfs")


def _alone(folder: Path) -> Lock:
    return Lock(folder / "lock", shared=False)


def _hold(path: Path) -> None:
    """Locks an archive for as long as this process lives; the caller holds the folder's lock."""
    known = _mine.get(path)
    if known is not None and known.current:
        return
    if known is not None:
        known.release()  # a user has removed the cache meanwhile
    lock = _mine[path] = Lock(path, shared=True, make=False)
    lock.acquire()
