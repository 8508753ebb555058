# SPDX-License-Identifier: GPL-2.0-only
"""junit.xml: testcases made by junit-xml, streamed out here, mended to what their reader accepts.

The strictest reader is Jenkins' xUnit plugin (junit-10.xsd): no ``disabled``, no ``properties`` or
further attributes of a testcase, a suite's time with at most three decimals.
"""

import codecs
import os
import re
import tempfile
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO
from xml.sax.saxutils import quoteattr

from junit_xml import TestSuite

from harness.cache import is_straight, private_folder, replacing
from harness.cases.discover import classname
from harness.outputs import cannot_write
from harness.report.flavour import JENKINS, Flavour
from harness.report.journal import Journal
from harness.report.junit_case import (
    MARKS,
    UNNAMED,
    case_element,
    files_of,
    is_cut,
    missing_element,
    output_of,
    sections_of,
    whole_name,
    whole_text,
)
from harness.report.junit_read import OWN_NAME, OWN_PROPERTY
from harness.report.stream import JournalIndex, opened
from harness.verdict.outcome import Outcome, Result
from harness.verdict.text import one_line

ATTACHMENT = "[[ATTACHMENT|"
"""What GitLab takes for the name of a file to link, up to ``]]``."""
COPY_BYTES = 64 * 1024
FILL = 0.95
"""How full a file is made: heads come on top of testcases."""
HOSTNAME = "localhost"
"""Ant's schema wants one; which machine it was is nobody's business."""
SUITE = {
    *("name", "tests", "failures", "errors", "time", "skipped", "timestamp"),
    *("hostname", "id", "package"),
}
"""Attributes of a testsuite that junit-10.xsd has."""
OURS = re.compile(rb"<testsuites name=\"" + OWN_NAME.encode() + rb"\"")
WHOLE = re.compile(r".+-[0-9a-f]{12}\.txt")


def write_junit(
    source: JournalIndex | Journal,
    path: Path,
    flavour: Flavour = JENKINS,
    *,
    files: Path | None = None,
    base: Path | None = None,
) -> list[Path]:
    """Writes the report of a journal; each file whole or not at all.

    Output that is cut in the report lies whole in a file in the folder ``NAME-output`` beside it.
    What is too long for one file of the flavour goes on in ``NAME-2.xml`` and so on. Beside a
    device or a pipe nothing is put: there it is one document.

    Args:
        source: the journal.
        path: ``NAME.xml``.
        flavour: who is to read it.
        files: folder that the results' files are relative to; by default the report's own.
        base: folder that attachments are named from; by default the report's own.

    Returns:
        The report's files.

    Raises:
        HostError: it cannot be written, or the journal cannot be read.
    """
    here = path.absolute().parent
    places = _Places(path.stem, here, (files or here).absolute(), (base or here).absolute())
    try:
        if is_straight(path):
            with (
                opened(source) as index,
                replacing(path) as temporary,
                temporary.open("w", encoding="utf-8") as stream,
            ):
                stream.writelines(junit_pieces(index, flavour))
            return [path]
        private_folder(here)
        if path.is_dir():
            raise IsADirectoryError(21, "it is a folder")
        with opened(source) as index, tempfile.TemporaryFile(dir=here) as spool:
            parts: list[Path] = []

            def write(document: "_Document") -> None:
                name = path if not parts else path.with_name(f"{path.stem}-{len(parts) + 1}.xml")
                with replacing(name) as temporary, temporary.open("wb") as stream:
                    stream.writelines(document.pieces())
                parts.append(name)

            _render(index, flavour, spool, write, places)
            _drop_old(path, len(parts), places)
            return parts
    except OSError as error:
        raise cannot_write(path, error) from error


