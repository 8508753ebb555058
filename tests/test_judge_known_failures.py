# SPDX-License-Identifier: GPL-2.0-only
"""Known failures: what an entry is about, what it makes of a result, when it is out of date."""

from datetime import date
from pathlib import Path

import pytest
from junitparser import JUnitXml

from harness.config import load_settings
from harness.errors import UsageError
from harness.verdict.known_failures import (
    KernelPattern,
    KnownFailure,
    in_the_light_of,
    known_failure_of,
    notes_on,
)
from harness.verdict.outcome import HOST, Outcome, Result
from tests.judging import by_name, journal_of, kharness, make_project

TODAY = date(2026, 6, 15)
NODE, KERNEL, VERSION = "cases/pidfd/open.c::rejects_zero", "debian-6.12", (6, 12, 117)


@pytest.mark.parametrize(
    ("text", "covers"),
    [
        (">=6.1,<6.12", False),
        (">=6.1,<=6.12", True),
        ("<6.12.118", True),
        (">6.12", False),
        ("==6", True),
        ("6.12", True),
        ("!=6.12", False),
        ("debian-*", True),
        ("debian-6.1", False),
    ],
)
def test_a_kernel_is_meant_by_range_or_by_name(text: str, covers: bool) -> None:
    assert KernelPattern(text).covers(KERNEL, VERSION) is covers


@pytest.mark.parametrize("text", ["", " ", ">=6.x", ">=6.1 <7", "<", ">=6.1,", ">=1.2.3.4"])
def test_what_is_no_range(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        KernelPattern(text)


def entry(**more: object) -> KnownFailure:
    values = {"case": "rejects_*", "outcomes": (Outcome.FAIL,), "reason": "known"}
    return KnownFailure(**{**values, **more})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("pattern", "covers"),
    [
        ("rejects_*", True),
        ("cases/pidfd/*::rejects_zero", True),
        ("*", True),
        ("rejects", False),
        ("cases/pidfd/poll.c::*", False),
    ],
)
def test_a_case_is_meant_by_node_id_or_name(pattern: str, covers: bool) -> None:
    assert entry(case=pattern).covers(NODE, KERNEL, VERSION) is covers


def test_the_last_day_counts_and_the_next_does_not() -> None:
    last = entry(until=TODAY)
    assert known_failure_of([last], NODE, KERNEL, VERSION, TODAY) is last
    assert known_failure_of([last], NODE, KERNEL, VERSION, date(2026, 6, 16)) is None


@pytest.mark.parametrize(
    ("outcome", "expected", "becomes"),
    [
        ("fail", "fail", "xfail"),
        ("crash", "crash", "xfail"),
        ("skip", "skip", "xfail"),
        ("pass", "fail", "xpass"),
        ("pass", "skip", "xpass"),
        ("crash", "fail", "crash"),
        ("timeout", "fail", "timeout"),
        ("error", "fail", "error"),
        ("skip", "fail", "skip"),
        ("flaky", "fail", "flaky"),
        ("pass", "flaky", "pass"),
        ("fail", "flaky", "xfail"),
        ("crash", "flaky", "xfail"),
        ("error", "flaky", "error"),
    ],
)
def test_what_becomes_of_a_result(outcome: str, expected: str, becomes: str) -> None:
    result = Result(NODE, "pidfd.open", "rejects_zero", KERNEL, Outcome(outcome), "words")
    got = in_the_light_of(entry(outcomes=(Outcome(expected),)), result)
    assert got.outcome == becomes
    if becomes == "xfail":
        assert got.message == "expected: known"
        assert got.detail.startswith(f"{outcome}: words")


@pytest.mark.parametrize(
    ("pattern", "node", "covers"),
    [
        ("test_x[1]", "cases/test_a.py::test_x[1]", True),
        ("cases/test_a.py::test_x[1]", "cases/test_a.py::test_x[1]", True),
        ("test_x[1]", "cases/test_a.py::test_x[2]", False),
        ("test_x*", "cases/test_a.py::TestA::test_x[2]", True),
        ("cases/test_a.py::TestA::*", "cases/test_a.py::TestA::test_x", True),
    ],
)
def test_the_parameters_of_a_python_test_are_no_pattern(
    pattern: str, node: str, covers: bool
) -> None:
    assert entry(case=pattern).covers(node, KERNEL, VERSION) is covers


