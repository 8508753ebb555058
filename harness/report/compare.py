# SPDX-License-Identifier: GPL-2.0-only
"""What changed between two runs: pure functions over results.

Of a case the outcomes of both sides are looked at, what the kernel said beside them, and the time.
A side that has no result for a case, or one that is the host's fault, judges nothing.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum, StrEnum
from operator import itemgetter

from harness.report.junit import last_results
from harness.report.namesakes import numbered, shared_name
from harness.verdict.console import Severity, find_splats
from harness.verdict.outcome import HOST, Outcome, Result
from harness.verdict.text import one_line

SLOWER = 2.0
SLOWER_S = 0.5
"""A time has changed when it is twice the other one, and by so many seconds: forks are noisy."""


class Judgement(IntEnum):
    """What a comparison comes to; its exit code."""

    NOT_WORSE = 0
    WORSE = 1
    UNJUDGED = 3

    @property
    def words(self) -> str:
        """As a person says it."""
        return self.name.lower().replace("_", " ")


class Change(StrEnum):
    """Kinds of difference, in the order in which people want to see them."""

    BROKEN = "does not build or boot"
    NEWLY_FAILING = "newly failing"
    NEW_SPLAT = "new splat"
    UNJUDGED = "could not be judged"
    UNSTABLE = "not the same every time"
    STILL_FAILING = "still failing"
    NEWLY_PASSING = "newly passing"
    CHANGED_SKIP = "skip changed"
    CHANGED_TIME = "time changed"
    ADDED = "only in head"


WORSE = (Change.BROKEN, Change.NEWLY_FAILING, Change.NEW_SPLAT)
UNJUDGED = (Change.UNJUDGED, Change.UNSTABLE)


@dataclass(frozen=True)
class Difference:
    """One difference.

    Attributes:
        change: its kind.
        case: node id without the kernel; empty for what concerns the kernel as a whole.
        words: one line that says what it was and what it is.
        base: result on the base, where there is one.
        head: result on the head, where there is one.
        detail: evidence of what concerns the kernel as a whole, such as a compiler's words.
        kernel: what tells it from the same case on other kernels; empty where there is one kernel.
    """

    change: Change
    case: str
    words: str
    base: Result | None = None
    head: Result | None = None
    detail: str = ""
    kernel: str = ""

    @property
    def title(self) -> str:
        """The case, and its kernel where there are several, as in a node id."""
        return f"{self.case}[{self.kernel}]" if self.kernel else self.case


@dataclass(frozen=True)
class Comparison:
    """What changed from base to head.

    Attributes:
        base: what to call the base.
        head: what to call the head.
        differences: worst first.
        same: number of cases without a difference.
        incomplete: a sentence for each side whose run is incomplete.
    """

    base: str
    head: str
    differences: tuple[Difference, ...]
    same: int
    incomplete: tuple[str, ...] = ()

    @property
    def judgement(self) -> Judgement:
        """Whether something got worse."""
        changes = {d.change for d in self.differences}
        if changes & set(WORSE):
            return Judgement.WORSE
        if changes & set(UNJUDGED) or not (self.same or self.differences):
            return Judgement.UNJUDGED
        return Judgement.NOT_WORSE

    def of(self, *changes: Change) -> list[Difference]:
        """The differences of these kinds."""
        return [d for d in self.differences if d.change in changes]


def compare(
    base: Sequence[Result],
    head: Sequence[Result],
    *,
    names: tuple[str, str] = ("base", "head"),
    more: Sequence[Difference] = (),
    missing: tuple[str, str] = ("", ""),
) -> Comparison:
    """Compares two runs.

    Where each of them has one kernel, cases are matched whatever the kernels are called; else by
    kernel and case. What runs without a guest is matched with its like. What an incomplete base has
    no result of may have been there and failed.

    Args:
        base: results before.
        head: results after.
        names: what to call them.
        more: differences that are known from elsewhere, such as a splat while booting.
        missing: what is missing of each run; empty where nothing is.
    """
    found = list(more)
    same = 0
    for kernel, before, after in _pairs(base, head):
        differences = _differences(before, after, whole_base=not missing[0])
        found += [replace(d, kernel=kernel) for d in differences]
        same += not differences
    order = list(Change)
    found.sort(key=lambda d: order.index(d.change))
    sides = zip(("base", "head"), names, missing, strict=True)
    incomplete = tuple(
        f"{side} {name} is incomplete: {words}" for side, name, words in sides if words
    )
    return Comparison(*names, tuple(found), same, incomplete)


def unstable(difference: Difference, words: str) -> Difference:
    """The difference, found not to come every time."""
    return replace(difference, change=Change.UNSTABLE, words=f"{difference.words}; {words}")


def new_splats(before: str, after: str) -> list[str]:
    """Titles of splats that a console has and another one has not."""
    return [title for title in _titles(after) if title not in _titles(before)]


def _titles(console: str) -> list[str]:
    splats = [s for s in find_splats(console) if s.severity is not Severity.INFO]
    return list(dict.fromkeys(s.title for s in splats))


def _pairs(
    base: Sequence[Result], head: Sequence[Result]
) -> Iterator[tuple[str, Result | None, Result | None]]:
    """Kernel of each case, empty where its name does not matter, and its result on both sides.

    A case is known by its node id, or where the other side has another one or, as JUnit, none, by
    class name, name and its number among namesakes.
    """
    one_each = all(len({r.kernel for r in side} - {HOST}) <= 1 for side in (base, head))
    before, after = (_by_node_id(side, one_each=one_each) for side in (base, head))
    names, others = _names(before), _names(after)
    left = {named: key for key, named in others.items() if key not in before}
    matched = set()
    for key, result in before.items():
        match = key if key in after else left.get(names[key], key)
        matched.add(match)
        yield key[0], result, after.get(match)
    for key, result in after.items():
        if key not in matched:
            yield key[0], None, result


def _by_node_id(results: Sequence[Result], *, one_each: bool) -> dict[tuple[str, str], Result]:
    return {
        ("" if one_each and r.kernel != HOST else r.kernel, r.case): r
        for r in last_results(results)
    }


def _names(results: Mapping[tuple[str, str], Result]) -> dict[tuple[str, str], tuple[str, str]]:
    """Kernel and name, as JUnit has it, of each case by kernel and node id."""
    kernels: dict[str, dict[str, str]] = {}
    for (kernel, case), r in sorted(results.items(), key=itemgetter(0)):
        kernels.setdefault(kernel, {})[case] = shared_name(r.classname, r.name)
    return {
        (kernel, case): (kernel, cases[case] if number == 1 else f"{cases[case]} ({number})")
        for kernel, cases in kernels.items()
        for case, number in numbered(list(cases.items()), cases.values()).items()
    }


def _differences(base: Result | None, head: Result | None, *, whole_base: bool) -> list[Difference]:
    if base is not None and head is not None:
        found = _between(base, head)
    else:
        found = _on_one_side(base, head, whole_base=whole_base)
    if found is None:
        return []
    known = head or base
    assert known is not None
    return [Difference(found[0], known.case, found[1], base, head)]


def _on_one_side(
    base: Result | None, head: Result | None, *, whole_base: bool
) -> tuple[Change, str]:
    if head is None:
        return Change.UNJUDGED, f"{_says(base)} on base, not run on head"
    change = Change.ADDED if head.outcome.good else Change.NEWLY_FAILING
    if not whole_base or head.outcome is Outcome.ERROR:
        change = Change.UNJUDGED
    return change, f"not run on base, {_says(head)} on head"


def _between(base: Result, head: Result) -> tuple[Change, str] | None:
    words = f"{_says(base)} on base, {_says(head)} on head"
    expected = _expected(head)
    splats = [t for t in new_splats(base.console, head.console) if t not in expected]
    times = sorted((base.duration_s, head.duration_s))
    found: Change | None = None
    if Outcome.ERROR in (base.outcome, head.outcome):
        found = Change.UNJUDGED
    elif base.outcome.good and not head.outcome.good:
        found = Change.NEWLY_FAILING
    elif splats:
        found, words = Change.NEW_SPLAT, f"{one_line(splats[0])}; {words}"
    elif not head.outcome.good:
        found = Change.STILL_FAILING
    elif not base.outcome.good:
        found = Change.NEWLY_PASSING
    elif Outcome.SKIP in (base.outcome, head.outcome) and _says(base) != _says(head):
        found = Change.CHANGED_SKIP
    elif times[1] >= times[0] * SLOWER and times[1] - times[0] >= SLOWER_S:
        found = Change.CHANGED_TIME
        words = f"{base.duration_s:.2f} s on base, {head.duration_s:.2f} s on head"
    return (found, words) if found else None


def _expected(result: Result) -> set[str]:
    """Titles of splats that were all expected."""
    unexpected = {s.title for s in result.splats if not s.expected}
    return {s.title for s in result.splats} - unexpected


def _says(result: Result | None) -> str:
    if result is None:
        return "nothing"
    message = one_line(result.message)
    return f"{result.outcome.value} ({message})" if message else result.outcome.value
