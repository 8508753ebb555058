# SPDX-License-Identifier: GPL-2.0-only
"""What became of a program of somebody else's suite, by that suite's conventions.

kselftest: exit codes of kselftest.h, KTAP where there is some, and both must agree. LTP: the exit
code's bits and its result lines. Any other program: KTAP where there is some, and the exit code.
"""

import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from harness.verdict.judge import signal_name
from harness.verdict.ktap import KtapLog, KtapResult, counted, parse
from harness.verdict.ktap_blame import Blame, Console, Parted, blame, reports
from harness.verdict.outcome import Outcome, Result, Verdict
from harness.verdict.splat import Splat
from harness.verdict.text import GAP, decode, one_line, shorten_middle
from harness.verdict.weigh import Weigh, crashes

DETAIL_LIMIT = 16 * 1024
SHOWN_LINES = 40
KSFT = {
    0: Outcome.PASS,
    1: Outcome.FAIL,
    2: Outcome.XFAIL,
    3: Outcome.XPASS,
    4: Outcome.SKIP,
}
"""tools/testing/selftests/kselftest.h, KSFT_*."""
PLAIN = {0: Outcome.PASS, 4: Outcome.SKIP}
PLACE = re.compile(r"(?:^|[\s(#])([\w./+-]+\.(?:c|h|cc|cpp|sh|py)):(\d{1,7})\b")
UNCLASSED = re.compile(r"[.\s]")
KUNIT_FAILED = re.compile(r"(?:EXPECTATION|ASSERTION) FAILED at ")
SAYS_SKIP = re.compile(r"^1\.\.0\s*#\s*SKIP\b:?\s*(.*)$", re.IGNORECASE | re.MULTILINE)
PLAN = re.compile(r"^1\.\.[1-9]\d*\s*$", re.MULTILINE)
"""An outermost plan."""
STATUS = {
    "pass": Outcome.PASS,
    "fail": Outcome.FAIL,
    "skip": Outcome.SKIP,
    "xfail": Outcome.XFAIL,
    "todo": Outcome.XFAIL,
    "xpass": Outcome.XPASS,
    "timeout": Outcome.TIMEOUT,
}
"""A subtest's status to its outcome; what is not here (``error``) is a failure."""


@dataclass(frozen=True)
class Ended:
    """How a program ended.

    Attributes:
        output: standard output and error, in the order in which they came.
        wait_status: as wait(2) gives it.
        timed_out: it was killed because its time was up.
        timeout_s: its time limit in seconds.
        truncated: the middle of its output is missing.
    """

    output: bytes
    wait_status: int
    timed_out: bool
    timeout_s: float
    truncated: bool


def judge_kselftest(ended: Ended) -> Verdict:
    """A kernel selftest: exit codes 0 to 4, and KTAP."""
    return _judge_ktap(ended, KSFT)


def judge_program(ended: Ended) -> Verdict:
    """Any program: exit code 0 passes, 4 skips, everything else fails; and KTAP."""
    return _judge_ktap(ended, PLAIN)


def _judge_ktap(  # noqa: PLR0911 - each way to end is one line
    ended: Ended, codes: dict[int, Outcome]
) -> Verdict:
    text = decode(ended.output)
    log = parse(text)
    # Of what is missing in the middle no result can come.
    found = [r for r in counted(log) if r.ok is not None or not ended.truncated]
    # A subtest that passes against expectations is one itself; its program has not failed.
    bad = [r for r in found if not _outcome(r).good and _outcome(r) is not Outcome.XPASS]
    early = _died(ended, text, f"; before: {_failed(bad)}" if bad else "")
    if early:
        return early
    code = os.WEXITSTATUS(ended.wait_status)
    said = codes.get(code, Outcome.FAIL)
    if not log.found:
        return _by_code(text, code, said, ended)
    if said is Outcome.SKIP and not bad:
        return _verdict(Outcome.SKIP, _skip_reason(log, text), text, ended)
    if said is Outcome.FAIL:
        why = _failed(bad) or log.bailed
        return _verdict(Outcome.FAIL, why or f"{_last(text)} (exit {code})", text, ended)
    if said in (Outcome.XFAIL, Outcome.XPASS):
        return _verdict(said, f"exit {code}: {_last(text)}", text, ended)
    # It says that it passed, or was skipped: everything that it printed has to agree.
    if bad:
        return _verdict(Outcome.FAIL, f"exit {code}, but {_failed(bad)}", text, ended)
    if log.bailed:
        return _verdict(Outcome.FAIL, f"exit {code}, but it bailed out: {log.bailed}", text, ended)
    if ended.truncated and not _is_whole(log, text):
        words = f"exit {code}, but results may be in the middle of its output, which is missing"
        return _verdict(Outcome.ERROR, words, text, ended)
    outcomes = {_outcome(r) for r in found}
    # kselftest_harness.h ends with 0 when every test was skipped.
    if outcomes == {Outcome.SKIP} or (not outcomes and SAYS_SKIP.search(text)):
        return _verdict(Outcome.SKIP, _skip_reason(log, text), text, ended)
    return Verdict(Outcome.PASS)


