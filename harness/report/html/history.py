# SPDX-License-Identifier: GPL-2.0-only
"""What became of the cases of a run in earlier runs: how often it changes, and how time goes."""

import itertools
from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.errors import UsageError
from harness.report.html.columns import instant
from harness.report.html.strings import whole
from harness.report.journal import Journal, RunInfo
from harness.report.stream import JournalIndex, iter_results, run_of
from harness.verdict.outcome import Outcome, Result

LIMIT = 60
"""Runs that are looked at, the newest: more do not fit into a sparkline."""
LATEST = 3
"""Runs whose median time is compared with the median of those before."""
ORDER = tuple(Outcome)
NONE = len(ORDER)
"""Stands for no outcome where an outcome is its place in :data:`ORDER`."""
Point = tuple[Outcome, float] | None
"""What became of a case in a run, and how many seconds it took."""


@dataclass(frozen=True)
class EarlierRun:
    """Another run; its results stay where they are.

    Attributes:
        run: which.
        source: its journal, or the file of it.
    """

    run: RunInfo
    source: Journal | Path

    def results(self) -> Iterator[Result]:
        """Its results in the order in which they came; of one case the last counts."""
        if isinstance(self.source, Journal):
            return iter(self.source.results)
        return iter_results(self.source)


@dataclass(frozen=True)
class Past:
    """A case on a kernel over the runs, oldest first, this run last.

    Attributes:
        outcomes: a character for each run: the outcome's place in :class:`Outcome`, ``.`` for none.
        times_ms: milliseconds for each run; 0 for none.
        changes: how often good became bad or bad good from one run to the next.
        steps: how often that could have been; skipped ones do not count.
        trend: median time of the last runs by the median of those before; 0 when unknown.
    """

    outcomes: str
    times_ms: tuple[int, ...]
    changes: int
    steps: int
    trend: float


def find_runs(folder: Path) -> list[Path]:
    """Journals of the run folders in ``folder``, or of itself if it is one.

    Raises:
        UsageError: there is none.
    """
    own = folder / "journal.jsonl"
    if own.is_file():
        return [own]
    found = {path.resolve(): path for path in sorted(folder.glob("*/journal.jsonl"))}
    if not found:
        raise UsageError(f"no run folder in {folder}", "give a folder such as .kharness/runs")
    return sorted(found)


def journals_of(item: Path) -> list[Path]:
    """The journals that are meant by a journal, a run folder, or a folder of them.

    Raises:
        UsageError: a folder has none.
    """
    return [item] if item.is_file() else find_runs(item)


def read_history(items: Sequence[Journal | Path]) -> list[EarlierRun]:
    """The runs of what was given: journals, their files, run folders, folders of run folders.

    Those that do not say what run they are of, or have no result, are left out of a folder.

    Raises:
        UsageError: a folder has no run, or a file is no journal of one.
    """
    runs = []
    for item in items:
        files = [item] if isinstance(item, Journal) else journals_of(item)
        for source in files:
            found = _run_of(source)
            if found is None and source is item and isinstance(item, Path):
                raise UsageError(
                    f"{item} is no journal of a run that has a result",
                    "give a run folder, or a folder of them",
                )
            runs += [EarlierRun(found, source)] if found else []
    return runs


def earlier(run: RunInfo | None, history: Sequence[EarlierRun]) -> list[EarlierRun]:
    """The runs that started before one, oldest first, at most :data:`LIMIT`, each once.

    A run that does not say when it started is before none, and has none before it.
    """
    now = instant(run.started) if run else None
    if run is None or now is None:
        return []
    runs = {(begin, one.run.id): one for one in history if (begin := instant(one.run.started))}
    return [runs[key] for key in sorted(runs) if key < (now, run.id)][-LIMIT:]


def pasts(index: JournalIndex, before: Sequence[EarlierRun]) -> Iterator[Past]:
    """What became of each result, in their order; nothing when there is no earlier run."""
    if not before:
        return
    numbers = {(case, kernel): n for n, (case, kernel, _) in enumerate(index.outcomes())}
    runs = [_points(one, numbers) for one in before]
    for n, r in index.numbered():
        points: list[Point] = [
            (ORDER[outcomes[n]], seconds[n]) if outcomes[n] != NONE else None
            for outcomes, seconds in runs
        ]
        yield _past([*points, (r.outcome, r.duration_s)])


def _points(
    one: EarlierRun, numbers: Mapping[tuple[str, str], int]
) -> tuple[bytearray, "array[float]"]:
    """Of each result of this run the outcome that it had in another one, and how long it took."""
    outcomes = bytearray([NONE]) * len(numbers)
    seconds = array("d", bytes(8 * len(numbers)))
    for r in one.results():
        n = numbers.get((r.case, r.kernel))
        if n is not None:
            outcomes[n], seconds[n] = ORDER.index(r.outcome), r.duration_s
    return outcomes, seconds


def _run_of(source: Journal | Path) -> RunInfo | None:
    """What run a journal is of; None when it does not say so, or has no result."""
    if isinstance(source, Journal):
        return source.run if source.results else None
    return run_of(source)


def _median(values: Sequence[float]) -> float:
    """Without the module statistics, which takes 10 ms to import."""
    ordered = sorted(values)
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


def _past(points: Sequence[Point]) -> Past:
    outcomes = "".join("." if p is None else str(ORDER.index(p[0])) for p in points)
    times = tuple(0 if p is None else max(1, whole(p[1], 1000)) for p in points)
    ran = [p for p in points if p is not None and p[0] is not Outcome.SKIP]
    judged = [outcome is Outcome.FLAKY or not outcome.good for outcome, _ in ran]
    changes = sum(a != b for a, b in itertools.pairwise(judged))
    took = [float(whole(seconds, 1_000_000)) for _, seconds in ran]
    trend = 0.0
    if len(took) >= LATEST + 2 and _median(took[:-LATEST]) > 0:
        trend = round(_median(took[-LATEST:]) / _median(took[:-LATEST]), 3)
    return Past(outcomes, times, changes, max(0, len(judged) - 1), trend)
