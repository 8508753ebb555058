# SPDX-License-Identifier: GPL-2.0-only
"""One result as a testcase: made by junit-xml, and what it lacks put in here.

junit-xml knows no properties of a testcase, no reruns, and leaves out a time of 0.
"""

import hashlib
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterable
from dataclasses import dataclass

from junit_xml import TestCase, TestSuite

from harness.report.facts import try_name
from harness.report.flavour import Flavour
from harness.report.words import expected_to_fail
from harness.verdict.outcome import Attempt, Outcome, Result
from harness.verdict.text import clean, one_line, shorten_middle

ATTEMPT_LIMIT = 5_000
"""Characters of an earlier attempt's output; the whole output has them all."""
UNNAMED = "(no name)"
"""Readers refuse a testcase without a name, or make one up."""
MARKS = ("failure", "error", "skipped")
WORTH = (Outcome.PASS, Outcome.SKIP, Outcome.XFAIL, Outcome.FLAKY)
"""Outcomes of an attempt that are no failure."""


@dataclass(frozen=True)
class Section:
    """A part of a testcase's output; the first has no title."""

    title: str
    text: str

    def __str__(self) -> str:
        return f"--- {self.title} ---\n{self.text}" if self.title else self.text


def case_element(
    r: Result, name: str, flavour: Flavour, output: str, more: Iterable[tuple[str, str]] = ()
) -> ET.Element:
    """The testcase of a result.

    Args:
        r: the result.
        name: what to call it, in one line.
        flavour: who is to read it.
        output: its system-out, see :func:`output_of`.
        more: further properties.
    """
    case = TestCase(
        *(name, one_line(r.classname) or UNNAMED),
        elapsed_sec=max(r.duration_s, 0.0),
        stdout=output,
        file=one_line(r.file) if flavour.places else None,
        line=str(r.line) if flavour.places and r.line > 0 else None,
    )
    message = one_line(r.message) or r.outcome.value
    text = _text(r.file, r.line, message, r.detail, flavour.text_limit)
    if r.outcome is Outcome.XFAIL:
        case.add_skipped_info(expected_to_fail(r.message), text)
    elif r.outcome is Outcome.SKIP:
        case.add_skipped_info(message, text)
    elif r.outcome is Outcome.ERROR:
        case.add_error_info(message, text, error_type="error")
    elif r.outcome not in (Outcome.PASS, Outcome.FLAKY):
        case.add_failure_info(message, text, failure_type=r.outcome.value)
    element = _element(case, max(r.duration_s, 0.0))
    if flavour.reruns:
        last = element.find("system-out")
        at = len(element) if last is None else list(element).index(last)
        for rerun in reversed(_reruns(r, flavour)):
            element.insert(at, rerun)
    if flavour.properties:
        properties = ET.Element("properties")
        for key, value in [*case_properties(r), *more]:
            ET.SubElement(properties, "property", name=one_line(key), value=one_line(value, 1000))
        if len(properties):
            element.insert(0, properties)
    return element


def missing_element(classname: str, name: str, *, ended: bool) -> ET.Element:
    """The testcase of a case that was planned and has no result."""
    case = TestCase(one_line(name) or UNNAMED, one_line(classname) or UNNAMED)
    if ended:
        words = "not run: the run was stopped before it"
        case.add_skipped_info(words, words)
    else:
        words = "no result: the run did not come to its end"
        case.add_error_info(words, words, error_type="missing")
    return _element(case, 0.0)


def _element(case: TestCase, seconds: float) -> ET.Element:
    (element,) = TestSuite("", [case]).build_xml_doc("utf-8")
    if not isinstance(element, ET.Element):
        raise TypeError("junit-xml made something else than an element")
    element.set("time", f"{seconds:.3f}")
    return element


def case_properties(r: Result) -> list[tuple[str, str]]:
    """What is known of a result beyond what a testcase has room for, by name; never empty text."""
    found = [
        ("outcome", r.outcome.value),
        ("case", r.case),
        ("started", r.started),
        ("user_s", f"{r.user_s:.3f}" if r.user_s else ""),
        ("system_s", f"{r.system_s:.3f}" if r.system_s else ""),
        ("maxrss_kib", str(r.maxrss_kib) if r.maxrss_kib else ""),
        ("isolation", r.isolation),
        ("accelerator", r.accel),
        ("worker", r.worker),
        ("parent", r.parent),
        ("attempts", str(len(r.attempts) + 1) if r.attempts else ""),
        ("reproduce", r.reproduce),
        *((f"splat.{splat.kind}", splat.title) for splat in r.splats),
        *sorted((f"extra.{key}", value) for key, value in r.extra.items()),
        *sorted((f"file.{key}", value) for key, value in files_of(r).items()),
    ]
    return [(key, value) for key, value in found if value.strip()]