def junit_pieces(index: JournalIndex, flavour: Flavour = JENKINS) -> Iterator[str]:
    """The report as one document, whatever its size, in pieces; a testsuite for each kernel."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    with tempfile.TemporaryFile() as spool:
        documents: list[_Document] = []
        _render(index, flavour, spool, documents.append, None)
        for document in documents:
            yield from map(decoder.decode, document.pieces())


def junit_text(source: JournalIndex | Journal, flavour: Flavour = JENKINS) -> str:
    """The report as one text, whatever its size."""
    with opened(source) as index:
        return "".join(junit_pieces(index, flavour))


def last_results(results: Sequence[Result]) -> list[Result]:
    """Of each case on each kernel the last result, at the place of its first."""
    last = {(r.case, r.kernel): r for r in results}
    return list(last.values())


@dataclass(frozen=True)
class _Places:
    stem: str
    here: Path
    files: Path
    base: Path
    written: set[str] = field(default_factory=set)

    @property
    def outputs(self) -> Path:
        """Folder of whole outputs."""
        return self.here / f"{self.stem}-output"

    def keep(self, r: Result, text: str) -> Path:
        """Writes a whole output."""
        target = private_folder(self.outputs) / whole_name(r)
        # Not through replacing(), which waits for the disk: there may be very many of them.
        target.write_text(text + "\n", "utf-8")
        self.written.add(target.name)
        return target


@dataclass
class _Suite:
    """A testsuite under way: its head, where its body lies in the spool, and what it counts."""

    head: ET.Element
    start: int
    end: int
    seconds: float = 0.0
    tests: int = 0
    marks: Counter[str] = field(default_factory=Counter)


class _Document:
    """One file of the report. Bodies go to a spool, since heads have counts and come first."""

    def __init__(self, spool: BinaryIO, flavour: Flavour) -> None:
        self._spool = spool
        self._flavour = flavour
        spool.seek(0)
        spool.truncate()
        self._suites: list[_Suite] = []

    @property
    def size(self) -> int:
        """Bytes of the bodies."""
        return self._suites[-1].end if self._suites else 0

    @property
    def cases(self) -> int:
        """Testcases."""
        return sum(suite.tests for suite in self._suites)

    def open(self, head: ET.Element) -> None:
        """Begins a testsuite."""
        self._suites.append(_Suite(head, self.size, self.size))

    def add(self, data: bytes, mark: str, seconds: float) -> None:
        """Adds a testcase to the last testsuite."""
        suite = self._suites[-1]
        self._spool.write(data)
        suite.end += len(data)
        suite.tests += 1
        suite.seconds += seconds
        suite.marks[mark] += 1

    def pieces(self) -> Iterator[bytes]:
        """The whole file."""
        tests = sum(s.tests for s in self._suites)
        failures = sum(s.marks["failure"] for s in self._suites)
        errors = sum(s.marks["error"] for s in self._suites)
        skipped = sum(s.marks["skipped"] for s in self._suites)
        seconds = sum(s.seconds for s in self._suites)
        more = "" if self._flavour.strict else f' skipped="{skipped}"'
        yield (
            '<?xml version="1.0" encoding="utf-8"?>\n'
            f'<testsuites name="{OWN_NAME}" tests="{tests}" failures="{failures}"'
            f' errors="{errors}"{more} time="{seconds:.3f}">\n'.encode()
        )
        for suite in self._suites:
            suite.head.set("tests", str(suite.tests))
            suite.head.set("failures", str(suite.marks["failure"]))
            suite.head.set("errors", str(suite.marks["error"]))
            suite.head.set("skipped", str(suite.marks["skipped"]))
            suite.head.set("time", f"{suite.seconds:.3f}")
            yield opening_tag(suite.head, 1)
            self._spool.seek(suite.start)
            yield from _read(self._spool, suite.end - suite.start)
            yield b"  </testsuite>\n"
        yield b"</testsuites>\n"


def _render(
    index: JournalIndex,
    flavour: Flavour,
    spool: BinaryIO,
    write: Callable[[_Document], None],
    places: _Places | None,
) -> None:
    """Makes the report's documents and has each written when it is complete."""
    document = _Document(spool, flavour)
    for name in index.names:
        head = _suite(index, name, flavour)
        document.open(head)
        marked = 0
        for element, seconds in _cases(index, name, flavour, places):
            ET.indent(element, level=2)
            data = f"    {ET.tostring(element, encoding='unicode')}\n".encode()
            full = flavour.file_limit and document.size + len(data) > FILL * flavour.file_limit
            full = full or (flavour.cases_limit and document.cases >= flavour.cases_limit)
            if full and places and document.cases:
                write(document)
                document = _Document(spool, flavour)
                document.open(_suite(index, name, flavour))
            mark = next((m for m in MARKS if element.find(m) is not None), "")
            marked += bool(mark)
            document.add(data, mark, seconds)
        _check(index, name, marked)
    write(document)


def _cases(
    index: JournalIndex, kernel: str, flavour: Flavour, places: _Places | None
) -> Iterator[tuple[ET.Element, float]]:
    namesakes = index.namesakes(kernel)
    for r in index.results(kernel):
        number = namesakes.get(r.case, 1)
        name = one_line(r.name) or UNNAMED
        # After the cut, or what tells them apart would be cut off.
        name = name if number == 1 else f"{name} ({number})"
        sections = sections_of(r, attempts=not flavour.reruns)
        output = output_of(sections, flavour.output_limit)
        if flavour.attachments:
            # The first one is shown, and a guest may print what it likes.
            output = output.replace(ATTACHMENT, ATTACHMENT.replace("|", ":"))
        attached = [places.files / path for path in files_of(r).values()] if places else []
        more = []
        if places and is_cut(r, sections, flavour):
            target = places.keep(r, whole_text(r))
            attached.append(target)
            shown = target.relative_to(places.here).as_posix()
            more.append(("file.output", shown))
            output += f"\n--- whole output ---\n{shown}"
        if flavour.attachments and places:
            lines = [f"{ATTACHMENT}{os.path.relpath(p, places.base)}]]" for p in attached]
            output = "\n".join([output, *map(one_line, lines)]).strip()
        yield case_element(r, name, flavour, output, more), max(r.duration_s, 0.0)
    for case in index.missing_cases(kernel):
        source, _, title = case.partition("::")
        name, _, abi = title.partition("@")
        known = classname(Path(source)) if name else ""
        known = f"{known}.{abi}" if abi else known
        yield missing_element(known, name or case, ended=index.ended), 0.0


