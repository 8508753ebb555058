# SPDX-License-Identifier: GPL-2.0-only
"""The page's columns: cases as group and title, and a number for each field of each result."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

from harness.report.html.compact import Column
from harness.report.html.strings import Strings, tidy, whole
from harness.verdict.outcome import Attempt, Outcome, Result

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
NO_TIME = -(2**62)
"""Of a start that is not known; earlier than any that Python knows."""
ITEMS = 40
"""Further facts of one result at most."""


class Columns:
    """Results as columns; 70 bytes for each result, and each of their texts once.

    Args:
        results: in order.
        kernels: their kernels' names, by number.
        strings: takes the texts.

    Attributes:
        groups: of each case, the number of its group's name.
        titles: of each case, the number of its title.
        columns: a column for each field, by the letter that the page has for it.
        misc: what many results share: isolation, accelerator, parent, class, further facts.
        tries: the other tries of results that have some, as columns: number of the result (``i``),
            outcome, start, duration and worker as in ``columns``.
        span_s: seconds from the first start of a try to the last end; 0 when none is known.
    """

    def __init__(self, results: Iterable[Result], kernels: Sequence[str], strings: Strings) -> None:
        self.groups, self.titles = Column(), Column()
        self.columns = {name: Column() for name in "ckomtdwrfplxusa"}
        self.tries = {name: Column() for name in "iotdw"}
        self.span_s = 0.0
        self._cases: dict[str, int] = {}
        self._misc: dict[tuple[Any, ...], int] = {}
        self._kernels = {name: n for n, name in enumerate(kernels)}
        self._outcomes = list(Outcome)
        self._strings = strings
        self._first: datetime | None = None
        begins, tried = Column(), Column()
        for number, r in enumerate(results):
            self._add(r, begins)
            self._add_tries(number, r.attempts, tried)
        self._set_times(self.columns, begins)
        self._set_times(self.tries, tried)
        self._cases.clear()

    @property
    def misc(self) -> list[list[Any]]:
        """See the class."""
        return [
            [*map(tidy, shared), [[tidy(k), tidy(v)] for k, v in facts]]
            for *shared, facts in self._misc
        ]

    @property
    def first(self) -> str:
        """When the first case started, ISO 8601; empty when it is not known."""
        return self._first.isoformat() if self._first else ""

    def _add(self, r: Result, begins: Column) -> None:
        strings, misc = self._strings, self._misc
        if r.case not in self._cases:
            group, _, title = r.case.rpartition("::")
            self._cases[r.case] = len(self._cases)
            self.groups.append(strings.add(group or r.classname))
            self.titles.append(strings.add(title))
        begins.append(self._begin(r.started))
        facts = ((k, str(v)) for k, v in r.extra.items() if k != "accel_reason")
        other = (r.isolation, r.accel, r.parent, r.classname, tuple(islice(facts, ITEMS)))
        names = (r.case, r.case.rpartition("::")[2])
        values = {
            "c": self._cases[r.case],
            "k": self._kernels[r.kernel],
            "o": self._outcomes.index(r.outcome),
            "m": strings.add(r.message),
            "d": whole(r.duration_s, 1000),
            "w": strings.add(r.worker),
            "r": strings.add_pattern(r.reproduce, names),
            "f": strings.add_pattern(r.console_file, names),
            "p": strings.add(r.file),
            "l": whole(r.line),
            "x": misc.setdefault(other, len(misc)),
            "u": whole(r.user_s, 1000),
            "s": whole(r.system_s, 1000),
            "a": whole(r.maxrss_kib),
        }
        for name, value in values.items():
            self.columns[name].append(value)

    def _add_tries(self, number: int, attempts: Iterable[Attempt], begins: Column) -> None:
        for one in attempts:
            begins.append(self._begin(one.started))
            self.tries["i"].append(number)
            self.tries["o"].append(self._outcomes.index(one.outcome))
            self.tries["d"].append(whole(one.duration_s, 1000))
            self.tries["w"].append(self._strings.add(one.worker))

    def _begin(self, started: str) -> int:
        """A start in microseconds since 1970; the first of all is kept."""
        begin = instant(started)
        if begin is None:
            return NO_TIME
        if self._first is None or begin < self._first:
            self._first = begin
        return (begin - EPOCH) // MICROSECOND

    def _set_times(self, columns: Mapping[str, Column], begins: Column) -> None:
        """Starts as milliseconds after the first one, -1 where there is none."""
        first = (self._first - EPOCH) // MICROSECOND if self._first else NO_TIME
        for begin, ms in zip(begins, columns["d"], strict=True):
            if begin == NO_TIME:
                columns["t"].append(-1)
                continue
            columns["t"].append(round((begin - first) / 1000))
            self.span_s = max(self.span_s, (begin - first) / 1_000_000 + ms / 1000)


def instant(text: str) -> datetime | None:
    """ISO 8601 as a moment; None when it is not one, or has no offset."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else None