def files_of(r: Result) -> dict[str, str]:
    """Files of a result by name, relative to the run folder."""
    return {**({"console": r.console_file} if r.console_file else {}), **r.files}


def sections_of(r: Result, *, attempts: bool) -> list[Section]:
    """What a result has to say, whole, in the order in which a person wants it.

    Args:
        r: the result.
        attempts: with the other tries.
    """
    splats = [
        f"{s.severity.value} {s.kind}: {s.title}"
        + (f" (expected: {s.expected})" if s.expected else "")
        + "".join(f"\n    {line}" for line in s.decoded)
        for s in r.splats
    ]
    tries = [
        Section(
            one_line(f"{try_name(r, a)}: {a.outcome.value}"),
            "\n".join(part for part in (a.message, a.detail, a.stdout, a.console) if part.strip()),
        )
        for a in r.attempts
    ]
    files = files_of(r)
    files |= {f"console of {try_name(r, a)}": a.console_file for a in r.attempts if a.console_file}
    found = [
        Section("", r.stdout),
        Section("stderr", r.stderr),
        Section("splats", "\n".join(splats)),
        Section("console", r.console),
        *(Section(one_line(name), text) for name, text in r.evidence.items()),
        *(tries if attempts else []),
        Section("files", "\n".join(f"{one_line(n)}: {one_line(p)}" for n, p in files.items())),
        Section("reproduce", "" if r.outcome.good else r.reproduce),
    ]
    cleaned = [Section(s.title, clean(s.text).rstrip()) for s in found]
    return [s for s in cleaned if s.text.strip()]


def output_of(sections: list[Section], limit: int) -> str:
    """At most about ``limit`` characters of sections: the long ones are cut in their middle.

    What is short stays whole, so that a chatty console does not push out how to reproduce it.
    """
    left, share = limit, limit
    for waiting, size in enumerate(sorted(len(str(s)) for s in sections)):
        share = left // (len(sections) - waiting)
        if size > share:
            break
        left -= size
    else:
        share = limit
    return "\n".join(
        str(s) if len(str(s)) <= share else str(Section(s.title, shorten_middle(s.text, share)))
        for s in sections
    )


def is_cut(r: Result, sections: list[Section], flavour: Flavour) -> bool:
    """True when the testcase of a result does not have all of its text."""
    pieces = [text for a in r.attempts for text in (a.detail, a.stdout + a.console)]
    return (
        sum(len(str(s)) for s in sections) > flavour.output_limit
        or len(r.detail) > flavour.text_limit - len(r.message) - len(r.file) - 20
        or (flavour.reruns and any(len(text) > ATTEMPT_LIMIT - 400 for text in pieces))
    )


def whole_text(r: Result) -> str:
    """Everything that a result has to say, whole."""
    head = [r.case, f"{r.outcome.value} on {r.kernel}: {r.message}", r.detail]
    said = clean("\n".join(part for part in head if part.strip()))
    return "\n".join([said, *map(str, sections_of(r, attempts=True))])


def whole_name(r: Result) -> str:
    """File name for the whole output of a result: stable, and safe whatever the case is called."""
    plain = re.sub(r"[^A-Za-z0-9_-]+", "_", f"{r.kernel}-{r.classname}-{r.name}").strip("_")
    identity = f"{r.kernel}\0{r.case}".encode("utf-8", "surrogatepass")
    return f"{plain[:100]}-{hashlib.sha256(identity).hexdigest()[:12]}.txt"


def _text(file: str, line: int, message: str, detail: str, limit: int) -> str:
    place = f"{file}:{line}: " if file and line else f"{file}: " if file else ""
    return shorten_middle(clean(f"{place}{message}\n{detail}".strip()), limit)


def _reruns(r: Result, flavour: Flavour) -> list[ET.Element]:
    """Surefire's elements: ``flakyFailure`` where it passed in the end, else ``rerunFailure``.

    Their names for errors, flakyError and rerunError, are not read by Jenkins.
    """
    tag = "flakyFailure" if r.outcome.good else "rerunFailure"
    failed = [a for a in r.attempts if a.outcome not in WORTH]
    if r.outcome is Outcome.FLAKY and not failed:
        failed = [Attempt(Outcome.FLAKY, r.message, r.detail)]
    found = []
    for a in failed:
        message = one_line(a.message) or a.outcome.value
        element = ET.Element(tag, message=message, type=a.outcome.value)
        text = _text("", 0, message, a.detail, min(flavour.text_limit, ATTEMPT_LIMIT))
        ET.SubElement(element, "stackTrace").text = text
        output = clean("\n".join(part for part in (a.stdout, a.console) if part.strip()))
        if output:
            ET.SubElement(element, "system-out").text = shorten_middle(output, ATTEMPT_LIMIT)
        found.append(element)
    return found
