# SPDX-License-Identifier: GPL-2.0-only
"""Reads JUnit files of any tool and any size, a testcase at a time, with the lines of everything.

A file may come from anywhere. It must not have a document type, so that no entity can be declared,
expanded or fetched; depth and the size of one testcase are bounded.
"""

import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from xml.parsers import expat

from harness.errors import UsageError

CHUNK = 64 * 1024
DEPTH = 50
"""Nested elements; testsuites nest in some tools' files, but not so deep."""
PART_LIMIT = 64 * 1024 * 1024
"""Characters of one testcase; nobody reads more."""
TOKEN_LIMIT = 1024 * 1024
"""Bytes that expat holds back until they are whole, such as a tag with its attributes."""
ROOTS = ("testsuites", "testsuite")
OWN_NAME = "kharness"
"""Of testsuites in kharness's own files: in them a testsuite is a kernel."""
OWN_PROPERTY = "kharness.version"
"""A testsuite with this property is kharness's own in whatever file it stands."""


class Lined(ET.Element):
    """An element that knows its line, from 1."""

    line = 0


@dataclass(frozen=True)
class Opened:
    """A testsuite or testsuites begins; its children are not known yet."""

    element: Lined


@dataclass(frozen=True)
class Closed:
    """The innermost testsuite or testsuites ends."""

    line: int


@dataclass(frozen=True)
class Part:
    """A whole child of a testsuite: a testcase, properties, output."""

    element: Lined


Event = Opened | Closed | Part


def read_junit(path: Path) -> Iterator[Event]:
    """What stands in a JUnit file, in order.

    Raises:
        UsageError: it cannot be read, is no XML, is no JUnit, or is made to do harm.
    """
    try:
        with path.open("rb") as stream:
            reader = _Reader(path)
            while data := stream.read(CHUNK):
                yield from reader.feed(data)
            yield from reader.feed(b"", last=True)
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from error


class _Reader:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._events: list[Event] = []
        self._open: list[Lined] = []
        self._texts: list[str] = []
        self._suites = 0
        self._size = self._fed = 0
        self._parser = parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text
        parser.StartDoctypeDeclHandler = self._doctype

    def feed(self, data: bytes, *, last: bool = False) -> list[Event]:
        self._events = []
        self._fed += len(data)
        try:
            self._parser.Parse(data, last)
        except expat.ExpatError as error:
            words = expat.errors.messages.get(error.code, str(error.code))
            if error.code == expat.errors.codes[expat.errors.XML_ERROR_NO_ELEMENTS]:
                words = "it is empty, or was cut off"
            raise UsageError(f"{self._path}:{error.lineno}: no XML: {words}") from error
        except (LookupError, ValueError) as error:
            raise UsageError(f"{self._path}:1: no XML: {error}") from error
        if self._fed - self._parser.CurrentByteIndex > TOKEN_LIMIT:
            raise self._refuse(f"a tag longer than {TOKEN_LIMIT >> 20} MiB: refused")
        return self._events

    def _refuse(self, words: str) -> UsageError:
        return UsageError(f"{self._path}:{self._parser.CurrentLineNumber}: {words}")

    def _doctype(self, *_: object) -> None:
        raise self._refuse("it has a document type, which can declare entities: refused")

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        # A namespace is of no use here, and some tools have one.
        self._flush()
        plain = {key: text for key, text in attributes.items() if "xmlns" not in key}
        plain = {key: text for key, text in plain.items() if ":" not in key}
        element = Lined(tag.rpartition(":")[2], plain)
        element.line = self._parser.CurrentLineNumber
        if not self._open and element.tag not in ROOTS:
            raise self._refuse(f"no JUnit file: it begins with <{element.tag[:40]}>")
        if len(self._open) >= DEPTH:
            raise self._refuse(f"elements nest deeper than {DEPTH}: refused")
        if len(self._open) == self._suites and element.tag in ROOTS:
            self._suites += 1
            self._events.append(Opened(element))
        elif len(self._open) > self._suites:
            self._open[-1].append(element)
        self._open.append(element)
        self._count(sum(map(len, attributes.values())) + len(tag))

    def _end(self, _: str) -> None:
        self._flush()
        element = self._open.pop()
        if len(self._open) < self._suites:
            self._suites -= 1
            self._events.append(Closed(self._parser.CurrentLineNumber))
        elif len(self._open) == self._suites:
            self._events.append(Part(element))
            self._size = 0

    def _text(self, text: str) -> None:
        if len(self._open) > self._suites:
            self._texts.append(text)
            self._count(len(text))

    def _flush(self) -> None:
        """Text comes in pieces; they are joined once, or a long one would take for ever."""
        if not self._texts:
            return
        text, element = "".join(self._texts), self._open[-1]
        if len(element):
            element[-1].tail = text
        else:
            element.text = text
        self._texts.clear()

    def _count(self, size: int) -> None:
        if len(self._open) > self._suites:
            self._size += size
            if self._size > PART_LIMIT:
                raise self._refuse(f"a testcase longer than {PART_LIMIT >> 20} MiB: refused")
