# SPDX-License-Identifier: GPL-2.0-only
"""The event loop that owns guests, in a thread of its own.

pytest is synchronous and may be busy for a while; a guest's output must be read all the same, or a
time limit would be charged to the case for the harness's own slowness.
"""

import asyncio
import concurrent.futures
import contextlib
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

from harness.closing import Closing

T = TypeVar("T")
WAKE_S = 0.2
"""The main thread looks up so often while it waits, in seconds (:func:`result_of`)."""
END_S = 20.0
"""Work that is given up has so long to drop its guests."""


def result_of(future: "concurrent.futures.Future[T]") -> T:
    """Waits for a future in the main thread, and sees signals all the same.

    A signal that comes just before a thread falls asleep on a lock, or that the kernel gives to
    another thread, does not wake it up, and Python's handler waits for the main thread (signal,
    "Signals and threads"). So it must not sleep without end.
    """
    while True:
        try:
            return future.result(timeout=WAKE_S)
        except TimeoutError:
            if future.done():
                return future.result()


class VmLoop(Closing):
    """A running event loop in a thread; a context manager.

    The thread lives as long as the object is open: QEMU's parent-death signal is tied to the thread
    that started it (prctl(2), PR_SET_PDEATHSIG).
    """

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._work: set[asyncio.Task[Any]] = set()
        self._thread = threading.Thread(target=self._loop.run_forever, name="kharness-vm")
        self._thread.daemon = True
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Runs ``work`` in the loop and waits for it.

        What a signal's handler raises meanwhile cancels it: Ctrl-C, or a time limit of pytest's.
        """
        future = self.start(work)
        try:
            return result_of(future)
        except BaseException:
            future.cancel()
            concurrent.futures.wait([future], timeout=5)
            raise

    def start(self, work: Coroutine[Any, Any, T]) -> "concurrent.futures.Future[T]":
        """Starts ``work`` in the loop without waiting.

        A future that is cancelled is done at once; what it stands for still drops its guests.
        """
        future: concurrent.futures.Future[T] = concurrent.futures.Future()
        self._loop.call_soon_threadsafe(self._begin, work, future)
        return future

    def give_up(self) -> None:
        """Cancels what was started, once each, and waits until it has dropped its guests."""
        ending = asyncio.run_coroutine_threadsafe(self._give_up(), self._loop)
        concurrent.futures.wait([ending], timeout=2 * END_S)

    def close(self) -> None:
        """Ends what still runs, and then the thread."""
        if self._loop.is_closed():
            return
        self.give_up()
        ending = asyncio.run_coroutine_threadsafe(self._end(), self._loop)
        concurrent.futures.wait([ending], timeout=2 * END_S)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=30)
        if not self._thread.is_alive():
            self._loop.close()

    def _begin(self, work: Coroutine[Any, Any, T], future: "concurrent.futures.Future[T]") -> None:
        task = self._loop.create_task(work)
        self._work.add(task)

        def stop(_: object) -> None:
            if future.cancelled():
                with contextlib.suppress(RuntimeError):  # the loop is closed
                    self._loop.call_soon_threadsafe(task.cancel)

        def tell(_: object) -> None:
            self._work.discard(task)
            if task.cancelled():
                future.cancel()
            error = None if task.cancelled() else task.exception()
            if not future.set_running_or_notify_cancel():
                return
            if error is not None:
                future.set_exception(error)
            else:
                future.set_result(task.result())

        task.add_done_callback(tell)
        future.add_done_callback(stop)

    async def _give_up(self) -> None:
        for task in self._work:
            if not task.cancelling():
                task.cancel()
        if self._work:
            await asyncio.wait(self._work, timeout=END_S)

    async def _end(self) -> None:
        """Cancels what has no owner any more.

        Not before the work is over: a connection to QEMU has tasks of its own, and one that is
        cancelled under its owner's hands leaves exceptions that nobody takes.
        """
        rest = asyncio.all_tasks() - {asyncio.current_task()}
        for task in rest:
            task.cancel()
        if rest:
            await asyncio.wait(rest, timeout=END_S)
