# SPDX-License-Identifier: GPL-2.0-only
"""The grammar of KTAP and TAP: one function for each kind of line.

Source: Documentation/dev-tools/ktap.rst, tools/testing/selftests/kselftest.h,
kselftest_harness.h and kselftest/runner.sh, lib/kunit/test.c of Linux 6.12; TAP 13 and 14.
"""

import re
from dataclasses import dataclass

from harness.verdict.ktap_log import Status
from harness.verdict.text import one_line

NAME_LIMIT = 4096
# Inner TAP stands in comments where runner.sh has put ``# `` before each line.
COLUMNS = re.compile(r"(?:[ \t]|# )*")
SPACES = re.compile(r"[ \t]*")
# ``#PF: supervisor read access`` is a line of an oops.
COMMENT = re.compile(r"((?:[ \t]|# )*)#(|[ \t:#].*)$")
OWN_COMMENT = re.compile(r"([ \t]*)#(|[ \t:#].*)$")
VERSION = re.compile(r"(K?TAP) version (\d{1,9})$")
PLAN = re.compile(r"(\d{1,9})\.\.(\d+)(?:[ \t]*#[ \t]*(.*))?$")
MOST = 10**18
"""Results that a plan is believed to promise: more digits are somebody's number."""
RESULT = re.compile(r"(ok|not ok)[ \t]+(?:(\d{1,18})(?=[ \t#]|$)|(?=- ))[ \t]*(.*)")
# TAP lets the number go; of ``ok`` without one nobody knows whether it is a program's word.
UNNUMBERED = re.compile(r"not ok(?:[ \t]+(.*)|$)")
DIRECTIVE = re.compile(
    r"(?:^|[ \t])#[ \t]*(SKIP(?:PED)?|TODO|XFAIL|XPASS|TIMEOUT|ERROR)(?=[ \t:]|$)[ \t:]*(.*)",
    re.I,
)
DATA = re.compile(r"(?:^|[ \t])#(?:[ \t]+(.*)|$)")
BAIL = re.compile(r"Bail out!(.*)")
SUBTEST = re.compile(r"Subtest:[ \t]*(.*)|:ktap_test:[ \t]*(.*)")
RUN = re.compile(r" +RUN +(\S.*?)(?: \.\.\.)?$")
PROGRAM = re.compile(r"selftests: [^\s:]+: \S")
TIME = re.compile(r"(?:(?:^|[ \t])#[ \t]*)?\btime=(\d{1,9}(?:\.\d{1,9})?)(ms|s)?(?=[ \t]|$)")
YAML_TIME = re.compile(r"[ \t]*duration_ms:[ \t]*['\"]?(\d{1,12}(?:\.\d{1,9})?)")
# Perl's and Node's reporters call it error.
YAML_MESSAGE = re.compile(r"([ \t]*)(?:message|error):[ \t]*(\S.*)")


@dataclass(frozen=True, slots=True)
class Version:
    """``KTAP version 1``, ``TAP version 14``."""

    column: int
    name: str
    number: int


@dataclass(frozen=True, slots=True)
class Plan:
    """``1..4``; ``skip`` is the reason of ``1..0 # SKIP reason``, else None."""

    column: int
    first: int
    last: int
    skip: str | None


@dataclass(frozen=True, slots=True)
class ResultLine:
    """``ok 1 name # SKIP reason``; ``number`` is 0, and ``name`` empty, where there is none."""

    column: int
    ok: bool
    number: int
    name: str
    status: Status
    reason: str
    duration_s: float | None
    directive: str


@dataclass(frozen=True, slots=True)
class BailOut:
    """``Bail out! reason``."""

    column: int
    reason: str


@dataclass(frozen=True, slots=True)
class Subtest:
    """``# Subtest: name``: the results that follow are the subtests of ``name``."""

    column: int
    name: str


@dataclass(frozen=True, slots=True)
class Started:
    """``#  RUN           fixture.name ...``, ``# selftests: dir: prog``: a test begins."""

    column: int
    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Comment:
    """``# anything``."""

    column: int
    text: str


Token = Version | Plan | ResultLine | BailOut | Subtest | Started | Comment


def parse_line(text: str, *, lenient: bool = True) -> Token | None:
    """What a line is; None for one that is no KTAP.

    Args:
        text: the line without prefixes.
        lenient: results may stand in comments.
    """
    indent = _indent(text, lenient)
    end = len(indent)
    first = text[end : end + 1]
    rule = RULES.get(first)
    token = rule(text[end:], column_of(indent)) if rule else None
    if token is None and "#" in text:
        return parse_comment(text, lenient=lenient)
    return token


def column_of(prefix: str) -> int:
    """How far a line is indented; a tab goes to the next multiple of 8."""
    return len(prefix.expandtabs(8)) if "\t" in prefix else len(prefix)


def parse_version(body: str, column: int) -> Version | None:
    """``KTAP version 1``, ``TAP version 13``, ``TAP version 14``."""
    found = VERSION.match(body)
    return Version(column, found[1], int(found[2])) if found else None


