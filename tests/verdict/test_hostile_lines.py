# SPDX-License-Identifier: GPL-2.0-only
"""Lines that take long to say no to: a guest prints what it likes, and no reader waits for it.

No time is measured. A reader that takes the square of a line's length, or worse, uses up the CPU
seconds that a test has here, of which it needs a small part.
"""

import re
import signal
from collections.abc import Iterator
from pathlib import Path
from types import FrameType, ModuleType

import pytest

from harness.attempt import Trial
from harness.cases.case import Case, Needs
from harness.errors import GuestError
from harness.judging import Rules, judged
from harness.kernels.kernel import Arch, Kconfig, Kernel
from harness.verdict import blame, printk, report_lines, trace
from harness.verdict.console import find_splats
from harness.verdict.outcome import Outcome, Result
from harness.verdict.splats import TABLE, Row
from tests.verdict.patterns import nearly_matching

CPU_S = 10.0
CAPTURE = 256 * 1024
"""Bytes of a console that are kept of a case."""
LINE = printk.LONGEST
HEAD = "[   12.000001] "
WARN = (Path(__file__).parent / "logs" / "warning-6.19.log").read_text().partition("\n\n")[2]


@pytest.fixture(autouse=True)
def cpu_seconds() -> Iterator[None]:
    def over(number: int, frame: FrameType | None) -> None:
        raise AssertionError(f"{CPU_S:g} s of CPU time are over")

    before = signal.signal(signal.SIGVTALRM, over)
    signal.setitimer(signal.ITIMER_VIRTUAL, CPU_S)
    yield
    signal.setitimer(signal.ITIMER_VIRTUAL, 0)
    signal.signal(signal.SIGVTALRM, before)


def filled(unit: str, size: int) -> str:
    return unit * (size // len(unit))


def in_a_report(line: str) -> str:
    """As often as a console has room for it, in a report each."""
    report = WARN.replace("[    3.210006]", f"[    3.210005] {line}\n[    3.210006]")
    assert report != WARN
    return report * (CAPTURE // len(report))


TEXTS = {
    "prefixes": f"{HEAD}BUG: foo\n{filled('Feb .kernel:', LINE - 50)}x [   13.000000] y",
    "short prefixes": f"{filled('Feb .kernel:', 250)}x [   13.000000] BUG: foo\n" * 200,
    "prefixes with times": f"{HEAD}BUG: foo\n" + filled("[1.0] kernel: ", CAPTURE),
    "blanks in a machine check": f"{HEAD}MCE: CPU0: machine check (Fatal){filled(' ', LINE - 60)}x",
    "names in a count": f"{HEAD}note: {filled('a', LINE - 50)}with preempt_count 1\n",
    "carriage returns": f"{filled(chr(13), CAPTURE)}x\n{HEAD}BUG: foo\n",
    "dots": f"{HEAD}BUG: foo{filled('.', CAPTURE)}\n",
    "times": f"{HEAD}BUG: foo\n{filled('x[1.0]', CAPTURE)}\n",
    "brackets": f"{HEAD}BUG: foo\n{filled('[ ', CAPTURE)}\n",
    "pointers": in_a_report(filled("RET ", LINE // 2) + filled("a", LINE // 2 - 20)),
    "heads": in_a_report("A" + filled("(", LINE - 20)),
}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_a_console_is_read(text: str) -> None:
    find_splats(text)


@pytest.mark.parametrize("unit", [b".", b"\0", b"\r", b"kharness: end of job x", b"\xff"])
def test_a_case_is_judged_whatever_its_console_has(unit: bytes, tmp_path: Path) -> None:
    kernel = Kernel(
        *("k", "k", tmp_path, tmp_path, "6.12.1", (6, 12, 1), Arch.X86_64, Kconfig({}), "0")
    )
    case = Case(Path("a.c"), "a", 1, None, Needs(), None, "", "", False, "a")
    printed = unit * (CAPTURE // len(unit)) + b"\nx kharness: end of job 7 y\nthe end\n"
    result = judged(
        case,
        Result("a.c::a", "a", "a", "k", Outcome.ERROR),
        Trial(GuestError("gone"), printed),
        kernel=kernel,
        rules=Rules(timeout_s=1),
    )
    assert result.console.endswith("\nthe end\n")
    assert "end of job 7" not in result.console


@pytest.mark.parametrize("row", TABLE, ids=lambda row: f"{row.kind}: {row.needle.strip()}")
def test_a_line_that_is_nearly_a_header(row: Row) -> None:
    pattern = row.pattern
    for line in nearly_matching(pattern, LINE // 2):
        pattern.match(line)


def patterns_of(module: ModuleType) -> Iterator[tuple[str, re.Pattern[str]]]:
    for name, value in vars(module).items():
        several = value if isinstance(value, tuple) else (value,)
        flat = [part for one in several for part in (one if isinstance(one, tuple) else (one,))]
        yield from ((f"{name}: {p.pattern[:30]}", p) for p in flat if isinstance(p, re.Pattern))


PATTERNS = dict(item for m in (printk, trace, blame, report_lines) for item in patterns_of(m))


@pytest.mark.parametrize("pattern", PATTERNS.values(), ids=PATTERNS)
def test_a_line_that_is_nearly_of_a_report(pattern: re.Pattern[str]) -> None:
    for line in nearly_matching(pattern, LINE // 2):
        pattern.match(line)
