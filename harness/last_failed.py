# SPDX-License-Identifier: GPL-2.0-only
"""``--lf``: what failed in the latest run, as its journal has it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from harness.report.facts import hunted
from harness.report.journal import NAME
from harness.report.stream import JournalIndex
from harness.taken import Key
from harness.verdict.outcome import Outcome

T = TypeVar("T")


@dataclass(frozen=True)
class LastFailed:
    """What failed in a run.

    Attributes:
        folder: the run folder; None where there was no run yet.
        keys: node id and kernel of what failed.
    """

    folder: Path | None
    keys: frozenset[Key]

    def among(self, found: Mapping[Key, T]) -> tuple[list[T], str]:
        """What of everything that was found is to run, and a line that says so.

        That is all of it when nothing failed, as with pytest.

        Args:
            found: node id and kernel of everything that was found, to what stands for it.
        """
        if self.folder is None:
            return list(found.values()), "--lf: there is no earlier run here, so all cases run"
        if not self.keys:
            return list(
                found.values()
            ), f"--lf: nothing failed in {self.folder.name}: all cases run"
        chosen = [item for key, item in found.items() if key in self.keys]
        failed = f"{len(self.keys)} failed in {self.folder.name}"
        left = len(self.keys) - len(chosen)
        return chosen, f"--lf: {failed}" + (f", {left} of them are not among these" if left else "")


def last_failed(folder: Path | None) -> LastFailed:
    """What failed in a run; in a hunt for flakes those as well.

    Args:
        folder: the run folder; None where there was no run yet.

    Raises:
        HostError: its journal cannot be read.
        UsageError: a newer kharness wrote it.
    """
    if folder is None:
        return LastFailed(None, frozenset())
    with JournalIndex.open(folder / NAME) as index:
        good = {outcome for outcome in Outcome if outcome.good}
        good -= {Outcome.FLAKY} if hunted(index) else set()
        # A program with subtests is as bad as the worst of them, and it is what can be run again.
        failed = (r for r in index.results(outcomes=set(Outcome) - good) if not r.parent)
        return LastFailed(folder, frozenset((r.case, r.kernel) for r in failed))
