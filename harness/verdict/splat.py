# SPDX-License-Identifier: GPL-2.0-only
"""What a splat is: one report of a kernel that is unwell."""

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any


class Severity(StrEnum):
    """How bad a splat is; INFO does not change a case's outcome."""

    FATAL = "fatal"
    BUG = "bug"
    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True)
class Splat:
    """One report of the kernel.

    Attributes:
        kind: short name of its kind, e.g. ``oops``.
        title: stable: without addresses, offsets, pids and CPU numbers.
        severity: see :class:`Severity`.
        first: first line in the console, from 1.
        last: last line in the console.
        lines: the report's own lines, without those of others in between.
        trace: functions of the call trace, innermost first.
        taint: the kernel's taint letters, as the report has them; empty when it has none.
        expected: why it was expected; empty when it was not.
        decoded: the call trace with files and lines; empty where no vmlinux was at hand.
    """

    kind: str
    title: str
    severity: Severity
    first: int
    last: int
    lines: tuple[str, ...] = ()
    trace: tuple[str, ...] = ()
    taint: str = ""
    expected: str = ""
    decoded: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {**asdict(self), "severity": self.severity.value}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "Splat":
        """The splat that :meth:`to_json` made.

        Raises:
            KeyError, ValueError, TypeError: the data is no splat.
        """
        return cls(
            *(str(data["kind"]), str(data["title"]), Severity(data["severity"])),
            *(int(data["first"]), int(data["last"])),
            *(tuple(data.get("lines", ())), tuple(data.get("trace", ()))),
            *(str(data.get("taint", "")), str(data.get("expected", ""))),
            tuple(data.get("decoded", ())),
        )
