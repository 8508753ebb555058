# SPDX-License-Identifier: GPL-2.0-only
"""What is wrong with a JUnit file for the reader that a flavour stands for."""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from harness.report.flavour import Flavour
from harness.report.junit_case import MARKS
from harness.report.junit_outcome import seconds_of
from harness.report.junit_read import Closed, Lined, Opened, Part, read_junit
from harness.verdict.text import clean, one_line

SUITE_TIME = re.compile(r"[0-9,]*(\.[0-9]{0,3})?")
"""SUREFIRE_TIME of junit-10.xsd: no exponent, at most three decimals."""
PROBLEM = {"type", "message"}
ATTRIBUTES = {
    "testsuites": {"name", "time", "tests", "failures", "errors"},
    "testsuite": {
        *("name", "tests", "failures", "errors", "group", "time", "skipped", "timestamp"),
        *("hostname", "id", "package", "file", "log", "url", "version"),
    },
    "testcase": {"name", "time", "classname", "group"},
    "property": {"name", "value"},
    **dict.fromkeys(MARKS, PROBLEM),
    **dict.fromkeys(("rerunFailure", "rerunError", "flakyFailure", "flakyError"), PROBLEM),
}
"""Attributes that junit-10.xsd has."""
RERUNS = ("rerunFailure", "rerunError", "flakyFailure", "flakyError")
RERUN_PARTS = ("stackTrace", "system-out", "system-err")
CASE_PARTS = (*MARKS, *RERUNS, "system-out", "system-err")
SUITE_PARTS = ("properties", "testcase", "system-out", "system-err")
SLACK = 2_000
"""Characters over a limit that marks of a cut may take."""


@dataclass(frozen=True)
class Finding:
    """Something wrong, in one line of words; ``line`` from 1."""

    path: Path
    line: int
    words: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.words}"


@dataclass
class _Suite:
    element: Lined
    tests: int = 0
    marks: dict[str, int] = field(default_factory=lambda: dict.fromkeys(MARKS, 0))
    inner: "list[_Suite]" = field(default_factory=list)
    last: int = 0

    def total(self, what: str) -> int:
        """With the suites in it."""
        own = self.tests if what == "tests" else self.marks[what]
        return own + sum(suite.total(what) for suite in self.inner)


Words = Iterator[tuple[int, str]]


def check_junit(path: Path, flavour: Flavour) -> Iterator[Finding]:
    """What is wrong with a file for a flavour's reader, in the file's order.

    Raises:
        UsageError: it is no JUnit at all; see :func:`harness.report.junit_read.read_junit`.
    """
    for line, words in _check(path, flavour):
        yield Finding(path, line, one_line(words))


def _check(path: Path, flavour: Flavour) -> Words:
    opened: list[_Suite] = []
    seen: set[bytes] = set()
    cases = 0
    for event in read_junit(path):
        if isinstance(event, Opened):
            suite = _Suite(event.element)
            if opened:
                opened[-1].inner.append(suite)
            opened.append(suite)
            yield from _suite_rules(event.element, flavour)
        elif isinstance(event, Closed):
            yield from _count_rules(opened.pop(), flavour)
        elif isinstance(event, Part):
            suite, element = opened[-1], event.element
            yield from _order_rules(suite, element, flavour)
            if element.tag == "testcase":
                cases += 1
                suite.tests += 1
                for mark in MARKS[:2] if element.find("skipped") is None else MARKS:
                    if element.find(mark) is not None:
                        suite.marks[mark] += 1
                        break
                yield from _case_rules(element, flavour)
                yield from _double_rules(suite.element, element, seen)
    if not cases:
        yield 1, "there is no testcase in it"
    if flavour.cases_limit and cases > flavour.cases_limit:
        words = f"{cases} testcases; {flavour.name} takes about {flavour.cases_limit} in a file"
        yield 1, words
    size = path.stat().st_size
    if flavour.file_limit and size > flavour.file_limit:
        yield 1, f"{size} bytes; {flavour.name} takes {flavour.file_limit} in a file"


def _suite_rules(element: Lined, flavour: Flavour) -> Words:
    yield from _attribute_rules(element, flavour)
    line, tag = element.line, element.tag
    if tag == "testsuite" and not element.get("name", "").strip():
        yield line, "testsuite without a name"
    text = element.get("time")
    if text is not None and seconds_of(text) is None:
        yield line, f"{tag} time={text!r}: no time"
    elif text is not None and flavour.strict and not SUITE_TIME.fullmatch(text):
        yield line, f"{tag} time={text!r}: at most three decimals, and no exponent"
    when = element.get("timestamp")
    if when is not None:
        yield from ((line, words) for words in _timestamp_rules(when, flavour))
    if tag == "testsuite" and flavour.ordered:
        for name in ("timestamp", "hostname", "time"):
            if not element.get(name, "").strip():
                yield line, f"testsuite without a {name}"


