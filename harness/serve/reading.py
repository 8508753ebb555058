# SPDX-License-Identifier: GPL-2.0-only
"""What the database keeps of a journal or a JUnit file, read a result at a time.

Every text is cleaned and bounded here, once: pages and JSON take it as it is.
"""

import json
import math
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

from harness.report.html.strings import tidy
from harness.report.journal import SUBTESTS, check_format
from harness.report.junit_outcome import outcome_of
from harness.report.junit_read import OWN_NAME, OWN_PROPERTY, Closed, Opened, Part, read_junit
from harness.report.notes import MOST_SUBTESTS
from harness.report.stream import UNREADABLE, iter_journal
from harness.verdict.outcome import Outcome
from harness.verdict.text import shorten_middle

NAME_LIMIT = 300
MESSAGE_LIMIT = 300
DETAIL_LIMIT = 4_000
"""Characters; the whole of it is in the run's own report."""
NO_KERNEL = "(no kernel)"
"""Of JUnit files that do not say which; a kernel cannot be called so on a command line."""
UNNAMED = "(no name)"
KERNEL_PROPERTIES = ("kernel", "kernel.release", "kernel_release", "kernel_version")
MAX_MS = 10**12
"""Thirty years; nobody's test takes longer, and numbers stay small enough for everything."""


@dataclass(frozen=True)
class Row:
    """A result as the database keeps it.

    Attributes:
        kernel: the kernel's name.
        key: what tells cases of the same class name and name in one file apart.
        node: node id without the kernel; empty when the file does not say.
        suite: what the case belongs to.
        classname: see :class:`harness.verdict.outcome.Result`.
        name: likewise.
        outcome: likewise.
        ms: duration, milliseconds.
        message: one line; empty for most passes.
        detail: several lines; empty for a pass.
        reproduce: the command that runs it again; empty for a pass.
        parent: key of the program of whose output it is a subtest; None for most.
        subtests: how many rows should have this one as their parent.
    """

    kernel: str
    key: bytes
    node: str
    suite: str
    classname: str
    name: str
    outcome: Outcome
    ms: int
    message: str = ""
    detail: str = ""
    reproduce: str = ""
    parent: bytes | None = None
    subtests: int = 0


@dataclass
class Head:
    """What is known of the run itself once all rows were read.

    Attributes:
        kind: ``journal`` or ``junit``.
        name: what the run is called.
        started: milliseconds since 1970; None when the file does not say.
        command: as it was typed.
        tools: versions, in one line.
        ended: the run came to its end.
        planned: it says which results there should be.
        lacking: it says of itself that something is missing.
        damaged: lines that could not be read.
        releases: the release of each kernel, where it is known.
        identity: what the run calls itself wherever its file lies; empty when it does not say.
    """

    kind: str
    name: str
    started: int | None = None
    command: str = ""
    tools: str = ""
    ended: bool = False
    planned: bool = False
    lacking: bool = False
    damaged: int = 0
    releases: dict[str, str] = field(default_factory=dict)
    identity: str = ""


def line(text: object, limit: int = NAME_LIMIT) -> str:
    """One line of clean text, bounded; what is no text is none."""
    if not isinstance(text, str):
        return ""
    # A text of megabytes is cut before it is cleaned: only its start can be in the line.
    words = " ".join(tidy(text[: limit * 20]).split())
    return words if len(words) <= limit else f"{words[: limit - 3]}..."


def block(text: object) -> str:
    """Lines of clean text, cut in the middle."""
    if not isinstance(text, str):
        return ""
    return shorten_middle(tidy(shorten_middle(text, DETAIL_LIMIT)), DETAIL_LIMIT).strip("\n")


def milliseconds(text: object) -> int | None:
    """An ISO 8601 time since 1970; without offset it is UTC; None for what is none."""
    try:
        found = datetime.fromisoformat(text)  # type: ignore[arg-type]
        found = found if found.tzinfo else found.replace(tzinfo=UTC)
        return round(found.timestamp() * 1000)
    except (TypeError, ValueError, OverflowError):
        return None


