# SPDX-License-Identifier: GPL-2.0-only
"""junit.xml: made by junit-xml, mended here to what strict consumers accept.

The strictest is Jenkins' xUnit plugin (junit-10.xsd): no ``disabled``, no ``properties`` or further
attributes of a testcase, a suite's time with at most three decimals.
"""

import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from junit_xml import TestCase, TestSuite, to_xml_report_string

from harness.cache import replacing
from harness.errors import HostError
from harness.report.journal import Journal
from harness.verdict.outcome import Outcome, Result
from harness.verdict.text import clean, one_line, shorten_middle

OUTPUT_LIMIT = 60_000
"""Characters of system-out; consumers cut at 64,000 (see docs/architecture.md)."""
ALLOWED = {
    "testsuites": {"name", "time", "tests", "failures", "errors"},
    "testsuite": {
        *("name", "tests", "failures", "errors", "time", "skipped", "timestamp"),
        *("hostname", "id", "package"),
    },
    "testcase": {"name", "classname", "time"},
    "property": {"name", "value"},
    "skipped": {"message", "type"},
    "failure": {"message", "type"},
    "error": {"message", "type"},
}


def write_junit(journal: Journal, path: Path) -> None:
    """Writes the report of a journal, whole or not at all.

    Raises:
        HostError: it cannot be written.
    """
    try:
        with replacing(path) as temporary:
            temporary.write_text(junit_text(journal), "utf-8")
    except OSError as error:
        raise HostError(f"cannot write {path}: {error.strerror}", "is there room?") from error


def junit_text(journal: Journal) -> str:
    """The report: a testsuite for each kernel, in the journal's order."""
    results = last_results(journal.results)
    names = list(dict.fromkeys([*(k.name for k in journal.kernels), *(r.kernel for r in results)]))
    suites = []
    for name in names:
        mine = [r for r in results if r.kernel == name]
        suites.append(
            TestSuite(
                name,
                [_case(r, number) for r, number in _numbered(mine)],
                properties=_properties(journal, name),
                timestamp=mine[0].started[:19] if mine else None,
            )
        )
    root = ET.fromstring(to_xml_report_string(suites, prettyprint=False, encoding="utf-8"))
    _mend(root)
    _check(root, results)
    ET.indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def last_results(results: Sequence[Result]) -> list[Result]:
    """Of each case on each kernel the last result, at the place of its first."""
    last = {(r.case, r.kernel): r for r in results}
    return list(last.values())


def _numbered(results: Sequence[Result]) -> list[tuple[Result, int]]:
    """Tells cases of one classname and name apart by a number: consumers keep one of them."""
    seen: Counter[tuple[str, str]] = Counter()
    numbered = []
    for r in results:
        seen[r.classname, r.name] += 1
        numbered.append((r, seen[r.classname, r.name]))
    return numbered


def _case(r: Result, number: int) -> TestCase:
    name = r.name if number == 1 else f"{r.name} ({number})"
    case = TestCase(
        one_line(name), one_line(r.classname), elapsed_sec=r.duration_s, stdout=_output(r)
    )
    message = one_line(r.message) or r.outcome.value
    text = clean(f"{r.file}:{r.line}: {message}\n{r.detail}".strip())
    if r.outcome in (Outcome.SKIP, Outcome.XFAIL):
        case.add_skipped_info(
            message if r.outcome is Outcome.SKIP else f"expected to fail: {message}"
        )
    elif r.outcome is Outcome.ERROR:
        case.add_error_info(message, text, error_type="error")
    elif r.outcome is not Outcome.PASS:
        case.add_failure_info(message, text, failure_type=r.outcome.value)
    return case


def _output(r: Result) -> str:
    parts = [r.stdout.rstrip()]
    if r.stderr.strip():
        parts += ["--- stderr ---", r.stderr.rstrip()]
    if r.console.strip():
        parts += ["--- console ---", r.console.rstrip()]
    if not r.outcome.good:
        parts += ["--- reproduce ---", r.reproduce]
    return shorten_middle(clean("\n".join(part for part in parts if part)), OUTPUT_LIMIT)


def _properties(journal: Journal, name: str) -> dict[str, str]:
    properties: dict[str, str] = {}
    for kernel in journal.kernels:
        if kernel.name == name:
            properties = {
                "kernel.release": kernel.release,
                "kernel.spec": kernel.spec,
                "kernel.arch": kernel.arch,
                "accelerator": kernel.accel,
            }
            if kernel.accel_reason:
                properties["accelerator.reason"] = kernel.accel_reason
    if journal.run:
        properties["qemu.version"] = journal.run.qemu
        properties["kharness.version"] = journal.run.kharness
    if not journal.ended:
        properties["incomplete"] = "the run did not come to its end"
    return {key: one_line(value) for key, value in properties.items()}


def _mend(root: ET.Element) -> None:
    """Takes out what junit-xml writes and the schema refuses."""
    for element in root.iter():
        allowed = ALLOWED.get(element.tag)
        if allowed is not None:
            for attribute in [a for a in element.attrib if a not in allowed]:
                del element.attrib[attribute]
        if element.tag in ("testsuites", "testsuite") and "time" in element.attrib:
            element.set("time", f"{float(element.get('time', '0')):.3f}")
        if element.tag == "testcase":
            element.set("time", f"{float(element.get('time', '0')):.3f}")


def _check(root: ET.Element, results: Sequence[Result]) -> None:
    """A result that would read as a pass and is none must never leave here."""
    cases = list(root.iter("testcase"))
    bad = sum(1 for r in results if r.outcome is not Outcome.PASS)
    marked = sum(
        1 for c in cases if any(c.find(tag) is not None for tag in ("failure", "error", "skipped"))
    )
    if len(cases) != len(results) or marked != bad:
        raise AssertionError(
            f"junit.xml would have {len(cases)} cases, {marked} marked;"
            f" the journal has {len(results)}, {bad}"
        )
