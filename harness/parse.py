# SPDX-License-Identifier: GPL-2.0-only
"""Results out of anybody's KTAP or TAP log, for the reports that a run's results go to."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from harness.verdict.console import Severity, Splat, worst
from harness.verdict.ktap import KtapLog, KtapResult, counted, parse
from harness.verdict.ktap_blame import Blame, Console, Parted, blame, reports
from harness.verdict.outcome import Outcome, Result
from harness.verdict.text import clean, one_line, shorten_middle

DETAIL_LIMIT = 16 * 1024
# lib/kunit/assert.c; kselftest_harness.h, __EXPECT and __TH_LOG; kcase.h.
KUNIT_PLACE = re.compile(r"(?:EXPECTATION|ASSERTION) FAILED at ([^\s:]+):(\d{1,9})")
HARNESS_PLACE = re.compile(r"(?:# )?([\w./-]+\.(?:c|h|sh|py)):(\d{1,9}):[\w.-]*:(.*)")
CASE_PLACE = re.compile(r"FAIL ([^\s:]+):(\d{1,9}): (.*)")
TOTALS = re.compile(
    r"(?:\S+: )?(?:Totals: )?pass:\d+ fail:\d+|selftests: |Starting \d+ tests"
    r"|timeout set|(?:RUN|OK|FAIL|SKIP) +|FAILED: |Planned tests"
    r"|(?:duration_ms|type|severity|location): "
)
# Under UML and in a guest without a root file system, KUnit's run ends with it.
NORMAL_END = re.compile(r"Kernel panic - not syncing: VFS: Unable to mount root fs")


@dataclass(frozen=True)
class ParsedLog:
    """What came of a log.

    Attributes:
        name: of the log.
        results: its results, as a run would have them.
        problems: what is wrong with the log, a line each.
        found: there was KTAP or TAP in it.
    """

    name: str
    results: tuple[Result, ...]
    problems: tuple[str, ...]
    found: bool


def parse_log(text: str, *, name: str, kernel: str = "log") -> ParsedLog:
    """Results of a log.

    A result is a test without subtests, or one that went wrong though its subtests did not. What
    the kernel reported while a test ran makes it a crash, also where only its own result was still
    to come; after the last test, it is a result of its own.

    Args:
        text: the log, decoded.
        name: of the log; begins the results' names, and is where they are said to be.
        kernel: name of the kernel that the log is of.
    """
    log = parse(text)
    problems = list(log.problems)
    if not log.found:
        return ParsedLog(name, (), tuple(problems), found=False)
    whose = blame(log, reports(log))
    console = Console(log)
    results = [
        _result(r, console.parted(r.lines, whose.of.get(r.lines, ())), name, kernel)
        for r in counted(log, own=whose.crashed)
    ]
    results += _afterwards(log, console, whose, name, kernel)
    for splat in _bad(whose.before):
        problems.append(f"the kernel reported before the first test: {splat.title}")
    return ParsedLog(name, tuple(_distinct(results)), tuple(problems), found=True)


def _result(r: KtapResult, parted: Parted, log: str, kernel: str) -> Result:
    words, splats = parted.words, parted.splats
    outcome = Outcome(r.status)
    message, file, line = _told(r)
    detail = clean("\n".join(part for part in (r.diagnostics, words) if part))
    root = worst(splats)
    if root is not None:
        said = "no result came" if r.ok is None else f"it says {r.status}"
        outcome, message = Outcome.CRASH, f"{root.title} ({said})"
    return Result(
        case="::".join((log, "/".join(r.path))),
        classname=".".join([_dotted(Path(log).stem), *map(_dotted, r.path[:-1])]),
        name=r.name,
        kernel=kernel,
        outcome=outcome,
        message="" if outcome is Outcome.PASS else message,
        detail=shorten_middle(detail, DETAIL_LIMIT),
        file=file or (log if r.line else ""),
        line=line if file else r.line,
        duration_s=r.duration_s or 0.0,
        stdout=words,
        console=parted.console,
        splats=splats,
        parent="::".join((log, "/".join(r.path[:-1]))) if len(r.path) > 1 else "",
    )


def _afterwards(
    log: KtapLog, console: Console, whose: Blame, name: str, kernel: str
) -> list[Result]:
    """What the kernel reported when no test ran any more."""
    missing = any(r.ok is None for r in counted(log))
    splats = [splat for splat in _bad(whose.after) if missing or not NORMAL_END.match(splat.title)]
    if not splats:
        return []
    parted = console.parted((log.rest,), splats)
    return [
        Result(
            case=f"{name}::after the last test",
            classname=_dotted(Path(name).stem),
            name="after the last test",
            kernel=kernel,
            outcome=Outcome.CRASH,
            message=one_line((worst(splats) or splats[0]).title),
            stdout=parted.words,
            console=parted.console,
            splats=parted.splats,
        )
    ]


def _bad(splats: Sequence[Splat]) -> list[Splat]:
    return [splat for splat in splats if splat.severity is not Severity.INFO]


def _told(r: KtapResult) -> tuple[str, str, int]:
    """One line that says why, with file and line where the diagnostics name them."""
    why, file, line = _said(r)
    if r.ok is None and r.reason and why != one_line(r.reason):
        why = one_line(f"{r.reason}; before: {why}")
    return why, file, line


def _said(r: KtapResult) -> tuple[str, str, int]:
    lines = r.diagnostics.splitlines()
    reason = one_line(r.reason)
    for number, text in enumerate(lines):
        kunit = KUNIT_PLACE.search(text)
        if kunit:
            after = []
            for following in lines[number + 1 : number + 4]:
                if not following.startswith((" ", "\t", "Expected")):
                    break
                after.append(following)
            return one_line(" ".join(after)) or one_line(text), kunit[1], int(kunit[2])
        place = HARNESS_PLACE.match(text) or CASE_PLACE.match(text)
        if place:
            return one_line(place[3]) or reason, place[1], int(place[2])
    if not reason:
        said = [text for text in lines if text.strip() and not TOTALS.match(text.strip())]
        reason = one_line(said[-1]) if said else f"it says {r.status}, and not why"
    if r.status == "timeout":
        reason = f"no end after {reason}" if reason[:1].isdigit() else reason
    return reason, "", 0


def _dotted(name: str) -> str:
    """A name as a part of a class name: ``selftests: pidfd: pidfd_test`` is a path."""
    return name.replace(": ", ".").replace("/", ".")


def _distinct(results: Sequence[Result]) -> list[Result]:
    """Tells tests of one name apart, as a log of several runs has them."""
    seen: Counter[str] = Counter()
    distinct = []
    for r in results:
        seen[r.case] += 1
        count = seen[r.case]
        distinct.append(
            r if count == 1 else replace(r, case=f"{r.case} ({count})", name=f"{r.name} ({count})")
        )
    return distinct
