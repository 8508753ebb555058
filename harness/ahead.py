# SPDX-License-Identifier: GPL-2.0-only
"""Cases that run before it is their turn: pytest asks for one result at a time, guests are many."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError, Future
from concurrent.futures import wait as wait_for

from harness.cases.case import Case
from harness.verdict.outcome import Result
from harness.vm.loop import WAKE_S, result_of

PER_GUEST = 4
"""Cases per guest at a time that are started before their turn, so that a slow one stops nobody."""


class Ahead:
    """Starts cases and hands out their results; forgets a result when it is handed out.

    Args:
        begin: starts a case on a kernel.
        guests: how many run at a time.
    """

    def __init__(self, begin: Callable[[Case, str], "Future[Result]"], guests: int) -> None:
        self._begin = begin
        self._room = PER_GUEST * guests
        self._plan: Sequence[tuple[Case, str]] = ()
        self._places: dict[tuple[str, str], int] = {}
        self._started: dict[tuple[str, str], Future[Result]] = {}
        self._next = 0

    def plan(self, cases: Sequence[tuple[Case, str]]) -> None:
        """What will be asked for, in order."""
        self._plan = cases
        self._places = {(case.node, kernel): n for n, (case, kernel) in enumerate(cases)}

    @property
    def keys(self) -> Sequence[tuple[str, str]]:
        """Node id and kernel of the plan."""
        return list(self._places)

    def __len__(self) -> int:
        return len(self._plan)

    def result(self, case: Case, kernel: str, *, ahead: bool) -> Result:
        """The result of a case on a kernel; waits for it.

        Args:
            case: the case.
            kernel: the kernel's name.
            ahead: start those that come after it, as far as there is room.

        Raises:
            KeyboardInterrupt: the run was interrupted before the case began.
        """
        key = (case.node, kernel)
        if key not in self._started:
            self._started[key] = self._begin(case, kernel)
        if ahead:
            self._look_ahead(key)
        try:
            result = result_of(self._started[key])
        except CancelledError:
            raise KeyboardInterrupt from None
        del self._started[key]
        return result

    def _look_ahead(self, key: tuple[str, str]) -> None:
        at = self._places.get(key)
        if at is None:
            return
        self._next = max(self._next, at + 1)
        while self._next < len(self._plan) and len(self._started) < self._room:
            case, kernel = self._plan[self._next]
            if (case.node, kernel) not in self._started:
                self._started[case.node, kernel] = self._begin(case, kernel)
            self._next += 1

    def rest(self, wait: Callable[[], bool]) -> Iterator[Result]:
        """Results of cases whose turn had not come when the run was interrupted.

        Args:
            wait: whether to wait for those that run; asked again and again. When it says no, only
                what is there already is given.
        """
        for key, future in list(self._started.items()):
            try:
                while wait() and not future.done():
                    wait_for([future], timeout=WAKE_S)
                if not future.done():
                    continue
                result = future.result()
            except CancelledError:
                continue  # it had not begun
            del self._started[key]
            yield result
