# SPDX-License-Identifier: GPL-2.0-only
"""KUnit tests of a boot: what the kernel reported while one ran counts."""

from functools import partial
from pathlib import Path

import pytest

from harness.judging import Rules, Warn, weighed
from harness.suites.kunit import kunit_result
from harness.verdict.expected import Expectation
from harness.verdict.outcome import Outcome, Result
from harness.verdict.suites import judge_kunit, subtests

LOG = Path(__file__).parents[1] / "verdict" / "ktap" / "kunit-warning.log"
WARNED, _, BUG = LOG.read_text().partition("[    0.900000]")
"""A test that warns; a bug behind the last one."""
BASE = Result("kunit::boot", "kunit", "boot", "k", Outcome.ERROR)
TITLE = "WARNING in ring_push (lib/ring.c)"
WARNING = "WARNING: CPU: 0 PID: 57 at lib/ring.c:30"
KASAN = "[    0.502150] BUG: KASAN: slab-out-of-bounds in ring_push+0x12/0x40\n"


def boot(log: str, rules: Rules) -> tuple[Result, list[tuple[str, Outcome]]]:
    """The result of a boot, and its tests with their outcomes."""
    result = kunit_result(BASE, log.encode(), "", release="6.12.0", rules=rules)
    below = subtests(result, weigh=partial(weighed, rules=rules))
    return result, [(r.name, r.outcome) for r in below]


def test_a_warning_while_a_test_ran_is_its_crash() -> None:
    result, tests = boot(WARNED, Rules(1.0))
    assert (result.outcome, result.message) == (Outcome.CRASH, f"ring_pushes crashed: {TITLE}")
    assert [splat.title for splat in result.splats] == [TITLE]
    assert tests == [("ring_pushes", Outcome.CRASH), ("ring_pops", Outcome.PASS)]
    crash = subtests(result)[0]
    assert (crash.message, [s.title for s in crash.splats]) == (TITLE, [TITLE])
    assert crash.console.count("\n") == 2
    assert judge_kunit(WARNED).outcome is Outcome.CRASH


@pytest.mark.parametrize(
    ("warn", "outcome"), [(Warn.FAIL, Outcome.FAIL), (Warn.IGNORE, Outcome.PASS)]
)
def test_warn_says_what_a_warning_counts(warn: Warn, outcome: Outcome) -> None:
    result, tests = boot(WARNED, Rules(1.0, warn))
    assert result.outcome is outcome
    assert tests == [("ring_pushes", outcome), ("ring_pops", Outcome.PASS)]
    assert [splat.title for splat in result.splats] == [TITLE]


@pytest.mark.parametrize("warn", list(Warn))
def test_what_a_checker_found_is_a_crash_always(warn: Warn) -> None:
    result, tests = boot(
        WARNED.replace("[    0.502200]", f"{KASAN}[    0.502200]"), Rules(1.0, warn)
    )
    assert result.outcome is Outcome.CRASH
    assert "ring_pushes crashed: BUG: KASAN" in result.message
    assert tests[0] == ("ring_pushes", Outcome.CRASH)


def test_between_the_last_test_and_the_suites_result_the_suite_runs() -> None:
    log = WARNED.replace("[    0.502400] ok 1 ring", f"{KASAN}[    0.502400] ok 1 ring")
    _, tests = boot(log, Rules(1.0, Warn.IGNORE))
    ignored = log.replace(KASAN, KASAN.replace("BUG: KASAN: slab-out-of-bounds", WARNING))
    assert len(boot(ignored, Rules(1.0, Warn.IGNORE))[1]) == 2
    assert len(boot(ignored, Rules(1.0))[1]) == 3
    assert tests == [
        *(("ring_pushes", Outcome.PASS), ("ring_pops", Outcome.PASS)),
        ("ring", Outcome.CRASH),
    ]


def test_what_was_expected_is_no_crash_and_is_kept() -> None:
    expect = (Expectation("ring_push", "known"),)
    result, tests = boot(WARNED, Rules(1.0, Warn.CRASH, expect))
    assert (result.outcome, [s.expected for s in result.splats]) == (Outcome.PASS, ["known"])
    assert {outcome for _, outcome in tests} == {Outcome.PASS}


def test_what_comes_after_the_last_test_is_the_boots() -> None:
    quiet = WARNED[: WARNED.index("[    0.501900]")] + WARNED[WARNED.index("[    0.502200]") :]
    assert boot(quiet, Rules(1.0))[0].outcome is Outcome.PASS
    result, tests = boot(f"{quiet}[    0.900000]{BUG}", Rules(1.0))
    assert result.outcome is Outcome.CRASH
    assert result.message == "BUG: sleeping function called from invalid context (lib/ring.c)"
    assert {outcome for _, outcome in tests} == {Outcome.PASS}


def test_what_came_before_the_first_test_is_none_of_theirs() -> None:
    result, _ = boot(KASAN + WARNED, Rules(1.0, Warn.IGNORE))
    assert (result.outcome, [s.title for s in result.splats]) == (Outcome.PASS, [TITLE])


def test_a_crash_keeps_what_the_test_says() -> None:
    failed = WARNED.replace(
        "    ok 1 ring_pushes", "    # lib/ring.c:31: full\n    not ok 1 ring_pushes"
    )
    assert "full" in judge_kunit(failed).detail
    (crash, _) = subtests(boot(failed, Rules(1.0))[0])
    assert (crash.outcome, crash.file, crash.line) == (Outcome.CRASH, "lib/ring.c", 31)
    assert "lib/ring.c:31: full" in crash.detail
