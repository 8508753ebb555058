# SPDX-License-Identifier: GPL-2.0-only
"""Running a case more than once: again when it failed, many times to hunt for a flake.

Every try has a guest of its own. What all tries come to is one result: of those that failed it
keeps what they said, of those that passed it keeps the number.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from harness.errors import UsageError
from harness.verdict.outcome import Attempt, Outcome, Result

KEPT = 10
"""Failed tries of which everything is kept; of more there are only the counts."""
WORST = (Outcome.CRASH, Outcome.FAIL, Outcome.TIMEOUT, Outcome.XPASS, Outcome.ERROR)
"""Which failure stands for all, when a case fails in more than one way."""
UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0}

Once = Callable[[int], Awaitable[Result]]
"""Runs a case once, in a fresh guest; takes the number of the try, from 1."""


@dataclass(frozen=True)
class TryRules:
    """How often a case is tried.

    Attributes:
        rerun: how many more tries a case has that failed; it ends with the first that passes.
        repeat: how often every case is run.
        until_fail: a case ends with its first failure.
        for_s: seconds that repeating may take, for all cases together.
    """

    rerun: int = 0
    repeat: int = 1
    until_fail: bool = False
    for_s: float | None = None

    @property
    def hunts(self) -> bool:
        """Cases are run many times, to see whether they ever fail: then a flake is a failure."""
        return self.repeat > 1 or self.until_fail or self.for_s is not None

    @property
    def bound(self) -> int | None:
        """Tries of one case at most, None for no bound."""
        return self.repeat if self.repeat > 1 or not self.hunts else None


def parse_duration(text: str, option: str) -> float:
    """Seconds of ``90``, ``90s``, ``10m`` or ``2h``.

    Raises:
        UsageError: it is none of these.
    """
    number, unit = (text[:-1], text[-1]) if text[-1:] in UNITS else (text, "s")
    if not (number.isascii() and number.isdigit() and int(number) > 0):
        raise UsageError(f"{option} {text}: a time is a number and a unit", f"{option} 90s, 10m")
    return int(number) * UNITS[unit]


class _Try(NamedTuple):
    """One try: which, from 1, and what came of it."""

    number: int
    result: Result


@dataclass
class _Count:
    """What the tries of one case came to so far."""

    tries: int = 0
    passed: _Try | None = None
    failed: int = 0
    kept: list[_Try] = field(default_factory=list)
    ways: Counter[tuple[Outcome, str]] = field(default_factory=Counter)

    def take(self, result: Result, number: int) -> None:
        self.tries += 1
        if result.outcome.good:
            # The first that passed, unless a try beside it was skipped.
            self.passed = self.passed or _Try(number, result)
            return
        self.failed += 1
        self.ways[result.outcome, result.message] += 1
        if len(self.kept) < KEPT:
            self.kept.append(_Try(number, result))

    @property
    def worst(self) -> _Try:
        """Of the failures that are kept the one that stands for all."""

        def rank(one: _Try) -> int:
            outcome = one.result.outcome
            return WORST.index(outcome) if outcome in WORST else 99

        return min(self.kept, key=rank)


class Tries:
    """The tries of one case: whether another is to be begun, and what all of them come to.

    Args:
        rules: how often a case is tried.
        settled: whether a failure needs no second look, because it is expected.
        for_s: seconds after which no further try is begun, None for no bound.
        stopping: whether the run was interrupted: a hunt begins no further try.
    """

    def __init__(
        self,
        rules: TryRules,
        *,
        settled: Callable[[Result], bool] = lambda _: False,
        for_s: float | None = None,
        stopping: Callable[[], bool] = lambda: False,
    ) -> None:
        self._rules = rules
        self._settled = settled
        self._stopping = stopping
        self._deadline = time.monotonic() + for_s if for_s is not None else None
        self._count = _Count()
        self._begun = 0
        self._over = False

    def begin(self) -> int:
        """The number of the next try, from 1; 0 when there is to be none."""
        if self._begun and not self._goes_on():
            return 0
        self._begun += 1
        return self._begun

    def _goes_on(self) -> bool:
        rules = self._rules
        if self._over:
            return False
        if not rules.hunts:
            return self._begun <= rules.rerun
        if self._stopping() or (rules.until_fail and self._count.failed):
            return False
        if self._deadline is not None and time.monotonic() >= self._deadline:
            return False
        return rules.bound is None or self._begun < rules.bound

    def take(self, result: Result, number: int) -> None:
        """Takes the result of a try by its number."""
        count = self._count
        count.take(result, number)
        if self._rules.hunts:
            self._over |= result.outcome is Outcome.SKIP  # it would be skipped every time
        else:
            # Trouble had its second guest.
            first = count.tries == 1 and (self._settled(result) or is_trouble(result))
            self._over |= result.outcome.good or first

    @property
    def chosen(self) -> Result:
        """The try that a person is to see: one that failed when all of them did, or in a hunt."""
        count = self._count
        if count.passed is None or (count.failed and self._rules.hunts):
            return count.worst.result
        return count.passed.result

    def result(self) -> Result:
        """The one result of all tries; ``flaky`` when some failed and one did not.

        Raises:
            CancelledError: there was none: it was interrupted before the first.
        """
        if not self._count.tries:
            raise asyncio.CancelledError
        if self._count.tries == 1 and not self._rules.hunts:
            return self.chosen
        return _all(self._count)


async def rerun(once: Once, rules: TryRules, *, settled: Callable[[Result], bool]) -> Result:
    """Runs a case, and again while it fails.

    Args:
        once: runs it once.
        rules: how often.
        settled: see :class:`Tries`.
    """
    tries = Tries(rules, settled=settled)
    while number := tries.begin():
        tries.take(await once(number), number)
    return tries.result()


async def repeat(
    once: Once,
    rules: TryRules,
    *,
    jobs: int,
    for_s: float | None,
    stopping: Callable[[], bool],
) -> Result:
    """Runs a case many times, ``jobs`` at a time.

    Args:
        once: runs it once.
        rules: how often.
        jobs: tries at a time.
        for_s: see :class:`Tries`.
        stopping: the same.
    """
    tries = Tries(rules, for_s=for_s, stopping=stopping)

    async def hunter() -> None:
        while number := tries.begin():
            tries.take(await once(number), number)

    async with asyncio.TaskGroup() as group:
        for _ in range(jobs):
            group.create_task(hunter())
    return tries.result()


def _all(count: _Count) -> Result:
    """One result of all tries."""
    counts = {"tries": str(count.tries), "failed": str(count.failed)}
    if not count.failed:
        assert count.passed is not None
        passed = count.passed.result
        return replace(passed, extra={**passed.extra, **counts})
    worst_in, worst = count.worst
    words = f"failed {count.failed} of {count.tries}"
    if worst.outcome is Outcome.CRASH:
        crashes = sum(n for (outcome, _), n in count.ways.items() if outcome is Outcome.CRASH)
        words += f" ({crashes} by a crash of the kernel)"
    words += f": {worst.message}"
    detail = _ways(count)
    if count.passed is None:
        others = [attempt_of(*one) for one in count.kept if one.number != worst_in]
        return replace(
            worst,
            message=words,
            detail=f"{worst.detail}\n{detail}".strip(),
            attempts=(*worst.attempts, *others),
            extra={**worst.extra, **counts, "try": str(worst_in)},
        )
    passed_in, passed = count.passed
    return replace(
        passed,
        outcome=Outcome.FLAKY,
        message=words,
        detail=detail,
        file=worst.file,
        line=worst.line,
        splats=worst.splats,
        attempts=tuple(attempt_of(*one) for one in count.kept),
        extra={**passed.extra, **counts, "try": str(passed_in)},
    )


def _ways(count: _Count) -> str:
    lines = [f"of {count.tries} tries:"] + [
        f"  {n} x {outcome.value}: {message}" for (outcome, message), n in count.ways.most_common()
    ]
    passed = count.tries - count.failed
    lines += [f"  {passed} x pass"] if passed else []
    if count.failed > len(count.kept):
        lines.append(f"  (the first {len(count.kept)} failures are kept whole)")
    return "\n".join(lines)


def attempt_of(number: int, result: Result) -> Attempt:
    """A try, by its number, as it is kept in the result of all tries."""
    return Attempt(
        outcome=result.outcome,
        message=result.message,
        detail=result.detail,
        started=result.started,
        duration_s=result.duration_s,
        stdout=result.stdout,
        console=result.console,
        worker=result.worker,
        number=number,
        console_file=result.console_file,
    )


def again_after_trouble(first: Result, second: Result) -> Result:
    """What a case comes to that lost its first guest, and not to anything that the case did.

    Args:
        first: says how the guest was lost.
        second: of the one further try.
    """
    lost = f"its first guest was lost: {first.message}"
    evidence = {f"first guest: {name}": text for name, text in first.evidence.items()}
    if first.splats:
        evidence["first guest: console"] = first.console
    result = replace(second, evidence={**second.evidence, **evidence})
    if is_trouble(second) and second.outcome is Outcome.ERROR:
        detail = f"{second.detail}\nit was tried twice; {lost}".strip()
        return replace(result, message=f"{second.message} (twice)", detail=detail)
    return replace(result, extra={**result.extra, "first_guest": lost})


def is_trouble(result: Result) -> bool:
    """Whether a guest was lost and nothing says that the case made the kernel do it.

    Nothing does when the kernel said no word, and when it crashed before it came to the case: a
    fork is like every other then, so what comes once only is not the kernel's doing (an emulator's
    error has been seen). What comes twice is.
    """
    return result.extra.get("cause") in ("guest", "before the case")


def flaky(results: Sequence[Result]) -> list[Result]:
    """Those that failed in some tries and passed in others."""
    return [r for r in results if r.outcome is Outcome.FLAKY]
