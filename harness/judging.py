# SPDX-License-Identifier: GPL-2.0-only
"""What became of a case: from what its guest reported and what its console printed."""

import errno
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from harness.attempt import Trial
from harness.cases.case import Abi, Case, CaseKind
from harness.cases.needs import config_unknown
from harness.kernels.kernel import Kernel
from harness.verdict.console import Severity, Splat, find_splats, worst
from harness.verdict.expected import Expectation, apply_expectations, of_case
from harness.verdict.judge import judge
from harness.verdict.outcome import Outcome, Result, Verdict
from harness.verdict.suites import Ended, judge_kselftest, judge_ltp, judge_program
from harness.verdict.taint import WARNED, taint_words, troubling
from harness.verdict.text import decode
from harness.verdict.weigh import ended_as_said, with_expected
from harness.vm.agent import AgentRefusal, RunReport
from harness.vm.diagnose import Diagnosis, Hang

SUITES = {
    CaseKind.KSELFTEST: judge_kselftest,
    CaseKind.LTP: judge_ltp,
    CaseKind.PROGRAM: judge_program,
}
MARK = re.compile(r"^[^\n]*kharness: end of job \d+[^\n]*\n?", re.M)
"""From a line's start only, or a line without the words is read from each of its characters on."""
RESTARTED = re.compile(r"reboot: (?:Restarting system|machine restart|Power down|System halted)")
"""kernel/reboot.c; what a kernel says that is asked to end, and a broken one does not."""
NO_WORD = (Outcome.ERROR, Outcome.TIMEOUT, Outcome.CRASH)
"""What a case comes to that did not live to tell its own result."""
RESET_BY_SYSRQ = re.compile(r"sysrq: Resetting")


class Warn(StrEnum):
    """What a WARNING of the kernel makes of a case."""

    CRASH = "crash"
    FAIL = "fail"
    IGNORE = "ignore"


@dataclass(frozen=True)
class Rules:
    """How a case is judged.

    Attributes:
        timeout_s: its time limit in seconds.
        warn: see :class:`Warn`.
        expect: splats that harness.toml knows of.
    """

    timeout_s: float
    warn: Warn = Warn.CRASH
    expect: tuple[Expectation, ...] = ()


def judged(case: Case, base: Result, trial: Trial, *, kernel: Kernel, rules: Rules) -> Result:
    """The result of a case.

    Args:
        case: which.
        base: what is known of it before.
        trial: what the attempt brought.
        kernel: what it ran on.
        rules: how it is judged.
    """
    attempt = trial.report
    text = MARK.sub("", decode(trial.printed))
    expectations = (*of_case(case.needs.expect_splat), *rules.expect)
    found, missing = apply_expectations(find_splats(text), expectations, kernel.release)
    splats = [s for s in found if s.severity is not Severity.INFO and not s.expected]
    base = replace(base, stdout=decode(trial.said[0]), stderr=decode(trial.said[1]))
    if isinstance(attempt, RunReport):
        verdict = _said(case, attempt, rules.timeout_s)
        base = replace(
            base,
            user_s=attempt.exited.user_s,
            system_s=attempt.exited.system_s,
            maxrss_kib=attempt.exited.maxrss_kib,
        )
    elif isinstance(attempt, AgentRefusal):
        verdict = _refused(attempt, case)
    elif splats and not trial.diagnosis:
        verdict = Verdict(Outcome.ERROR, "it had not ended")
    else:
        verdict = _lost(attempt, trial, text, rules)
    if not splats and verdict.outcome in NO_WORD and ended_as_said(found):
        # Whoever says that an oops or a panic comes cannot be there to say that it came.
        verdict, trial = Verdict(Outcome.PASS), replace(trial, diagnosis=None)
    if trial.diagnosis:
        verdict = _hung(verdict, trial.diagnosis, rules)
        base = replace(base, extra={**base.extra, "hang": trial.diagnosis.hang.value})
    verdict = _undecided(_promised(verdict, case, kernel), case, kernel)
    if splats:
        verdict = _with_splats(splats, verdict, rules)
        if not trial.turned_to:
            # Nothing had run yet in a guest that is like all others: it has a second one.
            base = replace(base, extra={**base.extra, "cause": "before the case"})
    elif isinstance(attempt, RunReport) and not any(s.expected for s in found):
        verdict = _tainted(attempt.exited.new_taint, verdict, rules)
    verdict = with_expected(verdict, found, missing)
    if trial.no_dump:
        base = replace(base, extra={**base.extra, "dump": f"not taken: {trial.no_dump}"})
    return replace(
        base,
        outcome=verdict.outcome,
        message=verdict.message,
        detail=verdict.detail,
        # What a suite of others prints of a file is all that is known of it.
        file=verdict.file if "/" in verdict.file or (case.call and verdict.file) else base.file,
        line=verdict.line or base.line,
        splats=found,
        console=text,
        evidence={**base.evidence, **trial.evidence},
    )


def _said(case: Case, report: RunReport, timeout_s: float) -> Verdict:
    """What a case says, by the conventions of whose it is."""
    if case.kind in SUITES:
        return SUITES[case.kind](
            Ended(
                *(report.stdout, report.exited.status, report.timed_out, timeout_s),
                report.truncated,
            )
        )
    return judge(
        name=case.name,
        stdout=report.stdout,
        stderr=report.stderr,
        wait_status=report.exited.status,
        killed_by_timeout=report.timed_out,
        timeout_s=timeout_s,
        truncated=report.truncated,
    )


