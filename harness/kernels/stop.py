# SPDX-License-Identifier: GPL-2.0-only
"""Stops a build that another thread does."""

import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from harness.errors import HostError
from harness.locks import Lock

EVERY_S = 0.1


class Stop:
    """Says to a build that nobody wants it any more, whatever it does just then."""

    def __init__(self) -> None:
        self._asked = threading.Event()
        self._guard = threading.Lock()
        self._end: Callable[[], None] | None = None

    def ask(self) -> None:
        """Ends what the build runs now, and what it would run next."""
        with self._guard:
            self._asked.set()
            end = self._end
        if end:
            end()

    @contextmanager
    def ends(
        self, process: "subprocess.Popen[str]", end: Callable[["subprocess.Popen[str]"], None]
    ) -> Iterator[None]:
        """What runs in the block is ended by ``end`` when the build is stopped."""
        with self._guard:
            self._end = lambda: end(process)
            late = self._asked.is_set()
        try:
            if late:
                end(process)
            yield
        finally:
            with self._guard:
                self._end = None

    def acquire(self, lock: Lock) -> None:
        """Waits for a lock that others have.

        Raises:
            HostError: the build was stopped meanwhile.
        """
        while not lock.acquire(wait=False):
            # flock(2) could not be left without a signal.
            if self._asked.wait(EVERY_S):
                raise HostError("the build was stopped")
