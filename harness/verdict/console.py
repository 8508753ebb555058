# SPDX-License-Identifier: GPL-2.0-only
"""Finds splats in a console: what a kernel prints when it is unwell.

Lines are found by the table in harness.verdict.splats; a report is what follows until its end, by
the same caller where the kernel says who prints. What has a trace and no header lost its header,
and is a splat of the kind ``unknown``, unless somebody asked for it (SysRq).
"""

import bisect
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate

from harness.verdict.blame import blamed, only_passes, suspects
from harness.verdict.printk import Line, is_stamped, parse_line, without_colours
from harness.verdict.report_lines import (
    ASKED,
    BODY,
    BREAK,
    END,
    FOREIGN,
    QUIET_S,
    RULE,
    STRONG,
    WAIT_S,
)
from harness.verdict.splat import Severity, Splat
from harness.verdict.splats import TABLE, Part, Row
from harness.verdict.text import clean
from harness.verdict.title import mask, title_of
from harness.verdict.trace import call_trace, frame, pointer, taint

SPLATS_LIMIT = 200
LINES_LIMIT = 600
LEFT_OUT_LIMIT = 1000
"""Reports in a console, and lines in a report; more are counted (up to a thousand), not kept."""
GAP = 12
"""So many lines of others end a report."""
BEFORE = 6
"""Lines before a header that may be of its report: a rule, a cut, a message."""
DUMP_S = 0.005
"""A message and its dump_stack() are no further apart, in seconds."""
SANITIZERS = ("kasan", "kfence", "kmsan", "kcsan", "ubsan")
LOST = (
    *("cut here ", "Call Trace:", "Call trace:", "---[ end trace", "Modules linked in:"),
    *("RIP: 0010:", "Backtrace:", "Krnl PSW", "pc : ", "PC is at "),
    *("sysrq: ", "SysRq : ", "potentially unexpected fatal signal"),
)
"""Text of reports that lost their header, and of who asked for one: mips dumps a stack first."""
_ALL = {*(row.needle for row in TABLE), *LOST}
NEEDLES = tuple(sorted(n for n in _ALL if not any(o != n and o in n for o in _ALL)))
"""Without those that another one finds."""


def find_splats(text: str, *, limit: int = SPLATS_LIMIT) -> tuple[Splat, ...]:
    """Every splat in a console, in order; a healthy kernel's log gives none.

    Takes time that is linear in the length of the text, and keeps at most ``limit`` reports with
    LINES_LIMIT lines each; of both, a mark says how many more there were.

    Args:
        text: a console or any other log of a kernel; prefixes, colours and noise may be in it.
        limit: reports that are kept.
    """
    if not text:
        return ()
    text = without_colours(text)
    numbers, lines = _candidates(text)
    if not numbers:
        return ()
    finder = _Finder(stamped=is_stamped(text), limit=limit)
    finder.read(lines, numbers)
    found = sorted(finder.splats, key=lambda splat: (splat.first, splat.last))
    if finder.left_out:
        found.append(left_out(finder.left_out, found[-1].last))
    return tuple(found)


def left_out(count: int, line: int) -> Splat:
    """Stands at a line for reports that were not kept."""
    or_more = " or more" if count >= LEFT_OUT_LIMIT else ""
    return Splat("more", f"{count}{or_more} more reports", Severity.INFO, line, line)


def worst(splats: Sequence[Splat]) -> Splat | None:
    """The splat that a verdict is about: the root of the others, as far as one can tell.

    That is the first oops or bug. A panic after something else is its consequence, and so is an
    oops after a bug that a checker found; a warning counts where there is nothing worse. Splats
    that are expected, or are for information, do not count.
    """
    counted = [s for s in splats if s.severity is not Severity.INFO and not s.expected]
    bad = [s for s in counted if s.severity is not Severity.WARNING and s.kind != "panic"]
    return next(iter(bad or counted), None)


