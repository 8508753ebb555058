# SPDX-License-Identifier: GPL-2.0-only
"""What programs of others print and end with, and what that makes of them."""

from dataclasses import replace

import pytest

from harness.verdict.outcome import Outcome, Result
from harness.verdict.suites import (
    Ended,
    judge_kselftest,
    judge_kunit,
    judge_ltp,
    judge_program,
    subtests,
)

HARNESS = """\
TAP version 13
1..3
# Starting 3 tests from 1 test cases.
#  RUN           global.one ...
#            OK  global.one
ok 1 global.one
#  RUN           global.two ...
# pidfd_wait.c:63:two:Expected 1 (1) == 2 (2)
# two: Test failed
#          FAIL  global.two
not ok 2 global.two
#  RUN           global.three ...
#      SKIP      no support
#            OK  global.three
ok 3 global.three # SKIP no support
# FAILED: 2 / 3 tests passed.
# Totals: pass:1 fail:1 xfail:0 xpass:0 skip:1 error:0
"""


def ended(output: str, code: int = 0, *, signal: int = 0, timed_out: bool = False) -> Ended:
    return Ended(output.encode(), signal or code << 8, timed_out, 45.0, truncated=False)


@pytest.mark.parametrize(
    ("output", "code", "outcome", "message"),
    [
        ("", 0, Outcome.PASS, ""),
        ("", 1, Outcome.FAIL, "exit 1: it printed nothing"),
        ("last words", 1, Outcome.FAIL, "exit 1: last words"),
        ("# known to fail", 2, Outcome.XFAIL, "exit 2: known to fail"),
        ("", 3, Outcome.XPASS, "exit 3: it printed nothing"),
        ("no module", 4, Outcome.SKIP, "no module"),
        ("1..0 # SKIP needs root\n", 4, Outcome.SKIP, "needs root"),
        ("", 127, Outcome.FAIL, "exit 127: it printed nothing"),
        ("TAP version 13\n1..1\nok 1 a\n", 0, Outcome.PASS, ""),
        ("TAP version 13\n1..1\nok 1 a # SKIP not here\n", 0, Outcome.SKIP, "not here"),
        ("TAP version 13\n1..1\nnot ok 1 a\n", 0, Outcome.FAIL, "exit 0, but a failed"),
        ("TAP version 13\n1..2\nok 1 a\nBail out! boom\n", 1, Outcome.FAIL, "boom"),
        ("TAP version 13\n1..1\nnot ok 1 a\n", 4, Outcome.FAIL, "exit 4, but a failed"),
        ("TAP version 13\n1..2\nok 1 a\nok 2 b # SKIP x\n", 0, Outcome.PASS, ""),
        ("TAP version 13\n1..3\nok 1 a\n", 0, Outcome.FAIL, "exit 0, but test 2 failed and 1 more"),
        # The pidfd tests of 2019 count twice, and print no plan.
        ("ok 1 a: passed\nok 3 b: passed\nok 5 c: passed\n", 0, Outcome.PASS, ""),
    ],
)
def test_kselftest_by_exit_code_and_ktap(
    output: str, code: int, outcome: Outcome, message: str
) -> None:
    verdict = judge_kselftest(ended(output, code))
    assert verdict.outcome is outcome
    assert message in verdict.message


def test_kselftest_names_what_failed_first() -> None:
    verdict = judge_kselftest(ended(HARNESS, 1))
    assert verdict.outcome is Outcome.FAIL
    assert "global.two failed" in verdict.message
    assert (verdict.file, verdict.line) == ("pidfd_wait.c", 63)


def test_a_program_that_was_killed_or_is_too_slow() -> None:
    assert judge_program(ended("", signal=11)).message == "killed by SIGSEGV"
    slow = judge_program(ended(HARNESS, timed_out=True))
    assert slow.outcome is Outcome.TIMEOUT
    assert slow.message.startswith("no end after 45 s; before: global.two failed")


def test_exit_2_of_any_program_is_a_failure() -> None:
    assert judge_program(ended("usage: thing", 2)).message == "exit 2: usage: thing"


def test_subtests_have_the_class_of_their_program() -> None:
    program = Result(
        *("kselftest::pidfd:pidfd_wait", "kselftest.pidfd", "pidfd_wait", "k"),
        Outcome.FAIL,
        stdout=HARNESS,
        file="pidfd/pidfd_wait",
    )
    found = subtests(program)
    assert [(r.case, r.classname, r.outcome) for r in found] == [
        (
            "kselftest::pidfd:pidfd_wait::global.one",
            "kselftest.pidfd.pidfd_wait",
            Outcome.PASS,
        ),
        (
            "kselftest::pidfd:pidfd_wait::global.two",
            "kselftest.pidfd.pidfd_wait",
            Outcome.FAIL,
        ),
        (
            "kselftest::pidfd:pidfd_wait::global.three",
            "kselftest.pidfd.pidfd_wait",
            Outcome.SKIP,
        ),
    ]
    assert {r.parent for r in found} == {program.case}
    assert (found[1].file, found[1].line) == ("pidfd_wait.c", 63)
    assert found[2].message == "no support"


def test_subtests_of_one_name_stay_apart() -> None:
    program = Result("exec::p", "exec", "p", "k", Outcome.PASS, stdout="ok 1 same\nok 2 same\n")
    assert [r.name for r in subtests(program)] == ["same", "same (2)"]


