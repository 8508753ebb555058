# SPDX-License-Identifier: GPL-2.0-only
"""Judging a patch series: build the base and the base with patches, run the cases, compare.

Each kernel's cases run in a ``kharness run`` of their own, so that whatever a kernel does to a run
it does to its own. What got worse is run again on both sides: a difference that does not come
every time is no verdict on the patch.
"""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from harness.errors import KernelError
from harness.kernels.build import Plan, Progress, build_held
from harness.kernels.patches import Patch, check_patches
from harness.report.compare import (
    WORSE,
    Change,
    Comparison,
    Difference,
    compare,
    new_splats,
    unstable,
)
from harness.report.difference import Report
from harness.subrun import KernelRun, run_on
from harness.verdict.outcome import Outcome, Result

CONFIRM_RUNS = 2
CONFIRM_LIMIT = 40
"""More cases than this that fail together need no second look."""


@dataclass(frozen=True)
class SeriesOptions:
    """How a series is judged.

    Attributes:
        folder: gets a run folder for each kernel.
        cases: paths or node ids; those of harness.toml when empty.
        run_options: passed on to ``kharness run``.
        jobs: jobs of make; None for as many as CPUs.
        each: judge after every patch.
        say: takes lines that a person should see.
    """

    folder: Path
    cases: tuple[str, ...] = ()
    run_options: tuple[str, ...] = ()
    jobs: int | None = None
    each: bool = False
    say: Callable[[str], None] = print


@dataclass(frozen=True)
class _Side:
    """A kernel that was built, and what its cases came to.

    Attributes:
        name: what to call it.
        image: folder of the kernel in the cache; None when it could not be built.
        results: of its cases.
        boot: what it printed while booting.
        broken: why it does not build or boot; empty when it does.
    """

    name: str
    image: Path | None = None
    results: tuple[Result, ...] = ()
    boot: str = ""
    broken: str = ""
    detail: str = ""


def judge_series(
    base: Plan, patches: Sequence[Patch], options: SeriesOptions, progress: Progress
) -> Report:
    """Judges a series.

    Args:
        base: the kernel without it.
        patches: the series, in order.
        options: how.
        progress: is told how far builds are.

    Raises:
        KernelError: the base does not build or boot, or a patch does not apply.
        HostError: the host could not run the cases.
    """
    check_patches(base.source, base.with_patches(patches).patches)
    with ExitStack() as held:
        return _judged(base, patches, _Judge(options, progress, held), each=options.each)


def _judged(base: Plan, patches: Sequence[Patch], judge: "_Judge", *, each: bool) -> Report:
    first = judge.side(base, base.name, 0)
    if first.broken:
        raise KernelError(f"the base cannot be judged: {first.broken}", detail=first.detail)
    before, steps = first, []
    counts = range(1, len(patches) + 1) if each else [len(patches)]
    for count in counts:
        name = patches[count - 1].name
        title = f"{base.name} + {count}" if count > 1 or each else f"{base.name} + {name}"
        after = judge.side(base.with_patches(patches[:count]), title, count)
        if each:
            steps.append((name, judge.compared(before, after)))
        # What a patch that does not build would change cannot be seen: the last that does counts.
        before = after if not after.broken else before
    whole = judge.compared(first, after)
    return Report(whole, tuple(steps))


class _Judge:
    def __init__(self, options: SeriesOptions, progress: Progress, held: ExitStack) -> None:
        self._options = options
        self._held = held
        self._progress = progress
        self._tried: dict[tuple[Path, str], list[Outcome]] = {}

    def side(self, plan: Plan, name: str, number: int) -> _Side:
        """Builds a kernel and runs the cases on it."""
        self._options.say(f"{name}: building")
        try:
            built, held = build_held(plan, jobs=self._options.jobs, progress=self._progress)
            self._held.enter_context(held)
        except KernelError as error:
            # Base included, what does not apply is not the kernel's fault.
            if number == 0 or "does not apply" in error.what:
                raise
            self._options.say(f"{name}: {error.what}")
            return _Side(name, broken=error.what, detail=error.detail)
        self._options.say(f"{name}: running the cases")
        ran = self._run(built.folder, f"{number:02}", self._options.cases)
        return _Side(name, built.folder, ran.results, ran.boot, ran.broken, ran.detail)

    def _run(self, image: Path, name: str, cases: Sequence[str]) -> KernelRun:
        return run_on(image, self._options.folder / name, cases, self._options.run_options)

    def compared(self, base: _Side, head: _Side) -> Comparison:
        """What changed between two kernels; what got worse has been tried again."""
        names = (base.name, head.name)
        if head.broken:
            broken = Difference(Change.BROKEN, "", head.broken, detail=head.detail)
            return Comparison(*names, (broken,), 0)
        splats = [
            Difference(Change.NEW_SPLAT, "", f"while booting: {title}")
            for title in new_splats(base.boot, head.boot)
        ]
        found = compare(base.results, head.results, names=names, more=splats)
        return self._confirm(found, base, head)

    def _confirm(self, found: Comparison, base: _Side, head: _Side) -> Comparison:
        worse = [d for d in found.of(*WORSE) if d.base and d.head]
        if not worse or len(worse) > CONFIRM_LIMIT:
            return found
        self._options.say(f"{head.name}: {len(worse)} got worse; running them again on both")
        nodes = list(dict.fromkeys(d.case for d in worse))
        again = [self._again(side, nodes) for side in (base, head)]
        differences = []
        for d in found.differences:
            words = _doubt(d, *again) if d in worse else ""
            differences.append(unstable(d, words) if words else d)
        return replace(found, differences=tuple(differences))

    def _again(self, side: _Side, nodes: Sequence[str]) -> dict[str, list[Outcome]]:
        """Outcomes of cases that were run again on a kernel; none is run again twice."""
        assert side.image is not None
        missing = [node for node in nodes if (side.image, node) not in self._tried]
        for _ in range(CONFIRM_RUNS if missing else 0):
            taken = len(list(self._options.folder.glob("again-*.log")))
            for result in self._run(side.image, f"again-{taken:02}", missing).results:
                self._tried.setdefault((side.image, result.case), []).append(result.outcome)
        return {node: self._tried.get((side.image, node), []) for node in nodes}


def _doubt(d: Difference, base: dict[str, list[Outcome]], head: dict[str, list[Outcome]]) -> str:
    """Why a difference is no verdict; empty when it came every time."""
    assert d.base is not None and d.head is not None
    bad_before = sum(not o.good for o in base.get(d.case, []))
    good_after = sum(o.good for o in head.get(d.case, []))
    words = []
    if bad_before and d.base.outcome.good:
        words.append(f"failed {bad_before} of {CONFIRM_RUNS} times on base when run again")
    if good_after and not d.head.outcome.good:
        words.append(f"passed {good_after} of {CONFIRM_RUNS} times on head when run again")
    return ", ".join(words)
