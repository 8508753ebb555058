# SPDX-License-Identifier: GPL-2.0-only
"""Signals that end a run: the first Ctrl-C lets running cases end, anything after it does not."""

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

AT_ONCE = (signal.SIGTERM, signal.SIGHUP)


class Interrupts:
    """Handles SIGINT, SIGTERM and SIGHUP from :meth:`install` to :meth:`restore`.

    The first SIGINT asks politely; a second one, SIGTERM and SIGHUP raise KeyboardInterrupt in the
    main thread, once: what then cleans up is not interrupted again.

    Args:
        ask: told of the first SIGINT; returns how many cases still have to end. With none there is
            nothing to wait for, and the signal counts as a second one.
    """

    def __init__(self, ask: Callable[[], int]) -> None:
        self._ask = ask
        self._before: dict[signal.Signals, Any] = {}
        self._asked = False
        self._over = False
        self._held = 0
        self._pending = False
        self._settled = False

    @property
    def asked(self) -> bool:
        """The run was asked to end."""
        return self._asked

    @property
    def came(self) -> bool:
        """A signal came, be it when nothing was left to be ended."""
        return self._asked or self._over

    @property
    def patient(self) -> bool:
        """The run was asked to end, and not to end at once."""
        return self._asked and not self._over

    def install(self) -> None:
        """Takes the signals over; a signal that is ignored stays so (nohup)."""
        if threading.current_thread() is not threading.main_thread():
            return
        for number in (signal.SIGINT, *AT_ONCE):
            before = signal.getsignal(number)
            if before is not signal.SIG_IGN and before != self._handle:
                self._before[number] = before
                signal.signal(number, self._handle)

    def restore(self) -> None:
        """Gives the signals back."""
        for number, before in self._before.items():
            signal.signal(number, before)
        self._before.clear()

    @contextmanager
    def held(self) -> Iterator[None]:
        """Puts KeyboardInterrupt off until the block is through, for what must be done whole."""
        self._held += 1
        try:
            yield
        finally:
            self._held -= 1
        if self._pending and not self._held:
            self._pending = False
            raise KeyboardInterrupt

    def settle(self) -> None:
        """From now on a signal raises nothing: what is left is short and is done whole."""
        self._settled = True

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        if self._over:
            return
        if self._settled:
            self._over = True
            return
        if number == signal.SIGINT and not self._asked:
            self._asked = True
            cases = self._ask()
            if cases:
                noun = "case ends" if cases == 1 else "cases end"
                _tell(f"interrupted: {cases} {noun}; once more to stop at once")
                return
        self._over = True
        if self._held:
            self._pending = True
            return
        raise KeyboardInterrupt


def _tell(words: str) -> None:
    """Writes past every buffer: a handler may have come in the middle of a print."""
    with contextlib.suppress(OSError):  # nobody may be there to read it
        os.write(2, f"\nkharness: {words}\n".encode())