@pytest.mark.parametrize(
    ("output", "code", "outcome", "message"),
    [
        ("a.c:5: TPASS: x\n", 0, Outcome.PASS, ""),
        ("a.c:5: TPASS: x\na.c:6: TFAIL: got EIO\n", 1, Outcome.FAIL, "got EIO (a.c:6)"),
        ("a.c:6: TBROK: no memory\n", 2, Outcome.FAIL, "broken: no memory (a.c:6)"),
        ("a.c:6: TFAIL: x\na.c:7: TBROK: y\n", 3, Outcome.FAIL, "broken: y (a.c:7)"),
        ("a.c:5: TPASS: x\na.c:6: TWARN: slow\n", 4, Outcome.FAIL, "warning: slow (a.c:6)"),
        ("a.c:5: TCONF: no call\n", 32, Outcome.SKIP, "no call (a.c:5)"),
        ("pidfd01    1  TFAIL  :  old.c:9: it went wrong\n", 1, Outcome.FAIL, "old.c:9: it went"),
        ("sh01 1 TFAIL: it went wrong\n", 1, Outcome.FAIL, "it went wrong"),
        # It says that it passed, and its lines say otherwise.
        ("a.c:5: TFAIL: x\n", 0, Outcome.FAIL, "x (a.c:5)"),
        ("sh: not found\n", 127, Outcome.FAIL, "sh: not found (exit 127)"),
    ],
)
def test_ltp_by_exit_bits_and_lines(output: str, code: int, outcome: Outcome, message: str) -> None:
    verdict = judge_ltp(ended(output, code))
    assert verdict.outcome is outcome
    assert message in verdict.message


def test_ltp_counts_its_lines() -> None:
    assert judge_ltp(ended("a.c:5: TPASS: x\na.c:6: TPASS: y\n")).detail == "2 TPASS"


def test_a_boot_without_kunit_is_a_skip() -> None:
    verdict = judge_kunit("[    0.000000] Linux version 6.12\n[    0.1] ok then\n")
    assert verdict.outcome is Outcome.SKIP


KUNIT = """\
[    0.000000] Linux version 6.12.117
[    0.301101] KTAP version 1
[    0.301188] 1..2
[    0.302029]     KTAP version 1
[    0.302102]     # Subtest: example
[    0.302190]     # module: kunit_example_test
[    0.302191]     1..3
[    0.303150]     # example_simple_test: initializing
[    0.304021]     ok 1 example_simple_test
[    0.305013]     ok 2 example_skip_test # SKIP this test should be skipped
[    0.306007]         KTAP version 1
[    0.306090]         # Subtest: example_params_test
[    0.307001]         ok 1 example value 2
[    0.308003]         ok 2 example value 1
[    0.309002]     ok 3 example_params_test
[    0.309101] # example: pass:2 fail:0 skip:1 total:3
[    0.309203] ok 1 example
[    0.310029]     KTAP version 1
[    0.310102]     # Subtest: list-kunit-test
[    0.310190]     1..1
[    0.311150]     # list_test_list_add: EXPECTATION FAILED at lib/list-test.c:42
[    0.311151]     Expected list.next == &b, but
[    0.311152]         list.next == 000000003f8cf5f3
[    0.312021]     not ok 1 list_test_list_add
[    0.312101] # list-kunit-test: pass:0 fail:1 skip:0 total:1
[    0.312203] not ok 2 list-kunit-test
[    0.400000] Run /init as init process
"""


def test_kunit_s_results_are_told_from_the_rest_of_a_boot() -> None:
    verdict = judge_kunit(KUNIT)
    assert verdict.outcome is Outcome.FAIL
    assert "list_test_list_add failed" in verdict.message
    boot = Result("kunit::boot", "kunit", "boot", "k", verdict.outcome, stdout=KUNIT)
    assert [(r.classname, r.name, r.outcome) for r in subtests(boot)] == [
        ("kunit.example", "example_simple_test", Outcome.PASS),
        ("kunit.example", "example_skip_test", Outcome.SKIP),
        ("kunit.example", "example_params_test / example value 2", Outcome.PASS),
        ("kunit.example", "example_params_test / example value 1", Outcome.PASS),
        ("kunit.list-kunit-test", "list_test_list_add", Outcome.FAIL),
    ]
    failed = subtests(boot)[-1]
    assert (failed.file, failed.line) == ("lib/list-test.c", 42)
    assert failed.case == "kunit::boot::list-kunit-test::list_test_list_add"
    assert judge_kunit(KUNIT.replace("not ok", "ok")).outcome is Outcome.PASS


@pytest.mark.parametrize(
    ("plan", "last", "outcome"),
    [
        ("", "ok 3 c\n", Outcome.ERROR),
        ("1..3\n", "ok 3 c\n", Outcome.ERROR),
        ("1..3\n", "ok 2 b\nok 3 c\n", Outcome.PASS),
        ("1..3\n", "not ok 3 c\n", Outcome.FAIL),
    ],
)
def test_a_result_that_may_be_in_what_is_missing_is_no_pass(
    plan: str, last: str, outcome: Outcome
) -> None:
    gap = "[... 99999 bytes left out ...]\n"
    output = f"TAP version 13\n{plan}ok 1 a\n# noise\n{gap}{last}"
    verdict = judge_kselftest(replace(ended(output), truncated=True))
    assert verdict.outcome is outcome, verdict
    program = Result("kselftest::a:b", "kselftest.a", "b", "k", outcome, stdout=output)
    below = subtests(program)
    assert [r.name for r in below if not r.outcome.good] == (["c"] if "not" in last else [])
