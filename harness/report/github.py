# SPDX-License-Identifier: GPL-2.0-only
"""Annotations for GitHub Actions: ``::error file=...,line=...::message`` lines on stdout.

Source of the format: GitHub's documentation, "Workflow commands for GitHub Actions", and the
runner's ActionCommand.cs for what is escaped. A step shows ten annotations of each type.
"""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain, islice
from typing import TextIO

from harness.report.facts import BAD, evidence, facts_of, title
from harness.report.stream import JournalIndex
from harness.verdict.outcome import Outcome, Result
from harness.verdict.text import clean, one_line

SHOWN = 10
MESSAGE_LIMIT = 4_000
"""GitHub cuts a longer message itself, in the middle of a word."""


def annotations(index: JournalIndex) -> Iterator[str]:
    """A line for each case that is not as expected; errors first, a notice with the sum last."""
    facts = facts_of(index)
    errors = (_command("error", r) for r in index.results(outcomes=BAD))
    yield from _first("error", errors, index.count(outcomes=BAD))
    flaky = (Outcome.FLAKY,)
    warnings = chain(
        (_line("warning", {"title": "incomplete"}, words) for words in facts.missing),
        (_command("warning", r) for r in index.results(outcomes=flaky)),
    )
    yield from _first("warning", warnings, len(facts.missing) + index.count(outcomes=flaky))
    yield _line("notice", {"title": "kharness"}, facts.summary())


@contextmanager
def no_commands(stream: TextIO) -> Iterator[None]:
    """Between start and end the runner obeys no line, whatever a guest prints.

    A command is obeyed wherever a line starts with it, blanks before it or not. The word that ends
    this is random, so that no guest can know it. It has a line of its own: what was printed before
    may have no end (pytest's dots).
    """
    token = secrets.token_hex(16)
    print(f"::stop-commands::{token}", file=stream, flush=True)
    try:
        yield
    finally:
        print(f"\n::{token}::", file=stream, flush=True)


def _first(kind: str, lines: Iterator[str], count: int) -> Iterator[str]:
    if count <= SHOWN:
        yield from lines
        return
    yield from islice(lines, SHOWN - 1)
    more = f"and {count - SHOWN + 1} more: see the summary and the run folder"
    yield _line(kind, {"title": "more"}, more)


def _command(kind: str, r: Result) -> str:
    place = {"file": one_line(r.file)} if r.file else {}
    if r.file and r.line > 0:
        place["line"] = str(r.line)
    words = f"{r.outcome.value}: {one_line(r.message)}" if r.message else r.outcome.value
    text = f"{words}\n{evidence(r, 10)}".strip()[:MESSAGE_LIMIT]
    return _line(kind, {**place, "title": one_line(title(r))}, text)


def _line(kind: str, properties: dict[str, str], message: str) -> str:
    words = ",".join(f"{name}={_property(value)}" for name, value in properties.items())
    return f"::{kind} {words}::{_data(message)}\n"


def _data(text: str) -> str:
    text = clean(text).replace("%", "%25")
    return text.replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
