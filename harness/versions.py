# SPDX-License-Identifier: GPL-2.0-only
"""Ranges of kernel versions: ``>=6.1,<6.12``."""

import re
from dataclasses import dataclass

CONDITION = re.compile(r"^(?P<op>>=|<=|>|<|==|=|!=)?\s*v?(?P<version>\d+(?:\.\d+){0,2}(?:\.\*)?)$")
Version = tuple[int, ...]


@dataclass(frozen=True)
class KernelRange:
    """Kernel versions, as conditions that must all hold; none means every version.

    A version of two numbers stands for the whole series: ``6.12`` and ``<=6.12`` have 6.12.117
    in them, ``<6.12`` and ``>6.12`` have not.

    Attributes:
        conditions: operator and version.
    """

    conditions: tuple[tuple[str, Version], ...] = ()

    @classmethod
    def parse(cls, text: str) -> "KernelRange":
        """``>=6.1,<6.12``, ``6.12``, ``6.1.*``; empty text or ``*`` is every version.

        Raises:
            ValueError: not such a text; its message says which part.
        """
        conditions = []
        for part in map(str.strip, text.split(",")):
            if part in ("", "*") and text.strip() in ("", "*"):
                continue
            found = CONDITION.match(part)
            if found is None:
                raise ValueError(f"{part!r} is no range of kernel versions, like '>=6.1,<6.12'")
            version = tuple(map(int, found["version"].removesuffix(".*").split(".")))
            conditions.append((found["op"] or "==", version))
        return cls(tuple(conditions))

    def __contains__(self, version: Version) -> bool:
        """Is a version, ``(6, 12, 117)``, within the range?"""
        return all(_holds(op, tuple(version[: len(bound)]), bound) for op, bound in self.conditions)

    def __str__(self) -> str:
        return ",".join(f"{op}{'.'.join(map(str, bound))}" for op, bound in self.conditions)


def parse_release(release: str) -> Version:
    """The numbers of a kernel's release: ``6.12.117+deb12-cloud-amd64`` is ``(6, 12, 117)``.

    Raises:
        ValueError: it does not begin with a version.
    """
    found = re.match(r"(\d+)\.(\d+)(?:\.(\d+))?", release)
    if found is None:
        raise ValueError(f"{release!r} is no release of a kernel")
    return tuple(int(part) for part in found.groups() if part is not None)


def _holds(op: str, have: Version, bound: Version) -> bool:
    have += (0,) * (len(bound) - len(have))
    match op:
        case ">=":
            return have >= bound
        case "<=":
            return have <= bound
        case ">":
            return have > bound
        case "<":
            return have < bound
        case "!=":
            return have != bound
        case _:
            return have == bound
