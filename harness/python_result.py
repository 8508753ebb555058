# SPDX-License-Identifier: GPL-2.0-only
"""What became of a Python test, as a result like that of a C case."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from harness.cases.discover import classname
from harness.errors import GuestError, KernelError, KharnessError, QemuEndedError
from harness.guests import GuestDied, GuestHandle, TimedOut
from harness.guests.outcome import Death
from harness.judging import RESET_BY_SYSRQ, RESTARTED, Warn
from harness.kernels.kernel import Kernel
from harness.python_names import name_of_test, relative
from harness.run import Run
from harness.verdict.console import Severity, Splat, worst
from harness.verdict.outcome import HOST, Outcome, Result, Verdict
from harness.verdict.text import clean, one_line
from harness.verdict.weigh import with_expected


@dataclass(frozen=True)
class Phase:
    """Setup, call or teardown of a test: pytest's report, and what was raised."""

    report: pytest.TestReport
    error: BaseException | None


@dataclass(frozen=True)
class About:
    """A test.

    Attributes:
        run: the run that it is in.
        item: pytest's.
        kernel: what it ran on, None for a test without a guest.
        guests: that it had.
        console: what they printed.
    """

    run: Run
    item: pytest.Item
    kernel: Kernel | None
    guests: Sequence[GuestHandle]
    console: str


def warn_of(run: Run) -> Warn:
    """What a WARNING of the kernel makes of a test in this run."""
    return Warn(run.options.warn or run.settings.run.warn)


def python_result(about: About, phases: Sequence[Phase]) -> Result:
    """The result of a test.

    Args:
        about: the test.
        phases: of it, in order: setup, call unless setup failed, teardown.
    """
    guests = about.guests
    splats = tuple(splat for guest in guests for splat in guest.splats())
    bad = next((p for p in phases if not p.report.passed), None)
    main = bad or next((p for p in phases if p.report.when == "call"), phases[0])
    verdict = _verdict(bad, about.console) if bad else Verdict(Outcome.PASS)
    verdict = with_expected(_with_splats(verdict, splats, warn_of(about.run)), splats, ())
    called = [p.report for p in phases if p.report.when == "call"]
    report = called[0] if called else main.report
    file, line = _place(about, main if bad else None)
    cause = _cause(main.error, verdict.outcome)
    files = [guest.console_file for guest in guests if guest.console_file]
    folder = about.run.folder() if files else Path()
    return replace(
        _base(about),
        outcome=verdict.outcome,
        message=verdict.message,
        detail=verdict.detail,
        file=file,
        line=line,
        started=datetime.fromtimestamp(report.start)
        .astimezone()
        .isoformat(timespec="milliseconds"),
        duration_s=round(report.duration, 6),
        stdout=clean(main.report.capstdout),
        stderr=clean(main.report.capstderr),
        console=about.console,
        console_file=str(Path(files[0]).relative_to(folder)) if files else "",
        isolation=guests[0].isolation if guests else "",
        accel=guests[0].accel if guests else "",
        splats=splats,
        extra={"cause": cause} if cause else {},
        files={
            f"console {number}": str(Path(path).relative_to(folder))
            for number, path in enumerate(files[1:], start=2)
        },
    )


def _base(about: About) -> Result:
    item, kernel = about.item, about.kernel
    source = relative(item.path, about.run.options.start)
    name = name_of_test(item, kernel)
    inner = item.nodeid.partition("::")[2]
    chosen = name if "[" not in name else inner
    how = f" {kernel.options}--kernel {shlex.quote(kernel.spec)}" if kernel else ""
    *classes, short = name.partition("[")[0].split("::")
    return Result(
        case=f"{source}::{name}",
        classname=".".join([classname(item.path), *classes]),
        name=short + "".join(name.partition("[")[1:]),
        kernel=kernel.name if kernel else HOST,
        outcome=Outcome.ERROR,
        reproduce=f"kharness run{how} {shlex.quote(f'{source}::{chosen}')}",
        worker=about.run.options.worker or "main",
    )


def _verdict(phase: Phase, console: str) -> Verdict:
    """What a phase says that did not pass."""
    report, error = phase.report, phase.error
    reason = getattr(report, "wasxfail", None)
    if report.skipped:
        if reason is not None:
            # pytest.xfail("why") is "reason: why" there (_pytest/skipping.py).
            words = one_line(reason).removeprefix("reason: ")
            return Verdict(Outcome.XFAIL, words or "expected to fail")
        return Verdict(Outcome.SKIP, _skip_reason(report))
    detail = clean(report.longreprtext)
    message = _first_line(report, error)
    if "[XPASS(strict)]" in detail:
        outcome = Outcome.XPASS
    elif isinstance(error, GuestDied):
        outcome = _of_death(error.death, console)
    elif isinstance(error, TimedOut):
        outcome = Outcome.TIMEOUT
    elif report.when != "call" or isinstance(error, KharnessError):
        outcome = Outcome.ERROR
    else:
        outcome = Outcome.FAIL
    return Verdict(outcome, message, detail)


