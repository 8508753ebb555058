# SPDX-License-Identifier: GPL-2.0-only
"""Kernels in the cache that are in use, and their removal when they are not.

Whoever uses one shares a lock beside it; who removes one has the lock alone.
"""

import shutil
from pathlib import Path

from harness.closing import Closing
from harness.locks import Lock

META = "meta.json"
"""What a kernel that is whole has; no more where it was removed."""


class Held(Closing):
    """A kernel in the cache that nobody removes meanwhile; a context manager.

    Args:
        folder: of the kernel.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = Lock(_lock_file(folder), shared=True)
        self._lock.acquire()

    @property
    def whole(self) -> bool:
        """Nobody removed it before it was held."""
        return self._lock.current and (self.folder / META).is_file()

    def close(self) -> None:
        """Lets go of it."""
        self._lock.release()


def remove_unheld(folder: Path) -> bool:
    """Removes a kernel; False when somebody uses it."""
    lock = Lock(_lock_file(folder), shared=False)
    if not lock.acquire(wait=False):
        return False
    try:
        if lock.current:
            shutil.rmtree(folder, ignore_errors=True)
            _lock_file(folder).unlink(missing_ok=True)
    finally:
        lock.release()
    return True


def _lock_file(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}.lock")