def _is_whole(log: KtapLog, text: str) -> bool:
    """Whether a log whose middle is missing has every result: only its plan can say so."""
    return bool(PLAN.search(text)) and all(r.ok is not None for r in log.results)


def _by_code(text: str, code: int, said: Outcome, ended: Ended) -> Verdict:
    if said is Outcome.PASS:
        return Verdict(Outcome.PASS)
    if said is Outcome.SKIP:
        return _verdict(said, _last(text) or "it gives no reason", text, ended)
    return _verdict(said, f"exit {code}: {_last(text) or 'it printed nothing'}", text, ended)


def judge_kunit(
    text: str, splats: Sequence[Splat] | None = None, *, weigh: Weigh = crashes
) -> Verdict:
    """The KUnit tests of a boot, out of what the kernel printed.

    Args:
        text: the boot's console.
        splats: what the kernel reported, with their lines in it; None to look for it.
        weigh: what a report makes of a test.
    """
    log = parse(text)
    whose = blame(log, reports(log) if splats is None else splats)
    found = list(_leaves(log, whose, weigh))
    if not found:
        return Verdict(Outcome.SKIP, "no KUnit test ran while this kernel booted (CONFIG_KUNIT)")
    bad = [leaf for leaf in found if not leaf.verdict.outcome.good]
    crashed = [leaf for leaf in bad if leaf.verdict.outcome is Outcome.CRASH]
    detail = "\n".join(
        f"{' / '.join(x.test.path)}: {x.verdict.message}\n{x.test.diagnostics}" for x in bad
    )
    verdict = Verdict(Outcome.PASS, detail=f"{len(found)} tests")
    if bad:
        first = (crashed or bad)[0]
        did = f"crashed, {len(bad) - 1} more went wrong" if crashed and len(bad) > 1 else "crashed"
        if not crashed:
            did = f"failed and {len(bad) - 1} more" if len(bad) > 1 else "failed"
        why = first.verdict.message
        words = f"{first.test.name} {did}" + (f": {why}" if why != first.verdict.outcome else "")
        outcome = Outcome.CRASH if crashed else Outcome.FAIL
        verdict = Verdict(outcome, one_line(words), shorten_middle(detail, DETAIL_LIMIT))
    elif log.bailed:
        verdict = Verdict(Outcome.FAIL, one_line(log.bailed))
    if whose.after and not crashed:
        verdict = weigh(verdict, whose.after)
    return verdict


@dataclass(frozen=True)
class _Leaf:
    """A result that counts, with what the kernel reported while it ran; else None."""

    test: KtapResult
    verdict: Verdict
    parted: Parted | None


def _leaves(log: KtapLog, whose: Blame, weigh: Weigh) -> Iterator[_Leaf]:
    """The results that count, and what each comes to."""
    passed = Verdict(Outcome.PASS)
    own = {
        lines
        for lines, splats in whose.of.items()
        if weigh(passed, splats).outcome is not Outcome.PASS
    }
    console = Console(log) if whose.of else None
    for test in counted(log, own=own):
        outcome, reasons = _outcome(test), test.diagnostics
        place = PLACE.search(reasons) if not outcome.good else None
        verdict = Verdict(
            outcome,
            "" if outcome is Outcome.PASS else _reason(test),
            shorten_middle(reasons, DETAIL_LIMIT) if not outcome.good else "",
            file=place[1] if place else "",
            line=int(place[2]) if place else 0,
        )
        splats = whose.of.get(test.lines, ())
        if console and splats:
            yield _Leaf(test, weigh(verdict, splats), console.parted(test.lines, splats))
        else:
            yield _Leaf(test, verdict, None)