def parse_plan(body: str, column: int) -> Plan | None:
    """``1..4``, ``1..0 # SKIP reason``."""
    found = PLAN.match(body)
    if found is None:
        return None
    directive = DIRECTIVE.match(f"#{found[3] or ''}")
    skip = directive[2] if directive and directive[1].upper().startswith("SKIP") else None
    last = int(found[2]) if len(found[2]) < len(str(MOST)) else MOST
    return Plan(column, int(found[1]), last, skip)


def parse_result(body: str, column: int) -> ResultLine | None:
    """``ok 1 name``, ``not ok 2 - name``, ``ok 3 # SKIP reason``, ``not ok 4 name # exit=1``.

    Without a description the name is what stands after the directive, else ``test N``: kselftest.h
    prints ``ok 1 # SKIP name`` and ``not ok 2 # error name``.
    """
    found = RESULT.match(body)
    if found is None:
        return None
    return _result(column, found[3], ok=found[1] == "ok", number=int(found[2] or 0))


def parse_unnumbered(text: str, *, lenient: bool = True) -> ResultLine | None:
    """``not ok``, ``not ok name``, ``not ok # TODO why``: what TAP allows, and KTAP does not.

    Args:
        text: the line without prefixes.
        lenient: results may stand in comments.
    """
    indent = _indent(text, lenient)
    found = UNNUMBERED.match(text, len(indent))
    if found is None:
        return None
    return _result(column_of(indent), found[1] or "", ok=False, number=0)


def _indent(text: str, lenient: bool) -> str:
    """What stands before a line's first word."""
    found = (COLUMNS if lenient else SPACES).match(text)
    assert found is not None
    return found[0]


def _result(column: int, rest: str, *, ok: bool, number: int) -> ResultLine:
    name, word, reason = split_description(rest)
    status: Status = "pass" if ok else "fail"
    known = word.upper()
    if ok and known in ("TIMEOUT", "ERROR") and word != known:
        # Only ``not ok`` may have them; in lower case it is a word of somebody's.
        known, reason = "", f"{word} {reason}"
    if known:
        status = _status(ok, known)
    name = name.removeprefix("-").strip() if name.startswith("- ") or name == "-" else name
    name = (name or one_line(reason) or (f"test {number}" if number else ""))[:NAME_LIMIT]
    time = TIME.search(reason) if "time=" in reason else None
    seconds = None
    if time:
        # mptcp_lib.sh puts it after the directive: ``# SKIP # time=1ms``.
        seconds = float(time[1]) / (1000 if time[2] == "ms" else 1)
        reason = f"{reason[: time.start()]} {reason[time.end() :]}".strip(" \t#")
    return ResultLine(column, ok, number, name, status, reason, seconds, known)


def split_description(rest: str) -> tuple[str, str, str]:
    """Name, directive as it is written, and what follows it.

    A ``#`` is a mark only after a space, so that names may have one; ``\\#`` is TAP's way to
    write it. The first known directive wins, else the first mark begins diagnostic data.
    """
    if "#" not in rest:
        return rest.strip(), "", ""
    found = DIRECTIVE.search(rest)
    if found:
        word, reason = found[1], found[2]
    else:
        found = DATA.search(rest)
        word, reason = "", (found[1] or "") if found else ""
    name = rest[: found.start()] if found else rest
    return name.replace("\\#", "#").strip(), word, reason.strip()


def _status(ok: bool, word: str) -> Status:
    """What a directive makes of a result (ktap.rst, "Test case result lines").

    A skip is one whether it says ok or not. ``ok # TODO`` is a test that should have failed (TAP
    14, "TODO"); kselftest prints ``ok # XFAIL`` for one that failed as expected.
    """
    if word in ("SKIP", "SKIPPED"):
        return "skip"
    if word == "XPASS":
        return "xpass"
    if word == "XFAIL":
        return "xfail"
    if word == "TODO":
        return "xpass" if ok else "xfail"
    return "timeout" if word == "TIMEOUT" else "error"


def parse_bail(body: str, column: int) -> BailOut | None:
    """``Bail out! reason``."""
    found = BAIL.match(body)
    return BailOut(column, found[1].strip()) if found else None


def parse_comment(text: str, *, lenient: bool = True) -> Token | None:
    """``# Subtest: name``, ``#  RUN  name ...``, ``# selftests: dir: prog``, ``# anything``."""
    found = (COMMENT if lenient else OWN_COMMENT).match(text)
    if found is None:
        return None
    column, words = column_of(found[1]), found[2]
    words = words[1:] if words.startswith(" ") else words
    subtest = SUBTEST.match(words)
    if subtest:
        name = (subtest[1] or subtest[2] or "").replace("\\#", "#").strip()
        return Subtest(column, name[:NAME_LIMIT])
    run = RUN.match(words)
    if run:
        return Started(column, run[1][:NAME_LIMIT], words)
    if PROGRAM.match(words):
        return Started(column, words.strip()[:NAME_LIMIT], words)
    return Comment(column, words)


RULES = {
    "o": parse_result,
    "n": parse_result,
    "1": parse_plan,
    "0": parse_plan,
    "K": parse_version,
    "T": parse_version,
    "B": parse_bail,
}
"""By the first character of a line: most lines are tried against one rule."""
