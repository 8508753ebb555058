# SPDX-License-Identifier: GPL-2.0-only
"""JSON in pieces: the bytes of json.dumps(..., indent=1), of more than is held at a time."""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any


def json_object(fields: Mapping[str, Any]) -> Iterator[str]:
    """An object; the value of a field that is an iterator is an array, made item by item."""
    before = "{"
    for name, value in fields.items():
        yield f"{before}\n {json.dumps(name)}: "
        if isinstance(value, Iterator):
            yield from json_array(value, 1)
        else:
            yield _text(value, 1)
        before = ","
    yield "\n}" if fields else "{}"


def json_array(items: Iterable[Any], depth: int = 0) -> Iterator[str]:
    """An array.

    Args:
        items: of it; each is plain data that is held whole.
        depth: of the array in the document, to indent by.
    """
    before = "["
    for item in items:
        yield f"{before}\n{' ' * (depth + 1)}{_text(item, depth + 1)}"
        before = ","
    yield "[]" if before == "[" else f"\n{' ' * depth}]"


def _text(value: Any, depth: int) -> str:
    """One value. json.dumps with an indent would leave garbage behind that waits to be found."""
    inner, outer = f"\n{' ' * (depth + 1)}", f"\n{' ' * depth}"
    if isinstance(value, Mapping) and value:
        pairs = (f"{json.dumps(str(k))}: {_text(v, depth + 1)}" for k, v in value.items())
        return f"{{{inner}{f',{inner}'.join(pairs)}{outer}}}"
    if isinstance(value, (list, tuple)) and value:
        return f"[{inner}{f',{inner}'.join(_text(v, depth + 1) for v in value)}{outer}]"
    return json.dumps(value)
