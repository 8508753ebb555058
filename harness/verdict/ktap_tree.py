# SPDX-License-Identifier: GPL-2.0-only
"""Puts the lines of a KTAP log together to a tree of results.

A level is a column of results. A result further left takes the levels to its right as its
subtests: in KTAP a test's own result comes after those of its subtests.
"""

import re
from collections.abc import Sequence
from dataclasses import replace

from harness.verdict.ktap_level import Level, Node, frozen, joined, last_skip, unprinted
from harness.verdict.ktap_lines import Line
from harness.verdict.ktap_log import BAD, KtapLog, Status
from harness.verdict.ktap_rules import (
    YAML_MESSAGE,
    YAML_TIME,
    BailOut,
    Comment,
    Plan,
    ResultLine,
    Started,
    Subtest,
    Token,
    Version,
)
from harness.verdict.text import one_line

DEPTH_LIMIT = 32
"""Levels that are told apart; what is deeper belongs to the deepest."""
RESULT_LIMIT = 1_000_000
MISSING_LIMIT = 10_000
"""Missing results that are named one by one, in a whole log: a plan may say any number."""
PROBLEM_LIMIT = 1000
PARTS_LIMIT = 4096
"""Characters of a line that is put together anew: nobody looks at more of a kernel's."""
SUBTESTS = 14
"""The version of TAP that has them."""
KNOWN = {"KTAP": (1,), "TAP": (13, 14)}
TOTALS = re.compile(
    r" *Totals: pass:(?P<pass>\d{1,9}) fail:(?P<fail>\d{1,9}) xfail:(?P<xfail>\d{1,9})"
    r" xpass:(?P<xpass>\d{1,9}) skip:(?P<skip>\d{1,9}) error:(?P<error>\d{1,9})$"
)
"""kselftest.h, ksft_print_cnts()."""
COUNTED: tuple[Status, ...] = ("pass", "fail", "xfail", "xpass", "skip", "error")
# Test::More tells of a failure after it, everybody else before.
AFTER = re.compile(r" *Failed (?:\(TODO\) )?test")
# lib/kunit/assert.c: what was expected follows, indented like the comment, and is none itself.
FAILING = re.compile(r"(?:EXPECTATION|ASSERTION) FAILED at ")
# kselftest_harness.h, __wait_for_test(): its result line has no directive.
TIMED_OUT = re.compile(r"^\S+: Test terminated by timeout$", re.M)
AFTER_MORE = re.compile(r"  ")


