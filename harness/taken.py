# SPDX-License-Identifier: GPL-2.0-only
"""Which cases have a result, and what it is: all that a run keeps of results in memory.

Everything else of them is in the journal. There is room for each case of the plan before the first
one runs, so that what is kept does not grow while the run goes on.
"""

from collections.abc import Iterable, Iterator, Mapping

from harness.verdict.outcome import Outcome

Key = tuple[str, str]
"""Node id without the kernel, and the kernel's name."""


class Taken:
    """Outcomes of a run's cases.

    Args:
        earlier: those of a run that is taken up again.
    """

    def __init__(self, earlier: Mapping[Key, Outcome] | None = None) -> None:
        self._outcomes: dict[Key, Outcome | None] = dict(earlier or {})
        self._planned: tuple[Key, ...] = ()

    def plan(self, keys: Iterable[Key]) -> None:
        """What is to come."""
        self._planned = tuple(dict.fromkeys(keys))
        for key in self._planned:
            self._outcomes.setdefault(key, None)

    def take(self, key: Key, outcome: Outcome) -> None:
        """A result came; of one case on one kernel the last counts."""
        self._outcomes[key] = outcome

    def has(self, key: Key) -> bool:
        """Whether a case on a kernel has its result."""
        return self._outcomes.get(key) is not None

    def keys(self) -> Iterator[Key]:
        """What has a result, in the order of the plan; what it does not have comes last."""
        return (key for key, outcome in self._outcomes.items() if outcome is not None)

    @property
    def outcomes(self) -> set[Outcome]:
        """Every outcome that came."""
        return {outcome for outcome in self._outcomes.values() if outcome is not None}

    @property
    def planned(self) -> int:
        """How many cases were to come."""
        return len(self._planned)

    @property
    def missing(self) -> int:
        """How many of them have no result."""
        return sum(not self.has(key) for key in self._planned)
