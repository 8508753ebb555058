# SPDX-License-Identifier: GPL-2.0-only
"""What the page shows as plain data: columns of numbers over one table of strings."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from harness.report.facts import notes_of
from harness.report.html.columns import Columns
from harness.report.html.compact import safe_array, safe_columns, safe_object
from harness.report.html.details import details
from harness.report.html.headline import headline
from harness.report.html.history import EarlierRun, earlier, pasts
from harness.report.html.strings import Strings, tidy
from harness.report.stream import JournalIndex
from harness.verdict.outcome import Outcome

RUN_FACTS = ("id", "started", "command", "kharness", "qemu", "seed", "shuffled")


class PageData:
    """Everything that the page shows; the same for the same journals.

    Results are held as columns of numbers, and of their texts each once; what they printed is read
    again when it is written.

    Args:
        index: of the run's journal.
        history: other runs; those that started earlier are used.
        base: where the run folder is, as the page's reader would go; empty: beside the page.

    Attributes:
        head: the verdict, the run, its kernels; by the names that the page's script has for them.
    """

    def __init__(
        self, index: JournalIndex, history: Sequence[EarlierRun] = (), base: str = ""
    ) -> None:
        self._index, self._base = index, base
        self._before = earlier(index.run, history)
        self._strings = Strings()
        kernels = list(dict.fromkeys([*(k.name for k in index.kernels), *index.ran_on]))
        self._columns = Columns(index.results(), kernels, self._strings)
        found = headline(index)
        self.head: dict[str, Any] = {
            "verdict": {
                "state": found.state,
                "word": found.word,
                "sentence": tidy(found.sentence),
                "missing": [tidy(words) for words in found.missing],
            },
            "run": {key: tidy(str(value)) for key, value in _run(index).items()},
            "outcomes": [o.value for o in Outcome],
            "good": [int(o.good) for o in Outcome],
            "kernels": [_kernel(index, name) for name in kernels],
            "span_s": round(self._columns.span_s, 3),
            "notes": [tidy(note) for note in notes_of(index)],
            "again": index.superseded,
        }

    def pieces(self) -> Iterator[str]:
        """The data as JSON in pieces, without any character that HTML knows."""
        columns = self._columns
        yield from safe_object(
            [
                *self.head.items(),
                ("groups", safe_array(columns.groups)),
                ("titles", safe_array(columns.titles)),
                ("columns", safe_columns(columns.columns)),
                ("tries", safe_columns(columns.tries)),
                ("misc", safe_array(columns.misc)),
                ("first", columns.first),
                ("details", safe_object(details(self._index))),
                ("history", safe_object(self._history())),
                ("strings", safe_array(self._strings.table)),
                ("base", self._base),
            ]
        )

    def _history(self) -> Iterator[tuple[str, Any]]:
        runs = [one.run for one in self._before]
        runs += [self._index.run] if runs and self._index.run else []
        yield "runs", [[tidy(run.id), tidy(run.started)] for run in runs]
        found = pasts(self._index, self._before)
        rows = ([p.outcomes, list(p.times_ms), p.changes, p.steps, p.trend] for p in found)
        yield "rows", safe_array(rows)


def _run(index: JournalIndex) -> dict[str, Any]:
    return {key: getattr(index.run, key) for key in RUN_FACTS} if index.run else {}


def _kernel(index: JournalIndex, name: str) -> dict[str, str]:
    kernel = index.kernel(name)  # its last line knows most: accel comes with the first guest
    facts = {k: str(value) for k, value in asdict(kernel).items()} if kernel else {"name": name}
    return {key: tidy(value) for key, value in facts.items()}
