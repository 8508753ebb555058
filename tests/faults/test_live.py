# SPDX-License-Identifier: GPL-2.0-only
"""A kernel in trouble while a case runs, or after its end: seen at once, and given to that case."""

from pathlib import Path

import pytest

from harness.verdict.outcome import Outcome
from tests.faults.conftest import Outcomes

pytestmark = pytest.mark.guest
LIVE = "passes or panics or oopses or bugs or triple or restarts or warns or escapes or reports_and"


@pytest.fixture(scope="module")
def live(broken: Path) -> Outcomes:
    return Outcomes(broken, "-k", LIVE)


@pytest.mark.parametrize(
    ("case", "message"),
    [
        ("panics", "Kernel panic - not syncing: kharness trouble"),
        ("oopses", "BUG: kernel NULL pointer dereference"),
        ("bugs", "kernel BUG at kernel/kharness_trouble.c"),
        ("oopses_in_a_timer", "BUG: kernel NULL pointer dereference"),
        ("triple_faults", "the kernel reset itself without a report in the console"),
        ("warns", "trouble_warn"),
        ("warns_and_goes_on", "trouble_warn"),
        ("warns_unseen", "kernel tainted: W (a warning), without a report in the console"),
        ("warns_late_settled", "trouble_warn"),
        ("panics_late_settled", "Kernel panic - not syncing: kharness trouble"),
        ("reports_and_goes_on", "BUG: KASAN: use-after-free in try"),
    ],
)
def test_trouble_is_a_crash_of_the_case_that_made_it(
    live: Outcomes, case: str, message: str
) -> None:
    result = live.results[case]
    assert result.outcome is Outcome.CRASH
    assert message in result.message


def test_others_are_not_blamed(live: Outcomes) -> None:
    assert live.results["passes"].outcome is Outcome.PASS
    # Without time to settle, what comes later is not seen, and is nobody else's.
    assert live.results["warns_after_its_time"].outcome is Outcome.PASS
    assert live.results["warns_after_its_time"].console == ""


def test_no_case_runs_into_its_time_limit(live: Outcomes) -> None:
    outcomes = {result.outcome for result in live.results.values()}
    assert Outcome.TIMEOUT not in outcomes
    assert "no end after" not in live.done.stdout


def test_a_report_s_end_is_there(live: Outcomes) -> None:
    for case in ("panics", "oopses_in_a_timer"):
        assert "</TASK>" in live.results[case].console or "<IRQ>" in live.results[case].console
        assert "Kernel panic" in live.results[case].console
    assert "end trace" in live.results["bugs"].console


def test_what_the_case_said_before_is_kept(live: Outcomes) -> None:
    assert "# said before" in live.results["reports_and_goes_on"].stdout


def test_a_case_that_restarts_its_guest_fails(live: Outcomes) -> None:
    assert live.results["restarts"].outcome is Outcome.FAIL
    assert live.results["restarts"].message == "the case reset the guest"


def test_terminal_sequences_of_a_kernel_reach_no_terminal(live: Outcomes) -> None:
    result = live.results["escapes"]
    raw = (live.folder / result.console_file).read_bytes()
    assert b"\x1b]0;owned" in raw
    for text in (result.console, live.done.stdout):
        assert "\x1b" not in text
        assert "owned" not in text
    assert "hidden" in result.console


@pytest.mark.parametrize(("warn", "outcome"), [("fail", Outcome.FAIL), ("ignore", Outcome.PASS)])
def test_a_warning_is_what_it_is_configured_to_be(
    broken: Path, warn: str, outcome: Outcome
) -> None:
    run = Outcomes(broken, "--warn", warn, "-k", "warns and not (late or goes_on or after) or bugs")
    assert run.results["warns"].outcome is outcome
    assert run.results["warns_unseen"].outcome is outcome
    assert run.results["bugs"].outcome is Outcome.CRASH
    assert "trouble_warn" in run.results["warns"].message + run.results["warns"].detail


def test_time_to_settle_is_given_to_every_case(broken: Path) -> None:
    run = Outcomes(broken, "--settle", "0.9", "-k", "warns_late and not settled")
    assert run.results["warns_late"].outcome is Outcome.CRASH


def test_a_flood_is_bounded_and_says_so(broken: Path) -> None:
    run = Outcomes(broken, "--timeout", "15", "-k", "floods")
    console = run.results["floods"].console
    assert len(console) < 400_000
    assert "bytes left out ...]" in console
