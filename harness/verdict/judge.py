# SPDX-License-Identifier: GPL-2.0-only
"""What became of a case, from what it printed and how it ended: a pass is what is left at last."""

import os
import signal

from harness.verdict.kcase import (
    TestLine,
    parse_diagnostics,
    parse_failures,
    parse_results,
)
from harness.verdict.outcome import Outcome, Verdict
from harness.verdict.text import decode, one_line, shorten_middle

DETAIL_LIMIT = 16 * 1024
EXIT_CODES = {0: "pass", 1: "fail", 2: "xfail", 3: "xpass", 4: "skip"}
"""tools/testing/selftests/kselftest.h, KSFT_*."""


def judge(  # noqa: PLR0911 - each way to end is one line
    *,
    name: str,
    stdout: bytes,
    stderr: bytes,
    wait_status: int,
    killed_by_timeout: bool,
    timeout_s: float,
    truncated: bool,
) -> Verdict:
    """Judges one case.

    Exit code and KTAP must agree; where they do not, nobody knows what happened, and that is an
    error. Exactly one result line, of the case that was asked for, is accepted.

    Args:
        name: the case that was asked for.
        stdout: its standard output.
        stderr: its standard error.
        wait_status: of its process, as wait(2) gives it.
        killed_by_timeout: it was killed because its time was up.
        timeout_s: its time limit in seconds.
        truncated: the middle of its output is missing.
    """
    text = decode(stdout)
    failures = parse_failures(text)
    file, line = (failures[0].file, failures[0].line) if failures else ("", 0)
    detail = _detail(text, stderr, truncated=truncated)

    def verdict(outcome: Outcome, message: str) -> Verdict:
        return Verdict(outcome, one_line(message) or outcome.value, detail, file, line)

    if killed_by_timeout:
        done = f"; before: {failures[0].message}" if failures else ""
        return verdict(Outcome.TIMEOUT, f"no end after {timeout_s:g} s{done}")
    if os.WIFSIGNALED(wait_status):
        number = os.WTERMSIG(wait_status)
        return verdict(Outcome.FAIL, f"its program was killed by {signal_name(number)}")
    if not os.WIFEXITED(wait_status):
        return verdict(Outcome.ERROR, f"its program ended with the status {wait_status:#x}")
    code = os.WEXITSTATUS(wait_status)
    results = parse_results(text)
    if len(results) != 1:
        said = "no result" if not results else f"{len(results)} results instead of one"
        return verdict(Outcome.ERROR, f"it printed {said} (exit {code})")
    result = results[0]
    if result.name != name:
        return verdict(Outcome.ERROR, f"it reported a case that was not asked for: {result.name}")
    said = _said(result)
    if EXIT_CODES.get(code) != said:
        means = EXIT_CODES.get(code, "nothing")
        return verdict(Outcome.ERROR, f"it says {said}, but exit {code} means {means}")
    if said == "fail":
        why = failures[0].message if failures else _last_diagnostic(text)
        return verdict(Outcome.FAIL, why or "it says so without a reason")
    if said == "skip":
        return verdict(Outcome.SKIP, result.reason or "it gives no reason")
    if said == "xfail":
        return verdict(Outcome.XFAIL, result.reason or "expected to fail")
    if said != "pass" or not result.ok or code != 0 or result.directive:
        return verdict(Outcome.ERROR, f"it says {said}")
    if failures:
        return verdict(Outcome.FAIL, f"it says ok, but: {failures[0].message}")
    return Verdict(Outcome.PASS)


def _said(result: TestLine) -> str:
    """A SKIP is one whether it says ok or not (ktap.rst, "Test case result lines")."""
    if result.directive == "SKIP":
        return "skip"
    if result.directive in ("XFAIL", "TODO"):
        return "xpass" if result.ok and result.directive == "TODO" else "xfail"
    return "pass" if result.ok and not result.directive else "fail"


def signal_name(number: int) -> str:
    """``SIGSEGV`` for 11."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _last_diagnostic(text: str) -> str:
    lines = [line for line in parse_diagnostics(text).splitlines() if line.strip()]
    return lines[-1] if lines else ""


def _detail(text: str, stderr: bytes, *, truncated: bool) -> str:
    parts = [parse_diagnostics(text), decode(stderr).strip()]
    if truncated:
        parts.append("(the middle of its output is missing)")
    return shorten_middle("\n".join(part for part in parts if part), DETAIL_LIMIT)