def _promised(verdict: Verdict, case: Case, kernel: Kernel) -> Verdict:
    """A skip for want of what the kernel's recipe says it provides is a failure."""
    if verdict.outcome is Outcome.SKIP:
        for probe, _ in case.needs.probes:
            if probe in kernel.provides and re.match(
                rf"needs {re.escape(probe)}\b", verdict.message
            ):
                message = f"{kernel.spec} provides {probe}, and the kernel says no to it"
                return replace(verdict, outcome=Outcome.FAIL, message=message)
    return verdict


def _undecided(verdict: Verdict, case: Case, kernel: Kernel) -> Verdict:
    """A case that asks for options, on a kernel of which nobody knows them: it may lack them."""
    if verdict.outcome is not Outcome.FAIL or kernel.config.known or not case.needs.config:
        return verdict
    options = ", ".join(case.needs.options)
    hint = f"perhaps without {options}, which it needs: {config_unknown(kernel)}"
    return replace(verdict, detail=f"{hint}\n{verdict.detail}".strip())


def _refused(refusal: AgentRefusal, case: Case) -> Verdict:
    """A kernel may have been told at boot to run no 32-bit programs (ia32_emulation=off)."""
    if case.abi is Abi.COMPAT32 and os.strerror(errno.ENOEXEC) in str(refusal):
        return Verdict(Outcome.SKIP, f"this kernel runs no {case.abi.value} programs")
    return Verdict(Outcome.ERROR, f"the case did not start: {refusal}")


def _lost(error: Exception, trial: Trial, text: str, rules: Rules) -> Verdict:
    """A guest that was lost, where its console has no report that says why."""
    if trial.diagnosis or "does not answer" in str(error):
        message = f"no end after {rules.timeout_s:g} s"
        return Verdict(Outcome.TIMEOUT, f"{message}{'' if trial.diagnosis else ': no answer'}")
    if "broke the protocol" in str(error):
        return Verdict(Outcome.ERROR, str(error), "its agent, or the kernel below it, is broken")
    if trial.end_reason:
        off = trial.end_reason == "guest-shutdown"
        if RESTARTED.search(text) or RESET_BY_SYSRQ.search(text):
            return Verdict(
                Outcome.FAIL, f"the case {'switched the guest off' if off else 'reset the guest'}"
            )
        did = "switched itself off" if off else "reset itself"
        return Verdict(
            Outcome.CRASH,
            f"the kernel {did} without a report in the console",
            "a triple fault, or a reset that nobody announced",
        )
    how = f" (QEMU: {trial.exit_words})" if trial.exit_words else ""
    return Verdict(Outcome.ERROR, f"the guest was lost without a word in its console: {error}{how}")


def _hung(verdict: Verdict, diagnosis: Diagnosis, rules: Rules) -> Verdict:
    if diagnosis.hang is Hang.DEAD:
        detail = diagnosis.evidence.get("qemu", "")
        return replace(verdict, outcome=Outcome.ERROR, message="dead QEMU", detail=detail)
    start = f"no end after {rules.timeout_s:g} s"
    rest = verdict.message.removeprefix(start)
    detail = f"{diagnosis.evidence.get('summary', '')}\n{verdict.detail}".strip()
    return replace(verdict, message=f"{start}: {diagnosis.words}{rest}", detail=detail)


def weighed(verdict: Verdict, splats: Sequence[Splat], rules: Rules) -> Verdict:
    """What a test comes to while which the kernel reported something."""
    counted = [s for s in splats if s.severity is not Severity.INFO and not s.expected]
    return _with_splats(counted, verdict, rules) if counted else verdict


def _with_splats(splats: list[Splat], verdict: Verdict, rules: Rules) -> Verdict:
    """The kernel reported something: the root of it counts, and a mere warning only alone."""
    root = worst(splats) or splats[0]
    if root.severity is not Severity.WARNING:
        return _crashed(root.title, verdict)
    return _warned(root.title, verdict, rules)


def _tainted(bits: int, verdict: Verdict, rules: Rules) -> Verdict:
    """The kernel remembers trouble that its console does not show."""
    bits = troubling(bits)
    if not bits:
        return verdict
    title = f"kernel tainted: {taint_words(bits)}, without a report in the console"
    return _warned(title, verdict, rules) if bits == WARNED else _crashed(title, verdict)


def _warned(title: str, verdict: Verdict, rules: Rules) -> Verdict:
    if rules.warn is Warn.CRASH:
        return _crashed(title, verdict)
    if rules.warn is Warn.FAIL and verdict.outcome.good:
        return replace(_crashed(title, verdict), outcome=Outcome.FAIL)
    return replace(verdict, detail=f"{verdict.detail}\nbeside it: {title}".strip())


def _crashed(title: str, verdict: Verdict) -> Verdict:
    said = verdict.message or "it reported a pass"
    detail = f"beside it: {verdict.outcome.value}: {said}\n{verdict.detail}".strip()
    return replace(verdict, outcome=Outcome.CRASH, message=title, detail=detail)