def _skip_reason(log: KtapLog, text: str) -> str:
    planned = SAYS_SKIP.search(text)
    if planned and planned[1].strip():
        return planned[1]
    reasons = Counter(r.reason or r.name for r in counted(log) if r.status == "skip")
    if reasons:
        return "; ".join(list(reasons)[:3])
    return _last(text) or "it gives no reason"


# LTP

LTP_FAIL, LTP_BROK, LTP_WARN, LTP_CONF = 1, 2, 4, 32
"""include/tst_res_flags.h: the exit code is these, or-ed."""
LTP_LINE = re.compile(
    r"^(?:(?P<file>[\w./+-]+\.\w+):(?P<line>\d+): |(?P<name>\S+)\s+\d+\s+)"
    r"(?P<kind>TPASS|TFAIL|TBROK|TCONF|TWARN)\s*:\s*(?P<what>.*)$"
)
"""``file.c:12: TFAIL: what`` of the new library, ``name 1 TFAIL: what`` of shell's, and of the old
one ``name    1  TFAIL  :  what``."""


def judge_ltp(ended: Ended) -> Verdict:  # noqa: PLR0911 - each way to end is one line
    """An LTP test: the bits of its exit code, and its result lines."""
    text = decode(ended.output)
    lines = [found for line in text.splitlines() if (found := LTP_LINE.match(line.strip()))]
    counts = Counter(found["kind"] for found in lines)
    bad = [found for found in lines if found["kind"] in ("TFAIL", "TBROK")]
    early = _died(ended, text, f"; before: {_ltp(bad[0])}" if bad else "")
    if early:
        return early
    code = os.WEXITSTATUS(ended.wait_status)
    counted = ", ".join(f"{count} {kind}" for kind, count in sorted(counts.items()))

    def verdict(outcome: Outcome, kind: str, otherwise: str) -> Verdict:
        first = next((found for found in lines if found["kind"] == kind), None)
        message = _ltp(first) if first else f"{otherwise} (exit {code})"
        made = _verdict(outcome, message, f"{text.rstrip()}\n{counted}", ended)
        if first and first["file"]:
            made = replace(made, file=first["file"], line=int(first["line"][:7]))
        return made

    if code & ~(LTP_FAIL | LTP_BROK | LTP_WARN | LTP_CONF):
        return verdict(Outcome.FAIL, "TFAIL", _last(text) or "not an exit code of LTP's")
    if code & LTP_BROK:
        return verdict(Outcome.FAIL, "TBROK", "broken")
    if code & LTP_FAIL:
        return verdict(Outcome.FAIL, "TFAIL", "failed")
    if code & LTP_WARN:
        return verdict(Outcome.FAIL, "TWARN", "warned")
    if bad:
        return verdict(Outcome.FAIL, bad[0]["kind"], "")
    if code & LTP_CONF:
        return verdict(Outcome.SKIP, "TCONF", _last(text) or "not for this configuration")
    if not counts["TPASS"] and counts["TCONF"]:
        return verdict(Outcome.SKIP, "TCONF", "")
    return Verdict(Outcome.PASS, detail=counted)


def _ltp(found: re.Match[str]) -> str:
    word = {"TBROK": "broken: ", "TWARN": "warning: "}.get(found["kind"], "")
    place = f" ({found['file']}:{found['line']})" if found["file"] else ""
    return f"{word}{found['what'].strip()}{place}"


# Subtests


