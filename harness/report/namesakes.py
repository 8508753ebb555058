# SPDX-License-Identifier: GPL-2.0-only
"""Numbers for cases that share a name, so that each can be told from the others."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")


def numbered(shared: Sequence[tuple[T, bytes]], ends: Iterable[bytes]) -> Iterator[tuple[T, int]]:
    """Gives each case that shares its name a number; the first of a name has 1.

    A number is left out where a case is called so: with ``t (2)`` there, the second ``t`` has 3.

    Args:
        shared: cases and their names, in the order in which they are to be counted.
        ends: names of all cases that end in a bracket.
    """
    names = {name for _, name in shared}
    taken = {name for name in ends if name.rpartition(b" (")[0] in names} if names else set()
    seen: Counter[bytes] = Counter()
    for case, name in shared:
        seen[name] += 1
        while seen[name] > 1 and b"%s (%d)" % (name, seen[name]) in taken:
            seen[name] += 1
        yield case, seen[name]
