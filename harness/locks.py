# SPDX-License-Identifier: GPL-2.0-only
"""A file lock that many may share; it goes with the process that holds it.

filelock's locks are exclusive. A template must not be evicted while any run uses it, and any
number of runs may use it: flock(2) has both, and the kernel drops it when a process dies.
"""

import fcntl
import os
from pathlib import Path
from typing import Self

from harness.closing import Closing


class Lock(Closing):
    """A lock on ``path``; a context manager.

    Args:
        path: the lock's file; never removed here.
        shared: with any number of others who share it, or alone.
        make: the file when it is missing.
    """

    def __init__(self, path: Path, *, shared: bool, make: bool = True) -> None:
        self._path = path
        self._mode = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
        self._flags = os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW | (os.O_CREAT if make else 0)
        self._fd = -1

    def acquire(self, *, wait: bool = True) -> bool:
        """Takes the lock; without ``wait``, False when somebody has it.

        Raises:
            OSError: the file cannot be opened, or is missing and not to be made.
        """
        fd = os.open(self._path, self._flags, 0o600)
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

    @property
    def current(self) -> bool:
        """The lock is held, and its file is still the one of its name."""
        try:
            return os.path.samestat(os.fstat(self._fd), self._path.lstat())
        except OSError:
            return False

    def release(self) -> None:
        """Gives the lock back."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def __enter__(self) -> Self:
        self.acquire()
        return self

    def close(self) -> None:
        """The same as :meth:`release`, at the end of a block."""
        self.release()
