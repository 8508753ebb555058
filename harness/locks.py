# SPDX-License-Identifier: GPL-2.0-only
"""A file lock that many may share; it goes with the process that holds it.

filelock's locks are exclusive. A template must not be evicted while any run uses it, and any
number of runs may use it: flock(2) has both, and the kernel drops it when a process dies.
"""

import fcntl
import os
from pathlib import Path
from types import TracebackType
from typing import Self


class Lock:
    """A lock on ``path``; a context manager.

    Args:
        path: the lock's file; made when missing, never removed.
        shared: with any number of others who share it, or alone.
    """

    def __init__(self, path: Path, *, shared: bool) -> None:
        self._path = path
        self._mode = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
        self._fd = -1

    def acquire(self, *, wait: bool = True) -> bool:
        """Takes the lock; without ``wait``, False when somebody has it."""
        fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, self._mode | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            os.close(fd)
            return False
        except BaseException:
            os.close(fd)
            raise
        self._fd = fd
        return True

    def fileno(self) -> int:
        """The descriptor of the lock that is held; who inherits it holds the lock as well."""
        return self._fd

    def release(self) -> None:
        """Gives the lock back."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def __enter__(self) -> Self:
        self.acquire()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()
