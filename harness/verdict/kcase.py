# SPDX-License-Identifier: GPL-2.0-only
"""Reads the KTAP that one case of ours prints; any other log is read by ktap.py.

Source of the grammar: Documentation/dev-tools/ktap.rst. Only what a case of ours prints is judged:
result lines at the top level, and the diagnostics before them. Anything else may stand anywhere.
"""

import re
from dataclasses import dataclass

RESULT = re.compile(r"^(?P<ok>ok|not ok) (?P<number>\d+)(?: (?P<rest>.*))?$")
DIRECTIVE = re.compile(r"^(?P<word>SKIP|XFAIL|TODO|TIMEOUT|ERROR)\b:?\s*(?P<reason>.*)$", re.I)
FAIL = re.compile(r"^# FAIL (?P<file>[^:\s]+):(?P<line>\d+): (?P<what>.*)$")
EXPECTED = "#   expected: "
GOT = "#   got: "


@dataclass(frozen=True)
class TestLine:
    """A result line: ``ok 1 name # SKIP reason``.

    Attributes:
        ok: it says ``ok``.
        name: the description.
        directive: upper case, or empty.
        reason: what follows the directive.
    """

    ok: bool
    name: str
    directive: str = ""
    reason: str = ""


@dataclass(frozen=True)
class Failure:
    """A failed check as kcase.h prints it, in three lines."""

    file: str
    line: int
    what: str
    expected: str = ""
    got: str = ""

    @property
    def message(self) -> str:
        """One line: what was promised and what came, and where."""
        place = f"{self.file}:{self.line}: {self.what}"
        if not self.expected:
            return place
        return f"expected {self.expected}, got {self.got} ({place})"


def parse_results(text: str) -> list[TestLine]:
    """The result lines at the top level, in order."""
    return [line for line in map(_result, text.splitlines()) if line is not None]


def parse_failures(text: str) -> list[Failure]:
    """The failed checks, in order."""
    failures: list[Failure] = []
    lines = text.splitlines()
    for number, line in enumerate(lines):
        found = FAIL.match(line)
        if found is None:
            continue
        after = lines[number + 1 : number + 3]
        expected = next((x.removeprefix(EXPECTED) for x in after if x.startswith(EXPECTED)), "")
        got = next((x.removeprefix(GOT) for x in after if x.startswith(GOT)), "")
        place = int(found["line"][:9])
        failures.append(Failure(found["file"], place, found["what"], expected, got))
    return failures


def parse_diagnostics(text: str) -> str:
    """The diagnostic lines without their ``# ``."""
    lines = (line for line in text.splitlines() if line.startswith("#"))
    return "\n".join(line.removeprefix("#").removeprefix(" ") for line in lines)


def _result(line: str) -> TestLine | None:
    """``ok 1 name``, ``not ok 1 - name``, ``ok 1 name # SKIP reason``; else None."""
    found = RESULT.match(line.rstrip())
    if found is None:
        return None
    name, _, comment = (found["rest"] or "").partition("#")
    directive = DIRECTIVE.match(comment.strip())
    word, reason = (directive["word"].upper(), directive["reason"]) if directive else ("", "")
    return TestLine(found["ok"] == "ok", name.strip().removeprefix("- ").strip(), word, reason)