class Builder:
    """Takes tokens in order; :meth:`finish` gives the log."""

    def __init__(self) -> None:
        self._levels: list[Level] = []
        self._problems: list[str] = []
        self._more_problems = 0
        self._version = ""
        self._found = False
        self._before: list[str] = []
        self._diagnostics: list[str] = []
        self._output: list[str] = []
        self._console: list[str] = []
        self._lines = range(0)
        self._began = 0
        self._subtest: tuple[int, str, int] | None = None
        self._last: Node | None = None
        self._after = False
        self._told_after: list[str] = []
        self._failing = ""
        self._kept = 0
        self._named = 0
        self._line = 0
        self._deep = False
        self._lost = False

    def problem(self, text: str) -> None:
        """Something is wrong with the log."""
        if len(self._problems) < PROBLEM_LIMIT:
            self._problems.append(one_line(text))
        else:
            self._more_problems += 1

    def other(self, line: Line) -> None:
        """A line that is no KTAP: it belongs to the test that runs."""
        self._after = False
        spaced = line.text.expandtabs(8) if self._failing else ""
        if spaced.startswith(self._failing or "-"):
            self._diagnostics.append(spaced.removeprefix(self._failing))
        elif line.text:
            first, end = line.number, line.number + 1
            if self._output:
                first, end = min(first, self._lines.start), max(end, self._lines.stop)
            self._lines = range(first, end)
            self._output.append(line.shown)
            self._put(line.number, line.shown)

    def _put(self, number: int, shown: str) -> None:
        """A line of the console where it stands in the log, or a part of one."""
        missing = number - len(self._console)
        if missing > 0:
            self._console += [""] * missing
        before = self._console[number - 1]
        if len(before) < PARTS_LIMIT:
            self._console[number - 1] = f"{before} {shown}" if before else shown

    def take(self, token: Token, line: Line) -> None:
        """A line of KTAP."""
        self._line = line.number
        if line.stamped:
            self._put(line.number, line.shown.removesuffix(line.text))
        if isinstance(token, Comment):
            self._comment(token)
            return
        self._after, self._failing = False, ""
        if isinstance(token, ResultLine):
            self._result(token)
        elif isinstance(token, Plan):
            self._plan(token)
        elif isinstance(token, Version):
            self._new_version(token)
        elif isinstance(token, Started):
            self._start(token)
        elif isinstance(token, Subtest):
            self._close_right_of(token.column)
            self._name_subtest(token.column)
            self._subtest = (token.column, token.name, line.number)
        else:
            self._bail(token)

    def yaml(self, block: Sequence[str]) -> None:
        """A block of YAML after a result."""
        node = self._last
        if node is None:
            return
        self._join_told_after()
        node.diagnostics = joined(node.diagnostics, block)
        for number, text in enumerate(block):
            time, message = YAML_TIME.match(text), YAML_MESSAGE.match(text)
            if time and node.duration_s is None:
                node.duration_s = round(float(time[1]) / 1000, 9)
            if message and not node.reason and node.status in BAD:
                words = message[2]
                if re.fullmatch(r"[|>][-+]?\d?", words):
                    words = " ".join(_deeper(block, number + 1, message[1]))
                node.reason = one_line(words.strip("'\""))

    def finish(self) -> KtapLog:
        """The log, after its last line."""
        self._join_told_after()
        if self._subtest and self._levels:
            column, name, line = self._subtest
            if column > self._levels[0].column:
                self._open(column, line, name=name, header=True)
            elif name:
                self._levels[0].started.setdefault(name, line)
        base: list[Node] = []
        bailed = ""
        if self._levels:
            self._close_right_of(self._levels[0].column)
            level = self._levels[0]
            self._end_plan(level)
            self._own_faults(level)
            base, bailed = level.nodes, level.bailed
        if self._diagnostics and self._last is not None and self._last.status == "fail":
            self._last.diagnostics = joined(self._last.diagnostics, self._diagnostics)
        if self._more_problems:
            self._problems.append(f"and {self._more_problems} more")
        return KtapLog(
            version=self._version,
            results=tuple(frozen(node, ()) for node in base),
            problems=tuple(self._problems),
            bailed=bailed,
            found=self._found,
            before="\n".join(self._before),
            after="\n".join(self._output),
            start=self._began,
            rest=self._lines if self._output else range(0),
            console="\n".join(self._console),
        )

    # What a line does.

    def _comment(self, token: Comment) -> None:
        if self._last is not None and self._last.status == "fail":
            if AFTER.match(token.text):
                self._after = True
            if self._after and (AFTER.match(token.text) or AFTER_MORE.match(token.text)):
                self._told_after.append(token.text)
                return
        self._after = False
        totals = TOTALS.match(token.text)
        level = self._at(token.column) if totals else None
        if totals and level is not None:
            level.totals = {status: int(totals[status]) for status in COUNTED}
        self._failing = " " * token.column if FAILING.search(token.text) else ""
        self._diagnostics.append(token.text)

    def _join_told_after(self) -> None:
        """What was told of the last result after it, all at once: there may be much of it."""
        if self._last is not None and self._told_after:
            self._last.diagnostics = joined(self._last.diagnostics, self._told_after)
            self._told_after = []

    def _begin(self) -> None:
        """The first line of KTAP: what stands before it belongs to no test."""
        if not self._found:
            self._found, self._began = True, self._line
            self._before, self._output = self._output, []
            self._diagnostics.clear()

    def _new_version(self, token: Version) -> None:
        self._begin()
        name = f"{token.name} {token.number}"
        if token.number not in KNOWN[token.name]:
            self.problem(f"line {self._line}: version {token.number} of {token.name} is not known")
        self._version = self._version or name
        self._name_subtest(token.column, new=True)
        self._close_right_of(token.column)
        level = self._at(token.column)
        if level is None or not (level.versioned or level.count or level.plan is not None):
            level = level or self._open(token.column, self._line)
        elif len(self._levels) > 1 and level.name:
            self._lose(level)
            level = self._open(token.column, self._line)
        else:
            # Another log begins, as run_kselftest.sh starts one for each collection.
            self._new_plan(level)
        level.versioned, level.tap = True, token.number if token.name == "TAP" else 0

    def reads_tap(self, column: int) -> bool:
        """Are results in a column TAP's, which may have no number? Subtests are TAP 14's alone."""
        if self._levels and column > self._levels[-1].column:
            return self._levels[-1].tap == SUBTESTS
        return any(level.column == column and level.tap for level in self._levels)

    def _plan(self, token: Plan) -> None:
        self._begin()
        self._name_subtest(token.column)
        self._close_right_of(token.column)
        level = self._at(token.column) or self._open(token.column, self._line)
        if token.first != 1:
            words = f"a plan that begins with {token.first}"
            if level.count:
                # Behind results it is what a program says of a range.
                self.problem(f"line {self._line}: {words}, after results: not one")
                return
            self.problem(f"line {self._line}: {words}")
        if level.plan is not None:
            if level.count < level.plan or level.skip is not None:
                self._first_counts(level)
                level.second = (self._line, token)
                return
            self._new_plan(level)
        level.plan, level.skip = token.last, token.skip

    def _start(self, token: Started) -> None:
        if not self._found:
            self._begin()
        self._name_subtest(token.column)
        self._close_right_of(token.column)
        level = self._at(token.column) or self._open(token.column, self._line)
        if len(level.started) < RESULT_LIMIT:
            level.started[token.name] = self._line
        self._diagnostics.append(token.text)

    def _bail(self, token: BailOut) -> None:
        self._begin()
        self._name_subtest(token.column)
        self._close_right_of(token.column)
        level = self._at(token.column) or self._open(token.column, self._line)
        level.bailed = f"Bail out! {token.reason}".strip()

    def _result(self, token: ResultLine) -> None:
        if not self._found:
            self._found, self._began = True, self._line
        if self._subtest and self._announced(token):
            self._subtest = None
        self._name_subtest(token.column)
        inner = self._inner(token.column)
        level = self._at(token.column) or self._open(token.column, self._line)
        if not token.name:
            token = replace(token, name=f"test {level.expected}")
        if level.second and token.number == 1 and level.count:
            # Another program, which has no version line: the first one did not come to its end.
            _, plan = level.second
            level.second = None
            self._new_plan(level)
            level.plan, level.skip = plan.last, plan.skip
        elif token.number == 1 and level.plan is not None and level.count >= level.plan > 0:
            self._new_plan(level)
        self._first_counts(level)
        node = self._revived(level, token.name)
        if node is None:
            self._number(level, token.number)
            level.count += 1
            node = Node(token.name)
            self._keep(level, node)
        level.started.pop(token.name, None)
        node.ok, node.status = token.ok, token.status
        node.reason = one_line(token.reason) if token.reason else ""
        node.line, node.duration_s = self._line, token.duration_s
        self._join_told_after()
        self._last = node
        if inner is not None:
            # It had begun, a little further right: mail puts a blank before what begins with #.
            inner.started.pop(token.name, None)
            self._adopt(node, inner)
        self._give(node)
        if node.status == "fail" and TIMED_OUT.search(node.diagnostics):
            node.status, node.reason = "timeout", node.reason or "its time was up"

    def _announced(self, token: ResultLine) -> bool:
        """Node's reporter writes ``# Subtest: name`` before a test that has no subtests, too.

        After a version line it is KUnit's, whose subtests may have any name.
        """
        assert self._subtest is not None
        column, name, _ = self._subtest
        level = self._at(column)
        fresh = level is not None and level.column > 0 and level.versioned and not level.count
        return (column, name) == (token.column, token.name) and not fresh

    def _number(self, level: Level, number: int) -> None:
        """Numbers count up by one; that they do not is told, and judges nothing."""
        if number and number != level.expected and not level.odd:
            level.odd, level.low = True, level.count
            self.problem(f"line {self._line}: number {number} where {level.expected} should be")
        if level.odd and len(level.numbers) < RESULT_LIMIT:
            level.numbers.add(number)
        level.expected = number + 1 if number else level.expected + 1

    # Levels.

    def _at(self, column: int) -> Level | None:
        """The level of a line, when it is the rightmost one."""
        if not self._levels:
            return None
        top = self._levels[-1]
        if column > top.column and len(self._levels) >= DEPTH_LIMIT:
            if not self._deep:
                self._deep = True
                words = f"deeper than {DEPTH_LIMIT} levels; the rest is flat"
                self.problem(f"line {self._line}: {words}")
            return top
        return top if top.column == column else None

    def _open(self, column: int, line: int, *, name: str = "", header: bool = False) -> Level:
        deepest = self._at(column)
        if deepest is not None:
            return deepest
        if not name and self._levels and self._levels[-1].started:
            name = next(reversed(self._levels[-1].started))
        level = Level(column, line, name=name, header=header)
        if self._levels and self._levels[-1].tap == SUBTESTS:
            level.tap = SUBTESTS
        self._levels.append(level)
        return level

    def _name_subtest(self, column: int, *, new: bool = False) -> None:
        """Gives the name of the last ``# Subtest: name`` to the level that it is about.

        KUnit prints it in the column of the subtests, TAP 14 in that of the parent: which one it
        was, the next line tells.
        """
        if self._subtest is None:
            return
        at, name, line = self._subtest
        self._subtest = None
        if column > at:
            self._close_right_of(at)
            if self._levels and (self._levels[-1].column < column):
                self._open(column, line, name=name, header=True)
            return
        level = self._at(at)
        if column < at:
            # Nothing came of it: its result will find an empty level.
            if level is None or level.count or level.name:
                self._close_right_of(at - 1)
                level = self._open(at, line)
            level.name, level.header = name, True
            return
        if level is not None and (level.count or level.plan is not None) and len(self._levels) > 1:
            if not new:
                self._lose(level)
                level = None
            else:
                return
        level = level or self._open(at, line)
        level.name, level.header = name, True

    def _close_right_of(self, column: int) -> None:
        """Ends the levels right of a column: the tests that they belong to have no result."""
        while self._levels and self._levels[-1].column > column:
            level = self._levels[-1]
            if len(self._levels) == 1:
                # The log is indented by less from here on.
                level.column = column
                return
            self._lose(level)

    def _inner(self, column: int) -> Level | None:
        """Ends the levels right of a result's; gives the one with its subtests."""
        inner: Level | None = None
        while self._levels and self._levels[-1].column > column:
            below = self._levels[-2].column if len(self._levels) > 1 else -1
            if below > column:
                self._lose(self._levels[-1])
            else:
                inner = self._levels.pop()
        return inner

    def _lose(self, level: Level) -> None:
        """The rightmost level ends, and no result came of the test that it belongs to."""
        self._levels.pop()
        if not level.used:
            return
        below = self._levels[-1]
        node = Node(level.name or f"test {below.expected}", reason="no result came")
        below.started.pop(node.name, None)
        self._adopt(node, level)
        self._give(node)
        if level.bailed:
            node.reason = level.bailed
        self._lost = True
        below.count += 1
        below.expected += 1
        self.problem(f"line {self._line}: {node.name} has no result of its own")
        self._keep(below, node)

    def _revived(self, level: Level, name: str) -> Node | None:
        """A test that was given up, and whose result comes after all."""
        if not self._lost:
            return None
        for node in level.nodes[-8:]:
            if node.ok is None and node.line == 0 and node.name == name:
                return node
        return None

    def _adopt(self, node: Node, level: Level) -> None:
        """Makes a level's results subtests of a test, and lets them have a say in its status."""
        skipped = node.reason or last_skip(level) if node.status == "skip" else None
        self._end_plan(level, skipped=skipped)
        node.children += tuple(level.nodes)
        if level.name and node.ok is not None and level.header and level.name != node.name:
            self.problem(
                f"line {self._line}: result of {node.name} after the subtests of {level.name}"
            )
        if level.skip is not None and node.status in ("pass", "skip"):
            node.status, node.reason = "skip", node.reason or level.skip
        elif level.bailed and node.status in BAD:
            node.reason = f"{level.bailed}; {node.reason}" if node.reason else level.bailed
        if node.status == "skip" and not node.reason:
            node.reason = last_skip(level)
        if node.status != "pass":
            return
        bad = [child for child in node.children if child.status in BAD - {"xpass"}]
        if bad:
            words = f"{len(bad)} of {len(node.children)} subtests went wrong: {bad[0].name}"
            self.problem(f"line {self._line}: {node.name}: its line says ok, but {words}")
            failed = any(child.status != "error" for child in bad)
            node.status, node.reason = "fail" if failed else "error", words
        elif level.bailed or level.fault:
            node.status, node.reason = "error", level.bailed or level.fault
        elif level.header and not node.children:
            node.status, node.reason = "error", "no subtest of it ran"

    # Plans.

    def _first_counts(self, level: Level) -> None:
        """A second plan was met, and nothing that it could be about came behind it."""
        if level.second:
            line, plan = level.second
            level.second = None
            self.problem(f"line {line}: a second plan, 1..{plan.last}; the first counts")

    def _new_plan(self, level: Level) -> None:
        """What was planned is done, and something else begins in the same column."""
        self._end_plan(level)
        if len(self._levels) == 1:
            self._own_faults(level)
        level.first, level.count, level.expected = len(level.nodes), 0, 1
        level.plan, level.skip, level.odd = None, None, False
        level.totals.clear()
        level.numbers.clear()

    def _end_plan(self, level: Level, *, skipped: str | None = None) -> None:
        """Looks whether what was planned has come; what has not is an error with a name.

        Args:
            level: the level.
            skipped: reason, where the test that it belongs to says that it was skipped:
                ksft_exit_skip() leaves what was planned undone.
        """
        self._first_counts(level)
        planned, came = level.plan, level.count
        if planned is not None and came > planned and level.skip is None:
            level.fault = f"{came} results, but {planned} planned"
            self.problem(f"line {self._line}: {level.fault}")
        missing = max((planned or 0) - came, 0) if planned is not None else len(level.started)
        if not missing:
            level.started.clear()
            return
        told = unprinted(level) if missing <= MISSING_LIMIT - self._named else []
        if told and not level.bailed:
            words = "counted in its totals, and not printed"
            self.problem(f"line {self._line}: {len(told)} results were {words}")
            self._named += len(told)
            for name, said in zip(self._names(level, len(told)), told, strict=True):
                self._keep(level, Node(name, said not in BAD, said, words))
            level.started.clear()
            return
        reason = level.bailed or "no result came"
        if planned is not None and not level.bailed:
            reason += f"; {came} of {planned} did"
        status: Status = "error"
        if skipped is not None:
            status, reason = "skip", skipped or "skipped with the test that it belongs to"
        else:
            self.problem(f"line {self._line}: missing results: {missing}: {reason}")
        named = max(min(missing, MISSING_LIMIT - self._named), 0)
        self._named += named
        for name in self._names(level, named):
            self._missing(level, Node(name, status=status, reason=reason))
        if missing > named:
            self._missing(level, Node(f"{missing - named} more", status=status, reason=reason))
        level.started.clear()

    def _missing(self, level: Level, node: Node) -> None:
        self._give(node)
        self._keep(level, node)

    def _names(self, level: Level, wanted: int) -> list[str]:
        """Names for missing results: those that had begun, then by number."""
        names = list(level.started)[:wanted]
        number = level.low if level.odd else level.count + len(names)
        while len(names) < wanted:
            number += 1
            if number not in level.numbers:
                names.append(f"test {number}")
        return names

    def _own_faults(self, level: Level) -> None:
        """What went wrong at the outermost level, where no result would tell of it."""
        nodes = level.nodes[level.first :]
        if level.skip is not None and not nodes:
            self._keep(level, Node("all", None, "skip", level.skip or "no reason", level.line))
        if level.bailed and not any(n.reason == level.bailed for n in nodes):
            self._missing(level, Node("Bail out!", reason=level.bailed))
        elif level.fault:
            self._missing(level, Node("plan", reason=level.fault))
        level.fault = ""

    def _keep(self, level: Level, node: Node) -> None:
        self._kept += 1
        if self._kept <= RESULT_LIMIT:
            level.nodes.append(node)
        elif self._kept == RESULT_LIMIT + 1:
            self.problem(
                f"line {self._line}: more than {RESULT_LIMIT} results; the rest is left out"
            )
            node = Node("too many results", reason=f"only {RESULT_LIMIT} are kept")
            self._levels[0].nodes.append(node)

    def _give(self, node: Node) -> None:
        """Comments and other lines belong to the result after them (ktap.rst, "Diagnostic")."""
        if self._diagnostics:
            node.diagnostics = joined(node.diagnostics, self._diagnostics)
            self._diagnostics = []
        if self._output:
            node.output = joined(node.output, self._output)
            node.lines += (self._lines,)
            self._output = []


def _deeper(lines: Sequence[str], start: int, indent: str) -> list[str]:
    """The lines of a block in YAML: those from ``start`` on that are right of its key."""
    found = []
    for number in range(start, len(lines)):
        line = lines[number]
        if line.strip() and not line.startswith((f"{indent} ", f"{indent}\t")):
            break
        if line.strip():
            found.append(line.strip())
    return found
