# SPDX-License-Identifier: GPL-2.0-only
import pytest

from harness.verdict.console import find_splats
from harness.verdict.expected import Expectation, apply_expectations, of_case, unmet
from harness.verdict.outcome import Outcome, Verdict
from harness.verdict.splat import Severity, Splat
from harness.verdict.weigh import ended_as_said, with_expected
from harness.versions import KernelRange

WARNED = Splat("warning", "WARNING in ring_open (drivers/char/ring.c)", Severity.WARNING, 1, 9)
CRASHED = Splat("oops", "BUG: kernel NULL pointer dereference in f", Severity.FATAL, 10, 30)
PANICKED = Splat(
    "panic", "Kernel panic - not syncing: kernel: panic_on_warn set ...", Severity.FATAL, 10, 12
)
KNOWN = Expectation(
    "WARNING in ring_open", "known since 2024", KernelRange.parse(">=6.1"), "https://example.org/1"
)


def test_an_expected_splat_says_why_and_stays() -> None:
    splats, missing = apply_expectations([WARNED, CRASHED], [KNOWN], "6.12.1")
    assert [s.expected for s in splats] == ["known since 2024 (https://example.org/1)", ""]
    assert missing == ()


def test_an_expectation_for_other_kernels_is_none() -> None:
    splats, missing = apply_expectations([WARNED], [KNOWN], "5.10.209")
    assert splats == (WARNED,)
    assert missing == ()


def test_one_that_does_not_come_is_told() -> None:
    assert apply_expectations([], [KNOWN], "6.12.1") == ((), (KNOWN,))


def test_the_panic_that_an_expected_splat_brings_is_expected_with_it() -> None:
    splats, _ = apply_expectations([WARNED, PANICKED], [KNOWN], "6.12.1")
    assert all(s.expected for s in splats)
    splats, _ = apply_expectations([CRASHED, PANICKED], [KNOWN], "6.12.1")
    assert not any(s.expected for s in splats)


@pytest.mark.parametrize(
    "words",
    [
        "panic_on_taint set ...",
        "kernel: system warned too often (kernel.warn_limit is 1)",
        "Oopsed too often (kernel.oops_limit is 1)",
        "kasan.fault=panic set ...",
        "kasan.fault=panic_on_write set ...",
        "kmsan.panic set ...",
        "RCU Stall",
        "Hard LOCKUP",
        "softlockup: hung tasks",
        "hung_task: blocked tasks",
        "Fatal exception in interrupt",
    ],
)
def test_every_panic_that_a_kernel_is_told_to_make_of_a_report(words: str) -> None:
    (panicked,) = find_splats(f"[   12.000001] Kernel panic - not syncing: {words}\n")
    splats, _ = apply_expectations([WARNED, panicked], [KNOWN], "6.12.1")
    assert all(s.expected for s in splats)


def test_a_panic_of_its_own_is_not_expected_with_what_came_before() -> None:
    (panicked,) = find_splats(
        "[   12.0] Kernel panic - not syncing: VFS: Unable to mount root fs\n"
    )
    splats, _ = apply_expectations([WARNED, panicked], [KNOWN], "6.12.1")
    assert [bool(s.expected) for s in splats] == [True, False]


def test_an_expected_one_changes_nothing_and_is_shown() -> None:
    splats, missing = apply_expectations([WARNED], [KNOWN], "6.12.1")
    verdict = with_expected(Verdict(Outcome.PASS), splats, missing)
    assert verdict.outcome is Outcome.PASS
    assert verdict.detail.startswith(f"expected splat: {WARNED.title}: known since 2024")
    assert with_expected(Verdict(Outcome.FAIL, "x"), splats, missing).outcome is Outcome.FAIL


def test_a_case_fails_without_the_splat_that_it_states() -> None:
    splats, missing = apply_expectations([], of_case(["WARNING in f"]), "6.12.1")
    verdict = with_expected(Verdict(Outcome.PASS), splats, missing)
    assert verdict.outcome is Outcome.FAIL
    assert verdict.message == "the splat that it expects did not come: WARNING in f"
    assert with_expected(Verdict(Outcome.SKIP, "no f"), splats, missing).outcome is Outcome.SKIP


def test_an_entry_of_harness_toml_that_does_not_come_fails_no_case() -> None:
    splats, missing = apply_expectations([], [KNOWN], "6.12.1")
    assert with_expected(Verdict(Outcome.PASS), splats, missing) == Verdict(Outcome.PASS)


def test_only_an_expected_fatal_splat_ends_a_guest_as_said() -> None:
    splats, _ = apply_expectations([CRASHED], of_case(["NULL pointer"]), "6.12.1")
    assert ended_as_said(splats)
    assert not ended_as_said([CRASHED, WARNED])


@pytest.mark.parametrize(
    ("seen", "told"),
    [
        ([("6.12.1", (WARNED,))], False),
        ([("6.12.1", (CRASHED,)), ("6.1.0", ())], True),
        ([("5.10.1", ())], False),
        ([], False),
    ],
)
def test_what_no_case_of_a_run_met(seen: list[tuple[str, tuple[Splat, ...]]], told: bool) -> None:
    assert unmet([KNOWN], seen) == ([KNOWN] if told else [])
