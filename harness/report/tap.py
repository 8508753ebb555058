# SPDX-License-Identifier: GPL-2.0-only
"""A run as TAP version 13, which prove(1) and Jenkins' TAP plugin read.

Escapes are those of TAP version 14 (testanything.org): ``\\#`` and ``\\\\`` in a description, so
that a case whose name has a ``#`` gets no directive.
"""

import json
import re
from collections.abc import Iterator

from harness.report.facts import evidence, facts_of, milliseconds, splat_titles, title
from harness.report.stream import JournalIndex
from harness.verdict.outcome import Outcome, Result
from harness.verdict.text import one_line, shorten_middle

EVIDENCE_LIMIT = 60_000
"""Characters of one test's evidence."""


def tap(index: JournalIndex) -> Iterator[str]:
    """The results, numbered in the journal's order; what is missing ends it with ``Bail out!``.

    In pieces of whole lines.
    """
    facts = facts_of(index)
    yield "TAP version 13\n"
    yield f"1..{len(index)}\n" if len(index) else "1..0 # SKIP no case ran\n"
    yield f"# kharness: {_comment(facts.summary())}\n"
    for words in facts.missing:
        yield f"# incomplete: {_comment(words)}\n"
    for number, r in enumerate(index.results(), 1):
        yield "\n".join([*_test(number, r), ""])
    if facts.missing:
        yield f"Bail out! {_comment(facts.missing[0])}\n"


def _test(number: int, r: Result) -> list[str]:
    # An expected failure is "not ok" with TODO; one that passes after all is bad for kharness.
    word = "ok" if r.outcome.good and r.outcome is not Outcome.XFAIL else "not ok"
    line = f"{word} {number} - {_description(title(r))}"
    reason = _comment(r.message)
    if r.outcome is Outcome.SKIP:
        return [f"{line} # SKIP {reason}".rstrip()]
    if r.outcome is Outcome.XFAIL:
        return [f"{line} # TODO {reason}".rstrip()]
    if r.outcome is Outcome.PASS and not splat_titles(r):
        return [line]
    return [line, *_diagnostics(r)]


def _diagnostics(r: Result) -> list[str]:
    """A block of YAML; a JSON string is a YAML string, whatever is in it."""
    values = {
        "outcome": r.outcome.value,
        "message": one_line(r.message),
        "duration_ms": milliseconds(r.duration_s),
    }
    if r.file:
        values["at"] = f"{one_line(r.file)}:{r.line}" if r.line > 0 else one_line(r.file)
    lines = [f"{key}: {json.dumps(value)}" for key, value in values.items() if value != ""]
    # A list of strings would do, but prove(1) takes an item with a colon for a mapping.
    titles = "\n".join(map(one_line, splat_titles(r)))
    text = evidence(r) if r.outcome is not Outcome.PASS else titles
    text = shorten_middle(text, EVIDENCE_LIMIT)
    said = [line for line in text.splitlines() if line.strip()]
    lines += ["evidence: |", f"  {one_line(title(r))}", *(f"  {line}" for line in said)]
    return [f"  {line}" for line in ["---", *lines, "..."]]


def _description(text: str) -> str:
    return re.sub(r"[\\#]", r"\\\g<0>", one_line(text))


def _comment(text: str) -> str:
    return one_line(text)
