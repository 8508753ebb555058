# SPDX-License-Identifier: GPL-2.0-only
"""Cases that share class name and name, such as those of two files of one name: their numbers.

The first has 1. They are counted in the order of their node ids, so that a case keeps its number in
whatever order cases ran. A number is left out where a case is called so: with ``t (2)`` there, the
second ``t`` has 3.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TypeVar

from harness.verdict.text import one_line

T = TypeVar("T")


def shared_name(classname: str, name: str) -> str:
    """What namesakes have in common.

    As reports show it: what differs only where they cut would be namesakes there.
    """
    return f"{one_line(classname)}\0{one_line(name)}"


def numbered(cases: Sequence[tuple[T, str]], names: Iterable[str]) -> dict[T, int]:
    """The number of each case.

    Args:
        cases: each case, by whatever tells it from others, and its shared name; those of one name
            in the order of their node ids.
        names: the shared names that there are; those without a bracket at their end may be left
            out.
    """
    wanted = {name for _, name in cases}
    taken = {name for name in names if name.rpartition(" (")[0] in wanted} if wanted else set()
    seen: Counter[str] = Counter()
    numbers = {}
    for case, name in cases:
        seen[name] += 1
        while seen[name] > 1 and f"{name} ({seen[name]})" in taken:
            seen[name] += 1
        numbers[case] = seen[name]
    return numbers