def _candidates(text: str) -> tuple[list[int], list[str]]:
    """Indexes of the lines with a needle, in order, and all lines."""
    found: set[int] = set()
    lines: list[str] = []
    starts: list[int] = []
    for needle in NEEDLES:
        at = text.find(needle)
        if at >= 0 and not lines:
            lines = text.split("\n")
            starts = [0, *accumulate(len(line) + 1 for line in lines)]
        while at >= 0:
            number = bisect.bisect_right(starts, at) - 1
            found.add(number)
            at = text.find(needle, starts[number + 1])
    return sorted(found), lines


@dataclass
class _Report:
    """A report that is being read."""

    lines: list[Line] = field(default_factory=list)
    headers: list[tuple[Row, re.Match[str], bool]] = field(default_factory=list)
    last_body: int = 0
    idle: int = 0
    dropped: int = 0
    traced: bool = False
    strong: bool = False
    cut: bool = False
    ended: bool = False
    asked: bool = False
    message: str = ""

    def is_traced(self) -> bool:
        """Has it its own trace? A slab's report has the histories of an object before that."""
        slab = any(row.kind == "slab" for row, _, _ in self.headers)
        return self.traced and (self.strong or not slab)

    def add(self, line: Line, *, body: bool) -> None:
        if len(self.lines) >= LINES_LIMIT:
            self.dropped += body
            return
        self.lines.append(line)
        if body:
            self.last_body = len(self.lines)
            self.idle = 0