@pytest.mark.parametrize(("kernel", "covers"), [("<6", False), ("host", True), ("debian-*", False)])
def test_a_test_without_a_guest_is_in_no_range_of_kernels(kernel: str, covers: bool) -> None:
    assert entry(case="*", kernel=KernelPattern(kernel)).covers(NODE, HOST, ()) is covers


def test_the_link_is_shown() -> None:
    result = Result(NODE, "pidfd.open", "rejects_zero", KERNEL, Outcome.FAIL, "words")
    got = in_the_light_of(entry(link="https://lore.example/x"), result)
    assert got.message == "expected: known (https://lore.example/x)"


def test_an_entry_that_matches_nothing_is_told_of_only_when_all_was_looked_at() -> None:
    entries = [entry(), entry(case="gone_*", kernel=KernelPattern("<6"))]
    for whole, notes in (
        (True, ["[[expect]] 'gone_*' on <6 matches no case (known)"]),
        (False, []),
    ):
        got = notes_on(entries, [(NODE, KERNEL)], {KERNEL: VERSION}, TODAY, whole=whole)
        assert got == notes


def test_an_entry_whose_time_is_over_is_told_of() -> None:
    old = entry(until=date(2026, 1, 1))
    (note,) = notes_on([old], [(NODE, KERNEL)], {KERNEL: VERSION}, TODAY, whole=False)
    assert "expired on 2026-01-01" in note


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        ('case = "x"', "expect.0.reason"),
        ('case = "x"\nreason = ""', "expect.0.reason"),
        ('case = "x"\nreasn = "y"', "expect.0.reason"),
        ('case = "x"\nreason = "y"\nkernel = ">=6.x"', "'>=6.x' is no range of kernel versions"),
        (
            'case = "x"\nreason = "y"\noutcome = "pass"',
            "fail, crash, timeout, error, skip or flaky",
        ),
        ('case = "x"\nreason = "y"\noutcome = "boom"', "expect.0.outcome"),
        ('case = "x"\nreason = "y"\nuntil = "soon"', "expect.0.until"),
    ],
)
def test_a_wrong_entry_is_one_line(tmp_path: Path, lines: str, says: str) -> None:
    (tmp_path / "harness.toml").write_text(f"[[expect]]\n{lines}\n")
    with pytest.raises(UsageError) as caught:
        load_settings(None, tmp_path)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


CASES = """
TEST(fails) { EXPECT_EQ(1, 2); }
TEST(passes) { EXPECT_EQ(1, 1); }
TEST(other) { EXPECT_EQ(1, 1); }
"""
KNOWN = """
[[expect]]
case = "fails"
reason = "fixed in the next release"
link = "https://bugs.example/1"
[[expect]]
case = "cases/a.c::passes"
kernel = ">=6.1"
reason = "was fixed meanwhile"
[[expect]]
case = "renamed"
reason = "nobody knows"
"""


@pytest.mark.guest
def test_expectations_are_in_every_report(tmp_path: Path) -> None:
    project = make_project(tmp_path / "p", CASES, KNOWN)
    done = kharness(project, "run", "--run-dir", "run")
    got = by_name(project / "run")
    assert {n: r.outcome for n, r in got.items()} == {
        "fails": Outcome.XFAIL,
        "passes": Outcome.XPASS,
        "other": Outcome.PASS,
    }
    assert done.returncode == 1
    note = "[[expect]] 'renamed' matches no case (nobody knows)"
    assert note in done.stdout
    assert note in journal_of(project / "run").notes
    assert "https://bugs.example/1" in done.stdout
    (suite,) = JUnitXml.fromfile(str(project / "run" / "junit.xml"))
    kinds = {case.name: [type(r).__name__ for r in case.result] for case in suite}
    assert kinds == {"fails": ["Skipped"], "passes": ["Failure"], "other": []}
    (words,) = [r.message for case in suite for r in case.result if case.name == "fails"]
    assert words == "expected to fail: fixed in the next release (https://bugs.example/1)"
    only = kharness(project, "run", "cases/a.c::fails", "--run-dir", "only", "--rerun", "5")
    assert only.returncode == 0
    assert "matches no case" not in only.stdout
    assert by_name(project / "only")["fails"].attempts == ()
