# SPDX-License-Identifier: GPL-2.0-only
"""What is not as expected, in GitLab's code quality format: shown at its line in a merge request.

Source: GitLab's documentation, "Code Quality", "Code Quality report format". The results
themselves are GitLab's from junit.xml (``artifacts:reports:junit``).
"""

from collections.abc import Iterator
from typing import Any

from harness.cache import digest
from harness.report.facts import BAD, facts_of, title
from harness.report.json_text import json_array
from harness.report.stream import JournalIndex
from harness.verdict.outcome import Outcome, Result
from harness.verdict.text import one_line

SEVERITIES = {
    Outcome.CRASH: "blocker",
    Outcome.FAIL: "critical",
    Outcome.TIMEOUT: "critical",
    Outcome.XPASS: "major",
    Outcome.ERROR: "major",
    Outcome.FLAKY: "minor",
}


def code_quality(index: JournalIndex) -> Iterator[str]:
    """A finding for each case that failed or is flaky, and for what is missing; in pieces."""
    yield from json_array(_findings(index))
    yield "\n"


def _findings(index: JournalIndex) -> Iterator[dict[str, Any]]:
    for r in index.results(outcomes=(*BAD, Outcome.FLAKY)):
        yield _finding(r)
    for words in facts_of(index).missing:
        yield _object(f"kharness: {words}", "incomplete", "major", "harness.toml", key=(words,))


def _finding(r: Result) -> dict[str, Any]:
    words = f"{one_line(title(r))}: {r.outcome.value}"
    message = one_line(r.message)
    return _object(
        f"{words}: {message}" if message else words,
        one_line(r.case),
        SEVERITIES[r.outcome],
        one_line(r.file) or one_line(r.case).partition("::")[0],
        line=max(1, r.line),
        # The same defect has the same fingerprint in the next run, whatever it says this time.
        key=(r.case, r.kernel, r.outcome.value),
    )


def _object(
    words: str, check: str, severity: str, path: str, *, key: tuple[str, ...], line: int = 1
) -> dict[str, Any]:
    return {
        "description": words,
        "check_name": check,
        "fingerprint": digest(*(part.encode("utf-8", "backslashreplace") for part in key)),
        "severity": severity,
        "location": {"path": path, "lines": {"begin": line}},
    }
