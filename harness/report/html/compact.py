# SPDX-License-Identifier: GPL-2.0-only
"""The page's data as JSON in pieces, and columns of numbers that take little room."""

import json
from array import array
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

BATCH = 5_000
"""Items of an array that are one piece."""


class Column:
    """Integers of any size; few bytes each as long as they are small."""

    def __init__(self) -> None:
        self._values: array[int] | list[int] = array("i")

    def __len__(self) -> int:
        return len(self._values)

    def __iter__(self) -> Iterator[int]:
        return iter(self._values)

    def append(self, value: int) -> None:
        """Adds one at the end."""
        try:
            self._values.append(value)
        except OverflowError:
            small = isinstance(self._values, array) and self._values.typecode == "i"
            self._values = array("q", self._values) if small else list(self._values)
            self.append(value)


def safe_json(data: object) -> str:
    """JSON in ASCII and without the characters that end or begin anything in HTML."""
    text = json.dumps(data, ensure_ascii=True, separators=(",", ":"))
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def safe_object(fields: Iterable[tuple[str, Any]]) -> Iterator[str]:
    """An object as :func:`safe_json` has it; a value that is an iterator has JSON in pieces."""
    before = "{"
    for name, value in fields:
        yield f"{before}{safe_json(name)}:"
        before = ","
        if isinstance(value, Iterator):
            yield from value
        else:
            yield safe_json(value)
    yield "{}" if before == "{" else "}"


def safe_array(items: Iterable[Any]) -> Iterator[str]:
    """An array; of its items only some are held at a time."""
    rest = iter(items)
    before = "["
    while some := list(islice(rest, BATCH)):
        yield before + safe_json(some)[1:-1]
        before = ","
    yield "[]" if before == "[" else "]"


def safe_columns(columns: Mapping[str, Column]) -> Iterator[str]:
    """An object of arrays."""
    return safe_object((name, safe_array(column)) for name, column in columns.items())
