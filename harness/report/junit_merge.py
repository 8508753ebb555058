# SPDX-License-Identifier: GPL-2.0-only
"""Many JUnit files of any tool into one, in bounded memory: suites of one name become one suite."""

import sqlite3
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from harness.errors import HostError
from harness.report.junit import opening_tag
from harness.report.junit_case import MARKS
from harness.report.junit_outcome import seconds_of
from harness.report.junit_read import (
    OWN_NAME,
    OWN_PROPERTY,
    Closed,
    Lined,
    Opened,
    Part,
    read_junit,
)
from harness.verdict.text import clean, one_line

COUNTS = ("tests", "failures", "errors", "skipped", "time", "disabled")
"""Attributes that are counted anew, or dropped."""
VALUE_LIMIT = 1000
"""Characters of a property whose values differ from file to file."""


@dataclass(frozen=True)
class Merged:
    """What a merged file has.

    Attributes:
        suites: testsuites.
        tests: testcases.
        marks: of them, how many have a ``failure``, ``error`` or ``skipped``.
        doubles: names of testcases that stand more than once in their suite.
    """

    suites: int
    tests: int
    marks: Counter[str]
    doubles: int


@dataclass
class _Suite:
    number: int
    attributes: dict[str, str]
    properties: dict[str, list[str]] = field(default_factory=dict)
    marks: Counter[str] = field(default_factory=Counter)
    tests: int = 0
    seconds: float = 0.0
    own: bool = False


@dataclass
class _Root:
    """What the files' outermost elements say: all are kharness's own; one has ``skipped``."""

    own: bool = True
    skipped: bool = False


def merge_junit(paths: Sequence[Path], stream: BinaryIO) -> Merged:
    """Writes one JUnit file made from many, their order kept.

    Counts and times are reckoned anew. Of a suite's attributes the first file's are kept; of a
    property all values that there are. Nested suites become suites ``outer.inner``. Suites of
    kharness's own files stay recognisable: a testsuite of theirs is a kernel.

    Args:
        paths: the files.
        stream: where to write.

    Raises:
        UsageError: a file is no JUnit.
        HostError: there is no room for the parts on their way.
    """
    try:
        with closing(sqlite3.connect("", isolation_level=None)) as parts:
            parts.execute("pragma journal_mode = off")
            parts.execute("create table part(suite integer, name blob, xml blob)")
            parts.execute("begin")
            suites: dict[str, _Suite] = {}
            root = _Root()
            for path in paths:
                _take(path, root, suites, parts)
            parts.execute("create index by_suite on part(suite)")
            return _write(root, suites, parts, stream)
    except sqlite3.Error as error:
        raise HostError(f"cannot merge: {error}", "is there room for temporary files?") from error


def _take(path: Path, root: _Root, suites: dict[str, _Suite], parts: sqlite3.Connection) -> None:
    names: list[str] = []
    opened: list[Lined] = []
    own = False
    for event in read_junit(path):
        if isinstance(event, Opened):
            if not opened:
                own = event.element.get("name") == OWN_NAME
                root.own = root.own and own
                if event.element.tag == "testsuites":
                    root.skipped = root.skipped or "skipped" in event.element.attrib
            opened.append(event.element)
            if event.element.tag == "testsuite":
                names.append(one_line(event.element.get("name", "")))
        elif isinstance(event, Closed):
            # A suite without testcases is kept as well: it says that it ran.
            if opened[-1].tag == "testsuite":
                _suite(suites, names, opened[-1], path).own |= own
                names.pop()
            opened.pop()
        elif isinstance(event, Part):
            _take_part(_suite(suites, names, opened[-1], path), event.element, parts)


def _suite(suites: dict[str, _Suite], names: list[str], element: Lined, path: Path) -> _Suite:
    name = ".".join(filter(None, names)) or path.stem
    if name not in suites:
        kept = {key: one_line(value) for key, value in element.items() if key not in COUNTS}
        attributes = kept if element.tag == "testsuite" else {}
        suites[name] = _Suite(len(suites), {**attributes, "name": name})
    return suites[name]


def _take_part(suite: _Suite, element: Lined, parts: sqlite3.Connection) -> None:
    _clean(element)
    name = None
    if element.tag == "properties":
        for entry in element.iter("property"):
            values = suite.properties.setdefault(entry.get("name", ""), [])
            value = entry.get("value") or entry.text or ""
            if value not in values:
                values.append(value)
        return
    if element.tag == "testcase":
        name = f"{element.get('classname', '')}\0{element.get('name', '')}".encode()
        mark = next((m for m in MARKS if element.find(m) is not None), "")
        suite.marks[mark] += 1
        suite.tests += 1
        suite.seconds += seconds_of(element.get("time", "")) or 0.0
    element.tail = None
    ET.indent(element, level=2)
    text = ET.tostring(element, encoding="unicode")
    parts.execute("insert into part values (?, ?, ?)", (suite.number, name, text.encode()))


def _clean(element: ET.Element) -> None:
    for each in element.iter():
        for key, value in each.items():
            each.set(key, clean(value))
        each.text = clean(each.text) if each.text else None
        each.tail = clean(each.tail) if each.tail else None


def _write(
    about: _Root, suites: dict[str, _Suite], parts: sqlite3.Connection, stream: BinaryIO
) -> Merged:
    marks: Counter[str] = Counter()
    for suite in suites.values():
        marks += suite.marks
    tests = sum(suite.tests for suite in suites.values())
    seconds = sum(suite.seconds for suite in suites.values())
    root = ET.Element("testsuites", _counts(tests, marks, seconds))
    if not about.skipped:
        del root.attrib["skipped"]  # junit-10.xsd has it not here
    if about.own:
        # Last: a report of that name may be taken away by the next run, see OURS, this one not.
        root.set("name", OWN_NAME)
    stream.write(b'<?xml version="1.0" encoding="utf-8"?>\n' + opening_tag(root, 0))
    for suite in suites.values():
        head = ET.Element("testsuite", suite.attributes)
        head.attrib.update(_counts(suite.tests, suite.marks, suite.seconds))
        if suite.own and not about.own:
            suite.properties.setdefault(OWN_PROPERTY, ["unknown"])
        if suite.properties:
            properties = ET.SubElement(head, "properties")
            for name, values in suite.properties.items():
                value = one_line(", ".join(values), VALUE_LIMIT)
                ET.SubElement(properties, "property", name=name, value=value)
        stream.write(opening_tag(head, 1))
        # Output of the suite comes after its testcases.
        query = "select xml from part where suite = ? order by name is null, rowid"
        for (data,) in parts.execute(query, (suite.number,)):
            stream.write(b"    " + data + b"\n")
        stream.write(b"  </testsuite>\n")
    stream.write(b"</testsuites>\n")
    ((doubles,),) = parts.execute(
        "select count(*) from (select 1 from part where name is not null"
        " group by suite, name having count(*) > 1)"
    )
    return Merged(len(suites), tests, marks, doubles)


def _counts(tests: int, marks: Counter[str], seconds: float) -> dict[str, str]:
    return {
        "tests": str(tests),
        "failures": str(marks["failure"]),
        "errors": str(marks["error"]),
        "skipped": str(marks["skipped"]),
        "time": f"{seconds:.3f}",
    }
