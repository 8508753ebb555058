# SPDX-License-Identifier: GPL-2.0-only
"""A run as one JSON document for programs: its results, notes and plan, and what is missing."""

from collections.abc import Iterator
from dataclasses import asdict

from harness.report.facts import facts_of, notes_of
from harness.report.json_text import json_object
from harness.report.stream import JournalIndex
from harness.verdict.outcome import Outcome

FORMAT = 1


def results_json(index: JournalIndex) -> Iterator[str]:
    """The document in pieces; ``format`` changes when a field changes its meaning."""
    facts = facts_of(index)
    yield from json_object(
        {
            "format": FORMAT,
            "verdict": facts.verdict.lower(),
            "complete": not facts.missing,
            "missing": list(facts.missing),
            "planned": index.planned,
            "unfinished": ({"case": c, "kernel": k} for c, k in index.unfinished()),
            "notes": notes_of(index),
            "run": asdict(index.run) if index.run else None,
            "kernels": [asdict(k) for k in facts.kernels.values()],
            "counts": {outcome.value: facts.found[outcome] for outcome in Outcome},
            "results": (r.to_json() for r in index.results()),
        }
    )
    yield "\n"