def duration_ms(value: object) -> int:
    """Seconds, as a number or as text, in milliseconds; what is none is 0."""
    try:
        seconds = float(value.replace(",", "") if isinstance(value, str) else value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return 0
    return min(max(0, round(seconds * 1000)), MAX_MS) if math.isfinite(seconds) else 0


def suite_of(classname: str) -> str:
    """``pidfd`` of ``pidfd.open``: a class name without its file."""
    return classname.rpartition(".")[0] or classname or UNNAMED


Plan = Callable[[Iterable[tuple[str, bytes]]], object]
"""Is given kernel and key of the rows that there should be."""


def journal_rows(stream: BinaryIO, head: Head, plan: Plan) -> Iterator[Row]:
    """The results of a journal in order; of one case on a kernel the last counts.

    Args:
        stream: the journal, cut off anywhere.
        head: is filled on the way.
        plan: likewise.

    Raises:
        UsageError: a newer kharness wrote it.
    """
    torn = False
    for _, record in iter_journal(stream):
        head.damaged += torn
        torn = False
        if record is None:
            # The last line of a run that goes on is half written: that is no damage.
            torn = True
            continue
        try:
            row = _take(record, head, plan)
        except UNREADABLE:
            head.damaged += 1
            continue
        if row is not None:
            yield row
    if torn and _ends_in_newline(stream):
        head.damaged += 1


def _ends_in_newline(stream: BinaryIO) -> bool:
    stream.seek(-1, 2)
    return stream.read(1) == b"\n"


def _take(record: dict[str, Any], head: Head, plan: Plan) -> Row | None:
    kind = record["kind"]
    if kind == "result":
        return _journal_row(record, head)
    if kind == "run":
        check_format(record, "the journal")
    if kind == "run" and not head.identity:
        head.name = line(record["id"]) or head.name
        head.started = milliseconds(record["started"])
        head.command = line(record.get("command"), 1000)
        head.tools = f"kharness {line(record.get('kharness'))}, QEMU {line(record.get('qemu'))}"
        # All of the line: jobs may start in the same second, in folders of one name.
        head.identity = json.dumps(record)
    elif kind == "kernel":
        head.releases[_kernel(record["name"])] = line(record.get("release"))
    elif kind == "plan":
        plan([(_kernel(str(kernel)), _key(str(case))) for case, kernel in record["cases"]])
        head.planned = True
    elif kind in ("end", "resume"):
        head.ended = kind == "end"
    # A newer kharness may write lines that this one does not know.
    return None


def _journal_row(record: dict[str, Any], head: Head) -> Row:
    outcome = Outcome(record["outcome"])
    texts = [record[key] for key in ("case", "classname", "name", "kernel")]
    if not all(isinstance(text, str) for text in texts):
        raise ValueError("a name is no text")
    if head.started is None:
        head.started = milliseconds(record.get("started"))
    subtests = int(record.get("extra", {}).get(SUBTESTS, 0))
    if not 0 <= subtests <= MOST_SUBTESTS:
        raise ValueError(f"{SUBTESTS} is {subtests}")
    parent = record.get("parent", "")
    classname = line(record["classname"])
    said = outcome is not Outcome.PASS
    return Row(
        kernel=_kernel(record["kernel"]),
        key=_key(record["case"]),
        node=line(record["case"]),
        suite=suite_of(classname),
        classname=classname,
        name=line(record["name"]) or UNNAMED,
        outcome=outcome,
        ms=duration_ms(record.get("duration_s")),
        message=line(record.get("message"), MESSAGE_LIMIT) if said else "",
        detail=block(record.get("detail")) if said else "",
        reproduce=line(record.get("reproduce"), 1000) if said else "",
        parent=_key(parent) if parent else None,
        subtests=subtests,
    )


def _key(case: str) -> bytes:
    return case.encode("utf-8", "surrogatepass")


def _kernel(text: object) -> str:
    return line(text) or NO_KERNEL


@dataclass(frozen=True)
class _Suite:
    """A testsuite that is being read; ``ours`` when it is kharness's own."""

    name: str
    kernel: str
    ours: bool


def junit_rows(path: Path, head: Head) -> Iterator[Row]:
    """The testcases of a JUnit file in order.

    A testsuite that is kharness's own, by its file's name or by its properties, is a kernel; one of
    others is a suite, and a property of it may name the kernel.

    Raises:
        UsageError: it is no JUnit file; see :func:`harness.report.junit_read.read_junit`.
    """
    suites: list[_Suite] = []
    number = 0
    head.ended = True
    for event in read_junit(path):
        if isinstance(event, Opened):
            attributes = event.element
            ours = suites[-1].ours if suites else attributes.get("name") == OWN_NAME
            if not suites:
                head.name = line(attributes.get("name")) or head.name
            started = milliseconds(attributes.get("timestamp"))
            if started is not None:
                head.started = min(started, head.started or started)
            before = suites[-1] if suites else _Suite("", NO_KERNEL, ours=ours)
            name = line(attributes.get("name")) or before.name
            suites.append(_Suite(name, _kernel(name) if ours else before.kernel, ours=ours))
        elif isinstance(event, Closed):
            suites.pop()
        elif isinstance(event, Part) and event.element.tag == "properties":
            suites[-1] = _take_properties(event.element, suites[-1], head)
        elif event.element.tag == "testcase":
            number += 1
            yield _junit_row(event.element, suites[-1], number)


def _take_properties(element: ET.Element, suite: _Suite, head: Head) -> _Suite:
    found = {p.get("name", ""): p.get("value") or p.text or "" for p in element.iter("property")}
    if suite.ours or found.get(OWN_PROPERTY):
        kernel = suite.kernel if suite.ours else _kernel(suite.name)
        head.releases[kernel] = line(found.get("kernel.release", ""))
        head.ended &= "incomplete" not in found
        head.lacking |= "missing" in found or "damaged" in found
        if found.get(OWN_PROPERTY):
            head.tools = f"kharness {line(found[OWN_PROPERTY])}"
        return _Suite(suite.name, kernel, ours=True)
    kernels = (_kernel(found[key]) for key in KERNEL_PROPERTIES if found.get(key))
    return replace(suite, kernel=next(kernels, suite.kernel))


def _junit_row(case: ET.Element, suite: _Suite, number: int) -> Row:
    classname, name = line(case.get("classname")), line(case.get("name")) or UNNAMED
    outcome, message, detail = outcome_of(case, ours=suite.ours)
    return Row(
        kernel=suite.kernel,
        # Ordered as numbers are: of namesakes the first is the first.
        key=f"{number:012}".encode(),
        node="",
        suite=suite_of(classname) if suite.ours else suite.name or suite_of(classname),
        classname=classname,
        name=name,
        outcome=outcome,
        ms=duration_ms(case.get("time")),
        message=line(message, MESSAGE_LIMIT),
        detail=block(detail),
    )
