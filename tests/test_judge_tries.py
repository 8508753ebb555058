# SPDX-License-Identifier: GPL-2.0-only
"""What several tries of one case come to."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest
from junitparser import JUnitXml

from harness.errors import UsageError
from harness.tries import (
    KEPT,
    TryRules,
    again_after_trouble,
    parse_duration,
    repeat,
    rerun,
)
from harness.verdict.outcome import Outcome, Result
from tests.judging import by_name, journal_of, kharness, make_project


def result(outcome: Outcome, message: str = "", **more: object) -> Result:
    base = Result("cases/a.c::t", "a", "t", "k", outcome, message)
    return replace(base, **more)  # type: ignore[arg-type]


PASS = result(Outcome.PASS)
FAIL = result(Outcome.FAIL, "expected 2, got 1", detail="at a.c:3", file="a.c", line=3)
CRASH = result(Outcome.CRASH, "Oops", console="oops")


def tries(*outcomes: Result) -> tuple[Callable[[int], Awaitable[Result]], list[int]]:
    asked: list[int] = []

    async def once(number: int) -> Result:
        asked.append(number)
        return outcomes[(number - 1) % len(outcomes)]

    return once, asked


def rerun_of(*outcomes: Result, rerun_n: int = 2, settled: bool = False) -> tuple[Result, int]:
    once, asked = tries(*outcomes)
    what = rerun(once, TryRules(rerun=rerun_n), settled=lambda _: settled)
    return asyncio.run(what), len(asked)


def test_what_passes_is_not_tried_again() -> None:
    assert rerun_of(PASS) == (PASS, 1)


def test_what_always_fails_fails() -> None:
    got, asked = rerun_of(FAIL)
    assert (got.outcome, got.message) == (Outcome.FAIL, "failed 3 of 3: expected 2, got 1")
    assert asked == 3
    assert [a.outcome for a in got.attempts] == [Outcome.FAIL] * 2
    assert [a.number for a in got.attempts] == [2, 3]
    assert got.extra["try"] == "1"
    assert got.line == 3


def test_what_passes_at_last_is_flaky() -> None:
    got, asked = rerun_of(FAIL, FAIL, PASS, rerun_n=5)
    assert asked == 3
    assert (got.outcome, got.message) == (Outcome.FLAKY, "failed 2 of 3: expected 2, got 1")
    assert [a.message for a in got.attempts] == ["expected 2, got 1"] * 2
    assert [a.number for a in got.attempts] == [1, 2]
    assert got.extra == {"tries": "3", "failed": "2", "try": "3"}
    assert got.outcome.good


def test_a_crash_now_and_then_is_called_a_crash() -> None:
    got, _ = rerun_of(FAIL, CRASH, PASS)
    assert got.outcome is Outcome.FLAKY
    assert got.message == "failed 2 of 3 (1 by a crash of the kernel): Oops"
    assert [a.console for a in got.attempts] == ["", "oops"]


def test_the_worst_failure_stands_for_all() -> None:
    got, _ = rerun_of(FAIL, CRASH, FAIL)
    assert got.outcome is Outcome.CRASH
    assert "2 x fail: expected 2, got 1" in got.detail
    assert "1 x crash: Oops" in got.detail


def test_what_is_expected_is_not_tried_again() -> None:
    assert rerun_of(FAIL, PASS, settled=True) == (FAIL, 1)


def test_repeating_counts_and_keeps_few() -> None:
    once, asked = tries(*[FAIL] * 30, *[PASS] * 70)
    got = asyncio.run(
        repeat(once, TryRules(repeat=100), jobs=3, for_s=None, stopping=lambda: False)
    )
    assert sorted(asked) == list(range(1, 101))
    assert got.message.startswith("failed 30 of 100: ")
    assert len(got.attempts) == KEPT
    assert "70 x pass" in got.detail


def test_until_fail_ends_with_the_first_failure() -> None:
    once, asked = tries(*[PASS] * 6, FAIL, PASS)
    rules = TryRules(until_fail=True)
    got = asyncio.run(repeat(once, rules, jobs=1, for_s=None, stopping=lambda: False))
    assert len(asked) == 7
    assert got.message.startswith("failed 1 of 7: ")


def test_until_fail_has_the_bound_of_repeat() -> None:
    once, asked = tries(PASS)
    rules = TryRules(until_fail=True, repeat=9)
    got = asyncio.run(repeat(once, rules, jobs=2, for_s=None, stopping=lambda: False))
    assert (got.outcome, got.extra["tries"], len(asked)) == (Outcome.PASS, "9", 9)


def test_a_time_that_is_over_begins_no_further_try() -> None:
    once, asked = tries(PASS)
    rules = TryRules(for_s=1e-9)
    got = asyncio.run(repeat(once, rules, jobs=1, for_s=1e-9, stopping=lambda: False))
    assert (got.outcome, asked) == (Outcome.PASS, [1])


def test_what_is_skipped_is_skipped_once() -> None:
    once, asked = tries(result(Outcome.SKIP, "needs more"))
    got = asyncio.run(repeat(once, TryRules(repeat=50), jobs=1, for_s=None, stopping=lambda: False))
    assert (got.outcome, asked) == (Outcome.SKIP, [1])


def test_an_interrupt_ends_repeating_with_what_is_known() -> None:
    once, asked = tries(PASS)
    rules = TryRules(until_fail=True)
    got = asyncio.run(repeat(once, rules, jobs=1, for_s=None, stopping=lambda: len(asked) >= 4))
    assert got.extra["tries"] == "4"


LOST = result(Outcome.ERROR, "lost", extra={"cause": "guest"}, evidence={"QEMU": "exit 1"})


def test_trouble_of_the_host_leaves_no_trace_in_the_outcome() -> None:
    got = again_after_trouble(LOST, PASS)
    assert (got.outcome, got.attempts) == (Outcome.PASS, ())
    assert got.extra["first_guest"] == "its first guest was lost: lost"
    assert got.evidence == {"first guest: QEMU": "exit 1"}


def test_trouble_twice_is_an_error_with_the_evidence() -> None:
    got = again_after_trouble(LOST, LOST)
    assert (got.outcome, got.message) == (Outcome.ERROR, "lost (twice)")
    assert got.evidence == {"QEMU": "exit 1", "first guest: QEMU": "exit 1"}


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90.0), ("90s", 90.0), ("10m", 600.0), ("2h", 7200.0)]
)
def test_times(text: str, seconds: float) -> None:
    assert parse_duration(text, "--for") == seconds


@pytest.mark.parametrize("text", ["", "m", "-1s", "1.5m", "0", "10 m", "soon"])
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(UsageError, match="--for"):
        parse_duration(text, "--for")


# In guests. A coin from the guest's own random numbers: every fork draws another.
CASES = """
static unsigned char coin(void)
{
	unsigned char c = 0;

	ASSERT_EQ(read(open("/dev/urandom", O_RDONLY), &c, 1), 1);
	return c & 1;
}
TEST(steady) { EXPECT_EQ(1, 1); }
TEST(broken) { EXPECT_EQ(1, 2); }
TEST(flaky) { EXPECT_EQ(coin(), 1); }
TEST(crashes)
{
	ASSERT_EQ(1, 1);
	if (coin())
		write(open("/proc/sysrq-trigger", O_WRONLY), "c", 1);
}
"""
guest = pytest.mark.guest


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_project(tmp_path_factory.mktemp("tries") / "p", CASES)


@guest
def test_reruns_tell_a_flake_from_a_failure(project: Path) -> None:
    done = kharness(project, "run", "--rerun", "40", "-k", "steady or flaky", "--run-dir", "rerun")
    got = by_name(project / "rerun")
    assert got["steady"].outcome is Outcome.PASS
    assert got["flaky"].outcome in (Outcome.PASS, Outcome.FLAKY)
    assert done.returncode == 0, done.stdout
    (suite,) = JUnitXml.fromfile(str(project / "rerun" / "junit.xml"))
    assert len(list(suite)) == 2


@guest
def test_repeating_finds_flakes_and_says_so_with_its_code(project: Path) -> None:
    done = kharness(
        project, "run", "--repeat", "24", "-k", "not broken", "--run-dir", "repeat", "--seed", "77"
    )
    got = by_name(project / "repeat")
    assert got["steady"].extra["tries"] == "24"
    assert got["flaky"].outcome is Outcome.FLAKY
    assert "(" in got["crashes"].message
    assert "by a crash of the kernel" in got["crashes"].message
    kept = got["crashes"].attempts
    assert kept
    assert all("sysrq" in attempt.console for attempt in kept)
    assert done.returncode == 1
    assert "seed: 77" in done.stdout
    assert len(journal_of(project / "repeat").results) == 3


@guest
def test_until_fail_stops_there(project: Path) -> None:
    done = kharness(
        project,
        "run",
        "--until-fail",
        "--for",
        "5m",
        "-k",
        "flaky",
        "--run-dir",
        "until",
        "-n",
        "1",
    )
    got = by_name(project / "until")["flaky"]
    assert got.extra["failed"] == "1"
    assert done.returncode == 1


@guest
@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--rerun", "2", "--repeat", "3"), "--rerun does not go with --repeat"),
        (("--for", "soon"), "--for soon"),
        (("--repeat", "0"), "--repeat"),
    ],
)
def test_wrong_options_are_one_line(project: Path, words: tuple[str, ...], says: str) -> None:
    done = kharness(project, "run", *words)
    assert done.returncode == 4
    assert says in done.stderr + done.stdout
    assert "Traceback" not in done.stderr + done.stdout