def _suite(index: JournalIndex, name: str, flavour: Flavour) -> ET.Element:
    """The testsuite of a kernel, empty."""
    first = next(index.results(name), None)
    started = _timestamp(first.started, flavour) if first else ""
    if not started and index.run:
        started = _timestamp(index.run.started, flavour)
    suite = TestSuite(
        one_line(name) or UNNAMED,
        properties=_properties(index, name),
        hostname=HOSTNAME,
        timestamp=started or None,
    )
    element: ET.Element = suite.build_xml_doc("utf-8")
    for attribute in [a for a in element.attrib if a not in SUITE]:
        del element.attrib[attribute]
    return element


def _timestamp(text: str, flavour: Flavour) -> str:
    """With its offset as it was written, or in UTC without one; empty when it is no time."""
    try:
        when = datetime.fromisoformat(text)
        when = when if when.tzinfo else when.replace(tzinfo=UTC)
        if not flavour.zone:
            when = when.astimezone(UTC).replace(tzinfo=None)
        return when.isoformat(timespec="seconds")
    except (ValueError, OverflowError):
        return ""


def _properties(index: JournalIndex, name: str) -> dict[str, str]:
    properties: dict[str, str] = {}
    kernel = index.kernel(name)
    if kernel:
        properties = {
            "kernel.release": kernel.release,
            "kernel.spec": kernel.spec,
            "kernel.arch": kernel.arch,
            "accelerator": kernel.accel,
        }
        if kernel.accel_reason:
            properties["accelerator.reason"] = kernel.accel_reason
    if index.run:
        properties["qemu.version"] = index.run.qemu
        properties[OWN_PROPERTY] = index.run.kharness
        if index.run.shuffled:
            properties["shuffle.seed"] = str(index.run.seed)
    if not index.ended:
        properties["incomplete"] = "the run did not come to its end"
    missing = sum(1 for _ in index.missing_cases(name))
    if missing:
        properties["missing"] = f"{missing} planned and without a result"
    if index.damaged:
        properties["damaged"] = f"{index.damaged} lines of the journal could not be read"
    flaky = index.counts[name][Outcome.FLAKY]
    if flaky:
        properties["flaky"] = f"{flaky} passed only when run again"
    return {key: one_line(value) for key, value in properties.items()}


def opening_tag(element: ET.Element, level: int) -> bytes:
    """An element's start and its children, indented; its end is left to the caller.

    Args:
        element: the element.
        level: how deep it stands.
    """
    attributes = "".join(f" {key}={quoteattr(value)}" for key, value in element.items())
    lines = [f"{'  ' * level}<{element.tag}{attributes}>\n"]
    for child in element:
        ET.indent(child, level=level + 1)
        lines.append(f"{'  ' * (level + 1)}{ET.tostring(child, encoding='unicode')}\n")
    return "".join(lines).encode()


def _read(source: BinaryIO, count: int) -> Iterator[bytes]:
    while count:
        data = source.read(min(count, COPY_BYTES))
        if not data:
            raise OSError(5, "the temporary file lost its end")
        yield data
        count -= len(data)


def _check(index: JournalIndex, name: str, marked: int) -> None:
    """A result that would read as a pass and is none must never leave here."""
    counts = index.counts[name]
    bad = sum(counts.values()) - counts[Outcome.PASS] - counts[Outcome.FLAKY]
    bad += sum(1 for _ in index.missing_cases(name))
    if marked != bad:
        raise AssertionError(f"junit.xml would have {marked} marked of {name}; there are {bad}")


def _drop_old(path: Path, parts: int, places: _Places) -> None:
    """Takes away what an earlier, longer report of the same name left, and nothing else."""
    number = max(parts + 1, 2)
    while _is_ours(old := path.with_name(f"{path.stem}-{number}.xml")):
        old.unlink()
        number += 1
    if places.outputs.is_dir():
        for old in places.outputs.iterdir():
            if WHOLE.fullmatch(old.name) and old.name not in places.written:
                old.unlink()


def _is_ours(path: Path) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as stream:
        return OURS.search(stream.read(200)) is not None
