# SPDX-License-Identifier: GPL-2.0-only
"""What a row of the table of splats is."""

import re
from dataclasses import dataclass
from enum import Enum

from harness.verdict.splat import Severity

SYMBOL = r"(?P<fn>[A-Za-z_$][\w.$]*)(?:\+0x[0-9a-f]+(?:/0x[0-9a-f]+)?)?"
"""A function as %pS prints it."""


class Part(Enum):
    """What a header's line is to its report."""

    OWN = "begins a report"
    LEAD = "begins a report in which an oops or a BUG() follows"
    TAIL = "goes on with the report that a LEAD began, else begins one"


@dataclass(frozen=True)
class Row:
    """A header that the kernel prints.

    Attributes:
        kind: short name.
        severity: how bad it is.
        needle: text that every such line has; what is without any needle is not looked at.
        pattern: matches the line from its start, without what printk puts before it. Its groups
            go into the title; the group ``fn`` is the function to blame.
        title: with ``{group}``; the function to blame is added.
        part: see :class:`Part`.
        blame: add the function to blame to the title.
        sure: no program prints such a line by chance. What is not sure must be printed by the
            kernel for certain, or have a trace.
        traced: no splat without a trace: healthy kernels print such lines too.
        rank: of several headers in a report the lowest rank gives kind and title.
    """

    kind: str
    severity: Severity
    needle: str
    pattern: re.Pattern[str]
    title: str
    part: Part = Part.OWN
    blame: bool = True
    sure: bool = True
    traced: bool = False
    rank: int = 1


def row(
    kind: str,
    severity: Severity,
    needle: str,
    pattern: str = "",
    title: str = "",
    **more: object,
) -> Row:
    """A row; without ``pattern`` the needle begins the line, without ``title`` it is the title."""
    compiled = re.compile(pattern or re.escape(needle))
    words = title or needle.strip().rstrip(":").replace("{", "{{").replace("}", "}}")
    return Row(kind, severity, needle, compiled, words, **more)  # type: ignore[arg-type]
