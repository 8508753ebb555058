# SPDX-License-Identifier: GPL-2.0-only
"""Lines that a regular expression nearly matches: what it repeats, far more often than it should.

A pattern that can tell such a line apart in many ways tries them all before it says no.
"""

import importlib
import re
from collections.abc import Iterator
from typing import Any

_parser: Any = importlib.import_module("re._parser")
_constants: Any = importlib.import_module("re._constants")
REPEATS = (_constants.MAX_REPEAT, _constants.MIN_REPEAT, _constants.POSSESSIVE_REPEAT)
WORDS_LIMIT = 12
MANY = 50
"""What is repeated fewer times at most is not attacked."""
ANYWHERE = ("a", " ", "1", "(")


def nearly_matching(pattern: re.Pattern[str], size: int) -> Iterator[str]:
    """Lines of about ``size`` characters, a few for each repetition in the pattern."""
    tree = _parser.parse(pattern.pattern, pattern.flags)
    whole = _words(tree)[0]
    for before, units in _repetitions(tree, ""):
        for unit in dict.fromkeys((*units, *ANYWHERE)):
            for end in ("!", f"{whole[len(before) : -1]}!{whole[-1:]}!"):
                yield before + unit * (size // len(unit)) + end


def _repetitions(tree: Any, before: str) -> Iterator[tuple[str, list[str]]]:
    """Of each repetition what has to stand before it, and what it repeats."""
    for at, (kind, value) in enumerate(tree):
        start = before + _words(tree[:at])[0]
        if kind in REPEATS:
            _, most, item = value
            if most == _constants.MAXREPEAT or most > MANY:
                yield start, [word for word in _words(item) if word]
        for part in _parts(kind, value):
            yield from _repetitions(part, start)


def _parts(kind: Any, value: Any) -> list[Any]:
    if kind in REPEATS:
        return [value[2]]
    if kind is _constants.SUBPATTERN:
        return [value[3]]
    if kind is _constants.ATOMIC_GROUP:
        return [value]
    return list(value[1]) if kind is _constants.BRANCH else []


def _words(tree: Any) -> list[str]:
    """A few strings that a tree matches; at least one."""
    found = [""]
    for kind, value in tree:
        parts = [word for part in _parts(kind, value) for word in _words(part)[:MANY]]
        if kind in REPEATS:
            parts = [word * value[0] for word in parts]
        elif kind is _constants.LITERAL:
            parts = [chr(value)]
        elif kind is _constants.NOT_LITERAL:
            parts = ["b" if value == ord("a") else "a"]
        elif kind is _constants.ANY:
            parts = ["a"]
        elif kind is _constants.IN:
            parts = [_one_of(value)]
        found = [f"{word}{part}" for word in found for part in parts or [""]][:WORDS_LIMIT]
    return found


def _one_of(items: Any) -> str:
    """A character of a set."""
    some = re.compile("|".join(map(re.escape, _members(items))) or "(?!)")
    if items[0][0] is not _constants.NEGATE:
        return _members(items)[0]
    return next(char for char in "a (1:~" if not some.fullmatch(char))


def _members(items: Any) -> list[str]:
    kinds = {
        _constants.CATEGORY_SPACE: " ",
        _constants.CATEGORY_DIGIT: "1",
        _constants.CATEGORY_WORD: "a",
        _constants.CATEGORY_NOT_SPACE: "a",
    }
    found = []
    for kind, value in items:
        if kind is _constants.LITERAL:
            found.append(chr(value))
        elif kind is _constants.RANGE:
            found.append(chr(value[0]))
        elif kind is _constants.CATEGORY:
            found.append(kinds[value])
    return found
