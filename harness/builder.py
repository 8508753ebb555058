# SPDX-License-Identifier: GPL-2.0-only
"""Builds kernels while something else goes on."""

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor

from harness.closing import Closing
from harness.kernels.build import Built, Plan, Progress, build_held
from harness.kernels.held import Held
from harness.kernels.stop import Stop


class Builder(Closing):
    """Builds in a thread, in the order asked for; a context manager, whose end ends builds.

    Args:
        jobs: jobs of make; None for as many as CPUs.
        progress: is told how far builds are.
    """

    def __init__(self, jobs: int | None, progress: Progress) -> None:
        self._jobs = jobs
        self._progress = progress
        self._stop = Stop()
        self._pool = ThreadPoolExecutor(max_workers=1)
        self._begun: deque[Future[tuple[Built, Held]]] = deque()

    def begin(self, plan: Plan) -> None:
        """Builds a kernel, after those begun before."""
        self._begun.append(self._pool.submit(self._build, plan))

    def take(self) -> tuple[Built, Held]:
        """The kernel that was begun first, as :func:`harness.kernels.build.build_held` gives it."""
        begun = self._begun[0]
        try:
            return begun.result()
        finally:
            if begun.done():
                self._begun.popleft()

    def close(self) -> None:
        """Ends the build that goes on, and lets go of what nobody took."""
        self._stop.ask()
        self._pool.shutdown(cancel_futures=True)
        while self._begun:
            begun = self._begun.popleft()
            if not begun.cancelled() and begun.exception() is None:
                begun.result()[1].close()

    def _build(self, plan: Plan) -> tuple[Built, Held]:
        return build_held(plan, jobs=self._jobs, progress=self._progress, stop=self._stop)