def _timestamp_rules(when: str, flavour: Flavour) -> Iterator[str]:
    try:
        parsed = datetime.fromisoformat(when)
    except ValueError:
        yield f"timestamp={when!r}: not as in ISO 8601"
        return
    if flavour.zone and parsed.tzinfo is None:
        yield f"timestamp={when!r}: no offset from UTC, so readers guess"
    if not flavour.zone and (parsed.tzinfo is not None or parsed.microsecond):
        yield f"timestamp={when!r}: {flavour.name} takes YYYY-MM-DDTHH:MM:SS only"


def _count_rules(suite: _Suite, flavour: Flavour) -> Words:
    element = suite.element
    named = {"tests": "tests", "failures": "failure", "errors": "error", "skipped": "skipped"}
    for attribute, what in named.items():
        text = element.get(attribute)
        own = suite.tests if what == "tests" else suite.marks[what]
        if text is None:
            if element.tag == "testsuite" and flavour.strict and attribute != "skipped":
                yield element.line, f"testsuite without {attribute}"
        elif text not in (str(own), str(suite.total(what))):
            yield element.line, f"{element.tag} {attribute}={text!r}: there are {suite.total(what)}"


def _order_rules(suite: _Suite, element: Lined, flavour: Flavour) -> Words:
    if element.tag not in SUITE_PARTS:
        if flavour.strict:
            yield element.line, f"<{element.tag}> in {suite.element.tag}: not in the schema"
        return
    if suite.element.tag == "testsuites" and flavour.strict:
        yield element.line, f"<{element.tag}> outside of a testsuite"
    place = SUITE_PARTS.index(element.tag)
    if flavour.ordered and place < suite.last:
        yield element.line, f"<{element.tag}> after <{SUITE_PARTS[suite.last]}>"
    suite.last = max(suite.last, place)


def _case_rules(case: Lined, flavour: Flavour) -> Words:
    yield from _attribute_rules(case, flavour)
    if not case.get("name", "").strip():
        yield case.line, "testcase without a name"
    if not case.get("classname", "").strip():
        yield case.line, "testcase without a classname, so readers make one up"
    text = case.get("time")
    if text is not None and seconds_of(text) is None:
        yield case.line, f"testcase time={text!r}: no time"
    found = [mark for mark in MARKS if case.find(mark) is not None]
    if len(found) > 1:
        yield case.line, f"testcase with {' and '.join(found)}: readers differ on what counts"
    for child in case:
        if isinstance(child, Lined):
            yield from _child_rules(child, flavour)


def _child_rules(child: Lined, flavour: Flavour) -> Words:
    line, tag, text = child.line, child.tag, child.text or ""
    yield from _attribute_rules(child, flavour)
    if flavour.strict and tag not in CASE_PARTS:
        yield line, f"<{tag}> in testcase: not in the schema"
    if tag in MARKS:
        yield from _mark_rules(child, flavour)
    if tag in RERUNS:
        parts = [part.tag for part in child]
        if flavour.strict and not flavour.reruns:
            yield line, f"<{tag}>: {flavour.name} knows no reruns"
        if not child.get("type", "").strip():
            yield line, f"<{tag}> without a type"
        if flavour.strict and parts != [part for part in RERUN_PARTS if part in parts]:
            yield line, f"<{tag}> has {', '.join(parts)}: allowed are {', '.join(RERUN_PARTS)}"
    if tag in ("system-out", "system-err") and len(text) > flavour.output_limit + SLACK:
        yield line, f"<{tag}> of {len(text)} characters; {flavour.output_limit} are of use"
    if clean(text) != text.replace("\r\n", "\n").replace("\r", "\n"):
        yield line, f"<{tag}> has control characters or terminal sequences"


def _mark_rules(child: Lined, flavour: Flavour) -> Words:
    line, tag, text = child.line, child.tag, (child.text or "").strip()
    message = child.get("message", "").strip()
    if tag != "skipped" and not message and not text:
        yield line, f"<{tag}> says nothing"
    elif tag != "skipped" and not flavour.message and not text:
        yield line, f"<{tag}> has a message only; {flavour.name} reads the text"
    if len(text) > flavour.text_limit + SLACK:
        yield line, f"<{tag}> of {len(text)} characters; {flavour.text_limit} are of use"


def _attribute_rules(element: Lined, flavour: Flavour) -> Words:
    if flavour.strict and element.tag in ATTRIBUTES:
        for name in sorted(set(element.keys()) - ATTRIBUTES[element.tag]):
            yield element.line, f"{element.tag} {name}=: not in the schema"


def _double_rules(suite: Lined, case: Lined, seen: set[bytes]) -> Words:
    words = (suite.get("name", ""), case.get("classname", ""), case.get("name", ""))
    key = hashlib.blake2b("\0".join(words).encode(), digest_size=8).digest()
    if key in seen:
        yield case.line, f"a second {'.'.join(words[1:])} in {words[0]}: readers keep one"
    seen.add(key)