class _Finder:
    """Reads lines and collects splats; one open report for each caller."""

    def __init__(self, *, stamped: bool, limit: int) -> None:
        self.splats: list[Splat] = []
        self.left_out = 0
        self._stamped = stamped
        self._limit = limit
        self._open: dict[str, _Report] = {}
        self._before: dict[str, list[Line]] = {}
        self._said: dict[str, Line] = {}
        self._asked: tuple[int, float | None] | None = None

    def read(self, lines: list[str], candidates: list[int]) -> None:
        """Reads around the candidates only; what lies between them is never parsed."""
        at = 0
        marked = set(candidates)
        for candidate in candidates:
            if candidate < at:
                continue
            if self.left_out >= LEFT_OUT_LIMIT:
                break
            if candidate - BEFORE - GAP > at:
                self._close_all()
            at = max(at, candidate - BEFORE)
            while (
                at < len(lines)
                and (at <= candidate or self._open)
                and self.left_out < LEFT_OUT_LIMIT
            ):
                for line in parse_line(at + 1, lines[at]):
                    self._take(line, at in marked)
                at += 1
        self._close_all()

    def _take(self, line: Line, may_be_header: bool) -> None:
        text = line.text
        report = self._open.get(line.caller)
        if report and self._is_late(report, line):
            self._close(line.caller)
            report = None
        if ASKED.match(text) and (line.kernel or not self._stamped):
            self._asked = (line.number, line.time_s)
            if report and not report.headers:
                report.asked = True
        ours = line.kernel or not self._stamped
        if BREAK.match(text) and ours:
            self._cut(line, report)
            return
        header = _header(line) if may_be_header else None
        if header:
            self._header(line, report, header, ours=ours)
            return
        if report is None:
            self._without_report(line, ours=ours)
            return
        if not ours or not text.strip():
            self._idle(line.caller, report)
            return
        body = bool(BODY.match(text) or END.match(text) or frame(text))
        if RULE.match(text) and self._closes(report):
            report.add(line, body=True)
            self._close(line.caller)
            return
        doubtful = report.headers and not any(certain for _, _, certain in report.headers)
        if RULE.match(text) and (report.traced or doubtful):
            self._close(line.caller)
            self._before[line.caller] = [line]
            return
        foreign = not body and FOREIGN.match(text) and not self._is_message(report)
        if not foreign:
            report.add(line, body=body)
            self._learn(report, text)
        if not body:
            self._idle(line.caller, report)

    @staticmethod
    def _is_message(report: _Report) -> bool:
        """What follows a cut is what WARN() was told to say, whatever it looks like."""
        return report.cut and len(report.lines) == 1

    @staticmethod
    def _closes(report: _Report) -> bool:
        """KASAN and its like end with the rule that they began with."""
        first = report.lines[0].text if report.lines else ""
        return bool(RULE.match(first)) and any(
            row.kind in SANITIZERS for row, _, _ in report.headers
        )

    def _learn(self, report: _Report, text: str) -> None:
        if END.match(text):
            report.ended = True
        if STRONG.match(text):
            report.strong = True
        if not report.traced and (frame(text) or pointer(text)):
            report.traced = True

    def _is_late(self, report: _Report, line: Line) -> bool:
        last = report.lines[-1] if report.lines else None
        if last is None or last.time_s is None or line.time_s is None:
            return False
        quiet_s = WAIT_S if last.text.startswith("Sending NMI ") else QUIET_S
        return line.time_s - last.time_s > quiet_s or line.time_s < last.time_s - QUIET_S

    def _idle(self, caller: str, report: _Report) -> None:
        report.idle += 1
        if report.idle > GAP:
            self._close(caller)

    def _cut(self, line: Line, report: _Report | None) -> None:
        leads = report and report.headers and report.headers[-1][0].part is Part.LEAD
        if report and leads and not (report.is_traced() or report.ended or report.cut):
            report.cut = True
            report.add(line, body=True)
            return
        if report:
            self._close(line.caller)
        self._before.pop(line.caller, None)
        opened = _Report(cut=True, asked=self._is_asked(line))
        opened.add(line, body=True)
        self._open[line.caller] = opened

    def _header(
        self,
        line: Line,
        report: _Report | None,
        header: tuple[Row, re.Match[str], bool],
        *,
        ours: bool,
    ) -> None:
        row, match, at_start = header
        certain = at_start and ours and (row.sure or self._stamped)
        if report and self._joins(report, row, line):
            report.headers.append((row, match, certain))
            report.add(line, body=True)
            return
        if report and not certain and not row.sure:
            report.add(line, body=bool(BODY.match(line.text)))
            return
        if report:
            self._close(line.caller)
        opened = _Report()
        for earlier in self._before.pop(line.caller, []):
            if line.number - earlier.number <= BEFORE:
                opened.add(earlier, body=True)
        opened.headers.append((row, match, certain))
        opened.add(line, body=True)
        self._open[line.caller] = opened

    @staticmethod
    def _joins(  # noqa: PLR0911 - each rule is one line
        report: _Report, row: Row, line: Line
    ) -> bool:
        """Is this header one more line of the report that is open?"""
        if report.lines and report.lines[-1].raw == line.raw:
            # Two consoles write to one log: a report with a trace has more than its first line.
            return line.time_s is not None or row.blame
        if row.kind == "panic" or report.ended:
            return False
        first = report.headers[0][0].kind if report.headers else ""
        if row.kind in ("machine-check", "lockup") and first and not report.traced:
            return row.kind == first
        if row.kind == "oom" and report.headers and report.headers[0][0].kind == "oom":
            return row.part is Part.TAIL and not any(have is row for have, _, _ in report.headers)
        if row.kind == "rcu-stall" and row.part is Part.TAIL:
            return any(have.kind == "rcu-stall" for have, _, _ in report.headers)
        if report.is_traced():
            return False
        if not report.headers:
            return report.cut or not report.strong
        if row.kind == report.headers[0][0].kind and row.kind in SANITIZERS:
            return line.number - report.lines[-1].number <= 2  # once for each inlined function
        kinds = [have.part for have, _, _ in report.headers]
        if row.part is Part.TAIL:
            repeats = any(have is row for have, _, _ in report.headers)
            return (kinds[-1] is not Part.OWN or report.cut) and not repeats
        last = report.headers[-1][0]
        if row.part is Part.LEAD and last.part is Part.LEAD and last.rank > row.rank:
            return True
        return last.kind == "warning" and line.number - report.lines[-1].number <= 2

    def _without_report(self, line: Line, *, ours: bool) -> None:
        text = line.text
        before = self._before.setdefault(line.caller, [])
        if not ours or not (BODY.match(text) or RULE.match(text)):
            before.clear()
            self._said[line.caller] = line
            return
        before.append(line)
        del before[:-BEFORE]
        if RULE.match(text):
            del before[:-1]
        if STRONG.match(text):
            opened = _Report(asked=self._is_asked(line))
            said = self._said.pop(line.caller, None)
            if said and _are_one(said, before[0]):
                opened.message = said.text
                opened.add(said, body=True)
            for earlier in before:
                opened.add(earlier, body=True)
                self._learn(opened, earlier.text)
            before.clear()
            self._open[line.caller] = opened

    def _is_asked(self, line: Line) -> bool:
        if self._asked is None:
            return False
        number, time_s = self._asked
        if time_s is not None and line.time_s is not None:
            return abs(line.time_s - time_s) < QUIET_S
        return line.number - number < 2000

    def _close_all(self) -> None:
        for caller in list(self._open):
            self._close(caller)
        self._before.clear()

    def _close(self, caller: str) -> None:
        report = self._open.pop(caller)
        splat = _splat(report)
        if splat is None:
            return
        if len(self.splats) >= self._limit:
            self.left_out += 1
        else:
            self.splats.append(splat)