def _of_death(death: Death, console: str) -> Outcome:
    """As for C cases: a reset that nobody announced is the kernel's, one that was asked for not."""
    if death is Death.ENDED:
        asked = RESTARTED.search(console) or RESET_BY_SYSRQ.search(console)
        return Outcome.FAIL if asked else Outcome.CRASH
    return {
        Death.REPORT: Outcome.CRASH,
        Death.KNOWN: Outcome.CRASH,  # where a test can pass, it never came here
        Death.HANGS: Outcome.TIMEOUT,
        Death.QEMU: Outcome.ERROR,
    }.get(death, Outcome.FAIL)


def _cause(error: BaseException | None, outcome: Outcome) -> str:
    """``kernel`` when it does not come up, ``guest`` when a guest was lost without a word of it."""
    if isinstance(error, KernelError):
        return "kernel"
    if outcome not in (Outcome.ERROR, Outcome.TIMEOUT):
        return ""
    if isinstance(error, GuestDied):
        return "guest" if error.death in (Death.QEMU, Death.HANGS) else ""
    return "guest" if isinstance(error, (GuestError, QemuEndedError)) else ""


def _with_splats(verdict: Verdict, splats: Sequence[Splat], warn: Warn) -> Verdict:
    """A report that nobody asked for counts more than what the test says."""
    found = [s for s in splats if not s.expected]
    if not found or verdict.outcome is Outcome.XFAIL:
        return verdict
    root = worst(found) or found[0]
    mere = root.severity is Severity.WARNING
    if mere and warn is Warn.IGNORE:
        return verdict
    title = one_line(root.title)
    outcome = Outcome.FAIL if mere and warn is Warn.FAIL else Outcome.CRASH
    if outcome is Outcome.FAIL and not verdict.outcome.good:
        return replace(verdict, detail=f"{verdict.detail}\nbeside it: {title}".strip())
    return Verdict(outcome, title, verdict.detail)


def _first_line(report: pytest.TestReport, error: BaseException | None) -> str:
    """What a person reads first: ``assert 3 == 4``, or the error and what it says."""
    text = str(error) if error is not None else report.longreprtext
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    first = one_line(lines[0]) if lines else ""
    if error is None or isinstance(error, (AssertionError, KharnessError, TimedOut)):
        return first or (type(error).__name__ if error is not None else "it failed")
    if isinstance(error, pytest.fail.Exception):
        return first or "it failed"
    return f"{type(error).__name__}: {first}" if first else type(error).__name__


def _skip_reason(report: pytest.TestReport) -> str:
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longreprtext
    return one_line(str(reason).removeprefix("Skipped: ")) or "it skipped itself"


def _place(about: About, phase: Phase | None) -> tuple[str, int]:
    """File and line of the failed assertion, else of the test."""
    crash: Any = getattr(phase.report.longrepr, "reprcrash", None) if phase else None
    # What fails without a traceback fails in our code, or somewhere that is not to be shown.
    silent = phase and isinstance(phase.error, pytest.fail.Exception) and not phase.error.pytrace
    if crash is not None and phase is not None and phase.report.failed and not silent:
        return relative(Path(crash.path), about.run.options.start), crash.lineno
    _, line, _ = about.item.reportinfo()
    return relative(about.item.path, about.run.options.start), (line or 0) + 1


def lost_result(key: tuple[str, str], words: str, run: Run) -> Result:
    """The result of a test whose xdist worker died.

    Args:
        key: node id without the kernel, and the kernel's name.
        words: xdist's.
        run: the run.
    """
    case, kernel = key
    source, _, name = case.partition("::")
    *classes, short = name.partition("[")[0].split("::")
    specs = [
        f" {k.options}--kernel {shlex.quote(k.spec)}" for k in run.kernels() if k.name == kernel
    ]
    node = f"{source}::{name.partition('[')[0]}"
    return Result(
        case=case,
        classname=".".join([classname(run.options.start / source), *classes]),
        name=short + "".join(name.partition("[")[1:]),
        kernel=kernel,
        outcome=Outcome.ERROR,
        message="the worker that ran this test died",
        detail=clean(words),
        file=source,
        reproduce=f"kharness run{''.join(specs)} {shlex.quote(node)}",
    )
