# SPDX-License-Identifier: GPL-2.0-only
"""KUnit tests that are built into a kernel: they run while it boots, and its log has the results.

Source of the format: Documentation/dev-tools/kunit/run_manual.rst, and ktap.rst.
"""

from dataclasses import replace
from functools import partial
from pathlib import Path

from harness.cases.case import Case, CaseKind, Needs
from harness.judging import Rules, weighed
from harness.verdict.expected import apply_expectations
from harness.verdict.ktap import parse
from harness.verdict.ktap_blame import blame, reports
from harness.verdict.outcome import Result
from harness.verdict.suites import judge_kunit
from harness.verdict.text import decode

KUNIT = Case(
    source=Path("boot"),
    name="boot",
    line=0,
    program=None,
    needs=Needs(),
    timeout_s=None,
    description="KUnit tests of the boot",
    promised="",
    slow=False,
    classname="kunit",
    kind=CaseKind.KUNIT,
    place="kunit::boot",
)
"""Stands for all KUnit tests of one boot; each of them is a result of its own."""


def kunit_result(
    base: Result, log: bytes, console_file: str, *, release: str, rules: Rules
) -> Result:
    """What the KUnit tests of a boot came to.

    Args:
        base: what is known before.
        log: what the kernel printed while it booted.
        console_file: the same as a file of the run folder.
        release: the kernel's, ``6.12.117``.
        rules: how what the kernel reported is judged.
    """
    text = decode(log)
    read = parse(text)
    splats, _ = apply_expectations(reports(read), rules.expect, release)
    whose = blame(read, splats)
    splats = tuple(splat for splat in splats if splat not in whose.before)
    verdict = judge_kunit(text, splats, weigh=partial(weighed, rules=rules))
    return replace(
        base,
        outcome=verdict.outcome,
        message=verdict.message,
        detail=verdict.detail,
        stdout=text,
        file=verdict.file or base.file,
        line=verdict.line,
        console_file=console_file,
        splats=splats if read.found else (),
    )
