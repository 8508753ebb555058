# SPDX-License-Identifier: GPL-2.0-only
"""Where templates lie, and which of them go when there are too many."""

import json
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from harness.cache import cache_root, private_folder
from harness.errors import HostError
from harness.leftovers import sweep
from harness.locks import Lock
from harness.vm import tmpfs


@dataclass(frozen=True)
class SavedTemplate:
    """A template in the cache: key, folder, what it takes in MiB, when it was last used."""

    key: str
    folder: Path
    size_mib: int
    used: float
    kernel: str


def roots() -> list[Path]:
    """The folders that templates may lie in: tmpfs first, then the disk cache."""
    disk = private_folder(cache_root() / "templates")
    shm = tmpfs.tmpfs_folder()
    return [shm, disk] if shm else [disk]


def in_memory(root: Path) -> bool:
    """Whether a root is the one in tmpfs."""
    return root.parent == tmpfs.SHM


def root_for(memory_mib: int, *, disk_only: bool = False) -> Path:
    """tmpfs when it has four times the room, since others use it too; else the disk cache.

    Args:
        memory_mib: the guest's memory.
        disk_only: tmpfs turned out to be too small.

    Raises:
        HostError: there is no room anywhere.
    """
    shm = None if disk_only else tmpfs.make_tmpfs_folder()
    if shm and shutil.disk_usage(shm).free > 4 * memory_mib << 20:
        return shm
    disk = roots()[-1]
    if shutil.disk_usage(disk).free < 2 * memory_mib << 20:
        raise HostError(
            f"no room for a template of {memory_mib} MiB in {disk}", "kharness cache prune"
        )
    return disk


def lock_path(key: str, purpose: str) -> Path:
    """The lock's file: ``build`` for who makes a template, ``use`` for who forks it."""
    return private_folder(cache_root() / "templates") / f"{key}.{purpose}.lock"


def remove_template(root: Path, key: str) -> None:
    """Removes what is there of a template, half-made ones included; the caller holds a lock."""
    for folder in (*root.glob(f"{key}.new.*"), root / key):
        shutil.rmtree(folder, ignore_errors=True)


def saved_templates() -> list[SavedTemplate]:
    """All templates, least recently used first."""
    found = []
    for root in roots():
        for folder in root.iterdir():
            try:
                kernel = json.loads((folder / "meta.json").read_text())["release"]
                blocks = sum(path.stat().st_blocks for path in folder.iterdir())
                used = folder.stat().st_mtime
            except (OSError, ValueError, KeyError, TypeError):
                continue  # a lock, or one that is being made
            found.append(SavedTemplate(folder.name, folder, blocks // 2048, used, str(kernel)))
    return sorted(found, key=lambda template: template.used)


def prune_templates(limit_mib: int) -> list[SavedTemplate]:
    """Removes templates, least recently used first, until the rest takes at most ``limit_mib``.

    One that a run uses is never taken.

    Returns:
        What was removed.
    """
    templates = saved_templates()
    total = sum(template.size_mib for template in templates)
    removed = []
    for template in templates:
        if total <= limit_mib:
            break
        lock = Lock(lock_path(template.key, "use"), shared=False)
        if not lock.acquire(wait=False):
            continue
        try:
            remove_template(template.folder.parent, template.key)
        finally:
            lock.release()
        total -= template.size_mib
        removed.append(template)
    tmpfs.remove_if_empty()
    return removed


def sweep_leftovers(others: Iterable[Path] = ()) -> None:
    """Removes what dead processes left in the cache, and templates of caches that are gone.

    Args:
        others: further folders, each looked at without those in it.
    """
    sweep(cache_root(), [*roots(), *others])
    tmpfs.remove_orphans()