def _weight(header: tuple[Row, re.Match[str]]) -> tuple[int, bool]:
    """Of several headers the one that names whom to blame, and not memset()."""
    row, match = header
    return row.rank, only_passes(match.groupdict().get("fn") or "")


def _are_one(said: Line, first: Line) -> bool:
    """Did a message come right before a trace, as where the kernel calls dump_stack()?"""
    if said.time_s is None or first.time_s is None or FOREIGN.match(said.text):
        return False
    return first.number - said.number == 1 and first.time_s - said.time_s < DUMP_S


def _header(line: Line) -> tuple[Row, re.Match[str], bool] | None:
    """The first row that matches the line; and whether from the line's start."""
    text = line.text
    if len(text) < 4:
        return None
    bare = text[2:].rstrip(" ]") if text.startswith("[ ") else text
    for row in TABLE:
        at = text.find(row.needle)
        if at < 0:
            continue
        match = row.pattern.match(text) or (bare is not text and row.pattern.match(bare)) or None
        if match:
            return row, match, True
    if not text.startswith(("---[", "Command line", "Kernel command line")):
        for row in TABLE:
            at = text.find(row.needle)
            if at > 0 and row.sure and len(row.needle) > 8 and text[at - 1] not in "\"'`(=<[":
                match = row.pattern.match(text, at)
                if match:
                    return row, match, False
    return None


def _splat(report: _Report) -> Splat | None:
    """What a report comes to; None when it is none."""
    lines = report.lines[: report.last_body]
    if not lines:
        return None
    texts = [line.text for line in lines]
    trace = call_trace(texts)
    pointed, callers = suspects(texts, trace)
    evidence = bool(trace or pointed or report.strong)
    headers = [
        (row, match)
        for row, match, certain in report.headers
        if (certain or evidence) and (evidence or not row.traced)
    ]
    letters = max(map(taint, texts), key=len, default="")
    raw = tuple(clean(line.raw) for line in lines)
    if report.dropped:
        raw = (*raw, f"[... {report.dropped} more lines ...]")
    place = (lines[0].number, lines[-1].number, raw, trace, letters)
    if headers:
        row, match = min(headers, key=_weight)
        title = title_of(row, match, texts, pointed, callers)
        severity = min((row.severity for row, _ in headers), key=list(Severity).index)
        return Splat(row.kind, title, severity, *place)
    if report.headers:
        return None
    if report.asked or not (report.cut or report.ended or (report.strong and (trace or pointed))):
        return None
    who = blamed(pointed, callers)
    if report.message:
        title = mask(report.message)[:120] + (f" in {who}" if who else "")
        return Splat("unknown", title, Severity.BUG, *place)
    message = mask(texts[1]) if report.cut and len(texts) > 1 and not BODY.match(texts[1]) else ""
    words = "a report without its first line" + (f" in {who}" if who else "")
    return Splat("unknown", words + (f": {message}" if message else ""), Severity.BUG, *place)


__all__ = ["Severity", "Splat", "find_splats", "worst"]
