# SPDX-License-Identifier: GPL-2.0-only
"""A case's turn: it waits for a CPU, has its tries, and is judged by what is expected of it."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from harness.cases.case import Case
from harness.kernels.kernel import Kernel
from harness.runner import KernelRunner
from harness.tries import Tries, TryRules, again_after_trouble, is_trouble, repeat, rerun
from harness.verdict.known_failures import KnownFailure, in_the_light_of
from harness.verdict.outcome import Outcome, Result

Here = Callable[[int, bool], Result]
"""Runs a case once, in the calling thread; takes the number of the try, from 1, and whether the
saved template is to be looked at anew."""


class Turns:
    """Gives cases their turns.

    All happens in the VM loop but :meth:`stop` and :meth:`take_here`, which belong to one thread.

    Args:
        jobs: guests at a time.
        rules: how often a case is tried.
        known_failure: what is expected of a case (its node id) on a kernel, or None.
    """

    def __init__(
        self,
        jobs: int,
        rules: TryRules,
        known_failure: Callable[[str, Kernel | None], KnownFailure | None],
    ) -> None:
        self._jobs = jobs
        self._rules = rules
        self._known_failure = known_failure
        self._slots: asyncio.Semaphore | None = None
        self._stopping = False
        self._running = 0
        self._here = 0

    def stop(self) -> int:
        """Nothing is begun any more; returns how many cases run and have to end."""
        self._stopping = True
        return self._running + self._here

    async def take(self, runner: KernelRunner, case: Case, cases: int) -> Result:
        """A case with all its tries.

        Args:
            runner: of the kernel.
            case: the case.
            cases: how many the run has, who share the time of a hunt.

        Raises:
            CancelledError: the run was stopped before the case was through.
        """
        rules = self._rules
        once = partial(self._once, runner, case)
        entry = self._known_failure(case.node, runner.kernel)
        if rules.hunts:
            result = await repeat(
                *(once, rules),
                jobs=self._jobs,
                for_s=self._share(cases),
                stopping=lambda: self._stopping,
            )
        else:
            result = await rerun(
                once, rules, settled=lambda result: in_the_light_of(entry, result).outcome.good
            )
        return in_the_light_of(entry, result)

    def take_here(
        self, once: Here, node: str, kernel: Kernel | None, cases: int
    ) -> tuple[Result, Result]:
        """A case with all its tries, one after another in the calling thread: a Python test.

        Args:
            once: runs it once.
            node: its node id.
            kernel: what it runs on, None for a test without a guest.
            cases: see :meth:`take`.

        Returns:
            The result, and that of the try that a person is to see for it.

        Raises:
            KeyboardInterrupt: the run was stopped before the case was through.
        """
        entry = self._known_failure(node, kernel)
        tries = Tries(
            self._rules,
            settled=lambda result: in_the_light_of(entry, result).outcome.good,
            for_s=self._share(cases),
            stopping=lambda: self._stopping,
        )
        self._here += 1
        try:
            while number := tries.begin():
                if self._stopping:
                    raise KeyboardInterrupt
                result = once(number, False)
                if is_trouble(result):
                    result = again_after_trouble(result, once(number, True))
                tries.take(result, number)
        finally:
            self._here -= 1
        return in_the_light_of(entry, tries.result()), tries.chosen

    def _share(self, cases: int) -> float | None:
        """Seconds that a case may be hunted for."""
        return self._rules.for_s / max(1, cases) if self._rules.for_s else None

    async def _once(self, runner: KernelRunner, case: Case, number: int) -> Result:
        """One try; a second guest when the first was lost and the kernel said nothing."""
        result = await self._in_slot(runner, case, number, doubt=False)
        if is_trouble(result):
            again = await self._in_slot(runner, case, number, doubt=True)
            result = again_after_trouble(result, again)
        if self._rules.hunts and number > 1 and result.outcome is Outcome.PASS:
            # Of a hundred tries that pass one console is enough.
            runner.consoles.forget(result)
            result = replace(result, console_file="")
        return result

    async def _in_slot(
        self, runner: KernelRunner, case: Case, number: int, *, doubt: bool
    ) -> Result:
        if self._slots is None:
            self._slots = asyncio.Semaphore(self._jobs)
        runner.queued += 1
        try:
            await self._slots.acquire()
        finally:
            runner.queued -= 1
        try:
            if self._stopping:
                raise asyncio.CancelledError
            self._running += 1
            try:
                return await runner.run(case, number, doubt=doubt)
            finally:
                self._running -= 1
        finally:
            self._slots.release()