def subtests(result: Result, *, weigh: Weigh = crashes) -> tuple[Result, ...]:
    """The subtests of a program that prints KTAP, as results of their own.

    Args:
        result: the program's; or of KUnit's tests, whose kernel prints the KTAP and its reports.
        weigh: what such a report makes of a test.
    """
    named: Counter[tuple[str, str]] = Counter()
    found = []
    kunit = result.case.startswith("kunit::")
    cut = bool(GAP.search(result.stdout))
    log = parse(result.stdout)
    for leaf in _leaves(log, blame(log, result.splats if kunit else ()), weigh):
        test, verdict, parted = leaf.test, leaf.verdict, leaf.parted
        if cut and test.ok is None:
            continue  # of what is missing nobody knows
        path = test.path
        # Of KUnit's tests the suite is the outermost name.
        group, rest = (path[0], path[1:]) if kunit and len(path) > 1 else (result.name, path)
        name = one_line(" / ".join(rest))
        named[group, name] += 1
        if named[group, name] > 1:
            name = f"{name} ({named[group, name]})"
        node = f"{result.case}::{group}::{name}" if group != result.name else ""
        found.append(
            replace(
                result,
                case=node or f"{result.case}::{name}",
                classname=f"{result.classname}.{UNCLASSED.sub('_', one_line(group))}",
                name=name,
                outcome=verdict.outcome,
                message=verdict.message,
                detail=verdict.detail,
                file=verdict.file or result.file,
                line=verdict.line,
                duration_s=test.duration_s or 0.0,
                user_s=0.0,
                system_s=0.0,
                maxrss_kib=0,
                stdout="",
                stderr="",
                console=parted.console if parted else "",
                splats=parted.splats if parted else (),
                attempts=(),
                evidence={},
                files={},
                parent=result.case,
            )
        )
    return tuple(found)


def _outcome(result: KtapResult) -> Outcome:
    return STATUS.get(result.status.lower(), Outcome.FAIL)


def _reason(leaf: KtapResult) -> str:
    """What a subtest says of itself: where a check failed, behind its directive, its last words."""
    lines = [line for line in leaf.diagnostics.splitlines() if line.strip(" #")]
    for number, line in enumerate(lines):
        if KUNIT_FAILED.search(line):
            # lib/kunit/assert.c: the place, and below it what was expected.
            below = [x.strip() for x in lines[number + 1 : number + 4] if x[:1].isspace()]
            return one_line(" ".join([line, *below]))
        if PLACE.search(line):
            return one_line(line)
    last = next((x for x in reversed(leaf.output.splitlines()) if x.strip()), "")
    return one_line(leaf.reason or (lines[0] if lines else last)) or _outcome(leaf).value


def _failed(bad: Sequence[KtapResult]) -> str:
    if not bad:
        return ""
    more = f" and {len(bad) - 1} more" if len(bad) > 1 else ""
    why = _reason(bad[0])
    return f"{bad[0].name} failed{more}" + (f": {why}" if why != _outcome(bad[0]).value else "")


# What all share


def _died(ended: Ended, text: str, before: str) -> Verdict | None:
    """The verdict on a program that did not end by itself, or None."""
    if ended.timed_out:
        words = f"no end after {ended.timeout_s:g} s{before}"
        return _verdict(Outcome.TIMEOUT, words, text, ended)
    if os.WIFSIGNALED(ended.wait_status):
        name = signal_name(os.WTERMSIG(ended.wait_status))
        return _verdict(Outcome.FAIL, f"killed by {name}{before}", text, ended)
    if not os.WIFEXITED(ended.wait_status):
        return _verdict(Outcome.ERROR, f"status {ended.wait_status:#x}", text, ended)
    return None


def _verdict(outcome: Outcome, message: str, text: str, ended: Ended) -> Verdict:
    detail = ""
    if not outcome.good:
        lines = [line for line in text.splitlines() if line.strip()]
        detail = "\n".join(lines[-SHOWN_LINES:])
        if ended.truncated:
            detail += "\n(the middle of its output is missing)"
    place = PLACE.search(message)
    return Verdict(
        *(outcome, one_line(message) or outcome.value, shorten_middle(detail, DETAIL_LIMIT)),
        file=place[1] if place else "",
        line=int(place[2]) if place else 0,
    )


def _last(text: str) -> str:
    """The last line with something in it."""
    lines = [line.strip().lstrip("#").strip() for line in text.splitlines()]
    return next((line for line in reversed(lines) if line and not line.startswith("Totals:")), "")
