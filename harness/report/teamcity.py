# SPDX-License-Identifier: GPL-2.0-only
"""Service messages for TeamCity on stdout: a suite for each kernel, a test for each case.

Source of the format: TeamCity's documentation, "Service Messages", with its table of escapes.
"""

from collections.abc import Iterator

from harness.cache import digest
from harness.report.facts import evidence, facts_of, milliseconds, splat_titles
from harness.report.stream import JournalIndex
from harness.report.words import expected_to_fail
from harness.verdict.outcome import Outcome, Result
from harness.verdict.text import clean, one_line, shorten_middle

ESCAPES = {"|": "||", "'": "|'", "\n": "|n", "\r": "|r", "[": "|[", "]": "|]"}
OUTPUT_LIMIT = 60_000


def messages(index: JournalIndex) -> Iterator[str]:
    """All results as service messages, a line each."""
    facts = facts_of(index)
    for words in facts.missing:
        yield _message("message", text=f"kharness: {words}", status="WARNING")
    for kernel in index.ran_on:
        yield _message("testSuiteStarted", name=_name(kernel))
        for r in index.results(kernel):
            yield from _test(r)
        yield _message("testSuiteFinished", name=_name(kernel))
    if facts.missing:
        text = f"kharness: {facts.missing[0]}"[:4000]
        yield _message("buildProblem", description=text, identity="kharness-incomplete")


def _test(r: Result) -> list[str]:
    # As a whole, since two files in different folders may have one class name.
    name = _name(r.case)
    message = one_line(r.message) or r.outcome.value
    lines = [_message("testStarted", name=name)]
    if r.outcome in (Outcome.SKIP, Outcome.XFAIL):
        words = message if r.outcome is Outcome.SKIP else expected_to_fail(r.message)
        lines.append(_message("testIgnored", name=name, message=words))
    elif not r.outcome.good:
        words = f"{r.outcome.value}: {message}" if r.message else message
        details = shorten_middle(evidence(r), OUTPUT_LIMIT)
        lines.append(_message("testFailed", name=name, message=words, details=details))
    said = clean(r.stdout).rstrip()
    if r.outcome is Outcome.FLAKY:
        said = f"{evidence(r)}\n{said}"
    elif r.outcome.good and splat_titles(r):
        said = "\n".join([*(f"kernel: {words}" for words in splat_titles(r)), said])
    if said.strip():
        lines.append(_message("testStdOut", name=name, out=shorten_middle(said, OUTPUT_LIMIT)))
    duration = str(max(0, milliseconds(r.duration_s)))
    return [*lines, _message("testFinished", name=name, duration=duration)]


def _name(text: str) -> str:
    """In one line; what that changes keeps a name of its own, so that two tests are never one."""
    line = one_line(text)
    return line if line == text else f"{line} {digest(text.encode('utf-8', 'surrogatepass'))[:12]}"


def _message(kind: str, **values: str) -> str:
    words = " ".join(f"{key}='{_value(value)}'" for key, value in values.items())
    return f"##teamcity[{kind} {words}]\n"


def _value(text: str) -> str:
    return "".join(_escape(character) for character in clean(text))


def _escape(character: str) -> str:
    if character in ESCAPES:
        return ESCAPES[character]
    if ord(character) < 0x7F or ord(character) > 0xFFFF:  # four digits are all there is
        return character
    return f"|0x{ord(character):04x}"
