# SPDX-License-Identifier: GPL-2.0-only
"""Python tests that are tried more than once, and those of which a failure is expected."""

import os
import re
import shutil
import signal
import subprocess
from pathlib import Path

import pytest
from junitparser import JUnitXml

from harness.verdict.outcome import Outcome, Result
from tests.judging import (
    SETTINGS,
    by_name,
    each_once,
    journal_of,
    kharness,
    line_with,
    run_pytest,
    start,
    the_guest_of,
)

pytestmark = pytest.mark.guest
SOURCE = Path(__file__).parent / "data" / "python_tries.py"
KNOWN = """
cases = ["cases"]
[[expect]]
case = "test_known*"
reason = "not fixed yet"
link = "https://bugs.example/1"
outcome = ["fail", "error"]
[[expect]]
case = "cases/own/test_all.py::test_fixed"
kernel = ">=6.1"
reason = "was fixed meanwhile"
[[expect]]
case = "test_parametrised[1]"
reason = "one is not two"
[[expect]]
case = "test_renamed"
reason = "nobody knows"
[[expect_splat]]
title = "sysrq triggered crash"
reason = "this kernel panics"
"""
Done = subprocess.CompletedProcess[str]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("python-tries")
    (folder / "cases" / "own").mkdir(parents=True)
    shutil.copy(SOURCE, folder / "cases" / "own" / "test_all.py")
    (folder / "harness.toml").write_text(SETTINGS + KNOWN)
    (folder / "without.toml").write_text(SETTINGS)
    return folder


@pytest.fixture(scope="module")
def rerun(project: Path) -> tuple[Done, dict[str, Result]]:
    """Everything through kharness, with what is known, and up to three tries each."""
    done = kharness(project, "run", "--rerun", "2", "--run-dir", "rerun")
    return done, by_name(project / "rerun")


def test_every_outcome_is_judged_as_that_of_a_c_case(rerun: tuple[Done, dict[str, Result]]) -> None:
    done, got = rerun
    assert {name: (r.outcome.value, r.message) for name, r in got.items()} == {
        "test_steady": ("pass", ""),
        "test_broken": ("fail", "failed 3 of 3: assert 1 == 0"),
        "test_flaky": ("flaky", "failed 2 of 3: too early: 1"),
        "test_crashes_first": ("pass", ""),
        "test_parametrised[1]": ("xfail", "expected: one is not two"),
        "test_parametrised[2]": ("pass", ""),
        "test_known": ("xfail", "expected: not fixed yet (https://bugs.example/1)"),
        "test_fixed": ("xpass", "passes, but fail was expected: was fixed meanwhile"),
        "test_known_with_a_broken_end": (
            *("xfail", "expected: not fixed yet (https://bugs.example/1)"),
        ),
        "test_ends_by_what_is_known": ("pass", ""),
        "test_known_of_pytest": ("xfail", "as pytest has it"),
    }, done.stdout
    assert done.returncode == 1


def test_failed_tries_are_in_the_journal(
    project: Path, rerun: tuple[Done, dict[str, Result]]
) -> None:
    _, got = rerun
    flaky = got["test_flaky"]
    assert [(a.outcome, a.message) for a in flaky.attempts] == [
        (Outcome.FAIL, "too early: 1"),
        (Outcome.FAIL, "too early: 2"),
    ]
    for number, attempt in enumerate(flaky.attempts, 1):
        assert f"seen in try {number}" in attempt.console
        assert "seen in the second guest" in attempt.console
    assert flaky.extra == {"tries": "3", "failed": "2", "try": "3"}
    broken = got["test_broken"]
    assert "3 x fail" not in broken.detail  # each says something else
    assert broken.detail.count(" x fail: ") == 3
    assert [a.stdout for a in broken.attempts] == ["this is try 2\n", "this is try 3\n"]
    assert broken.stdout == "this is try 1\n"
    consoles = project / "rerun" / "consoles" / "debian-6.12"
    assert b"seen in try 1" in (consoles / "own.test_all.test_flaky.log").read_bytes()
    assert b"seen in try 2" in (consoles / "own.test_all.test_flaky.try2.log").read_bytes()
    second = consoles / "own.test_all.test_flaky.try3-2.log"
    assert b"seen in the second guest" in second.read_bytes()
    # A console that printed nothing has no file.
    assert not list(consoles.glob("*test_fixed*"))


def test_what_is_expected_is_tried_once(rerun: tuple[Done, dict[str, Result]]) -> None:
    _, got = rerun
    known = got["test_known"]
    assert (known.attempts, known.extra) == ((), {})
    assert known.detail.startswith("fail: assert 1 == 0\n")


def test_a_report_that_harness_toml_knows_of_is_told_and_changes_nothing(
    rerun: tuple[Done, dict[str, Result]],
) -> None:
    done, got = rerun
    for name in ("test_crashes_first", "test_ends_by_what_is_known"):
        assert [s.expected for s in got[name].splats] == ["this kernel panics"]
        assert re.match("expected splat: Kernel panic.*: this kernel panics$", got[name].detail)
    assert "expected splat on debian-6.12: 2 x Kernel panic" in done.stdout
    assert "expects a splat that did not come" not in done.stdout


def test_entries_are_told_of_that_match_no_test(rerun: tuple[Done, dict[str, Result]]) -> None:
    done, _ = rerun
    notes = [line for line in done.stdout.splitlines() if line.startswith("[[expect]]")]
    assert notes == ["[[expect]] 'test_renamed' matches no case (nobody knows)"]


def test_tries_and_expectations_are_in_junit(
    project: Path, rerun: tuple[Done, dict[str, Result]]
) -> None:
    (suite,) = JUnitXml.fromfile(str(project / "rerun" / "junit.xml"))
    kinds = {case.name: [type(r).__name__ for r in case.result] for case in suite}
    assert kinds["test_known"] == kinds["test_parametrised[1]"] == ["Skipped"]
    assert kinds["test_fixed"] == ["Failure"]
    assert kinds["test_flaky"] == []
    words = {case.name: r.message for case in suite for r in case.result}
    assert words["test_known"] == "expected to fail: not fixed yet (https://bugs.example/1)"
    assert words["test_known_of_pytest"] == "expected to fail: as pytest has it"
    text = (project / "rerun" / "junit.xml").read_text()
    assert text.count("<flakyFailure") == text.count("<rerunFailure") == 2


def test_pytest_shows_what_kharness_says(project: Path) -> None:
    """In its workers too; without what is known, what was expected is a failure."""
    words = ("-n", "2", "-rA", "--rerun", "2")
    done = run_pytest(project, *words, "--run-dir", "xdist", "cases")
    states: dict[str, set[str]] = {}
    for state, name in re.findall(r"^([A-Z]+) cases\S+::(test_\w+)\[", done.stdout, re.M):
        states.setdefault(name, set()).add(state)
    assert states == {
        "test_steady": {"PASSED"},
        "test_broken": {"FAILED"},
        "test_flaky": {"PASSED"},
        "test_crashes_first": {"PASSED"},
        "test_parametrised": {"XFAIL", "PASSED"},
        "test_known": {"XFAIL"},
        "test_fixed": {"FAILED"},
        "test_known_with_a_broken_end": {"XFAIL"},
        "test_ends_by_what_is_known": {"PASSED"},
        "test_known_of_pytest": {"XFAIL"},
    }, done.stdout
    broken = done.stdout.partition("test_broken[debian-6.12] ___")[2].partition("\n____")[0]
    assert "E       assert 1 == 0" in broken
    assert "failed 3 of 3: assert 1 == 0\nof 3 tries:" in broken
    assert "2 failed" in done.stdout.splitlines()[-1]
    assert "passes, but fail was expected: was fixed meanwhile" in done.stdout
    assert by_name(project / "xdist")["test_flaky"].message == "failed 2 of 3: too early: 1"


def test_without_harness_toml_nothing_is_expected(project: Path) -> None:
    words = ("--kharness-config", "without.toml", "-k", "test_known or fixed or ends or crashes")
    done = run_pytest(project, *words, "--run-dir", "without", "cases")
    got = by_name(project / "without")
    assert {name: r.outcome.value for name, r in got.items()} == {
        "test_known": "fail",
        "test_fixed": "pass",
        "test_known_with_a_broken_end": "error",
        "test_ends_by_what_is_known": "crash",
        "test_crashes_first": "crash",
        "test_known_of_pytest": "xfail",
    }, done.stdout
    assert done.returncode == 1


def test_repeating_counts_and_a_flake_is_a_failure(project: Path) -> None:
    words = ("--repeat", "4", "-k", "steady or flaky or test_known", "--run-dir", "repeat")
    done = run_pytest(project, *words, "cases")
    got = by_name(project / "repeat")
    assert got["test_steady"].extra == {"tries": "4", "failed": "0"}
    flaky = got["test_flaky"]
    assert (flaky.outcome, flaky.message) == (Outcome.FLAKY, "failed 2 of 4: too early: 1")
    assert "2 x pass" in flaky.detail
    assert got["test_known"].outcome is Outcome.XFAIL
    assert got["test_known"].detail.startswith("fail: failed 4 of 4: assert 1 == 0")
    assert len(journal_of(project / "repeat").results) == 5
    assert done.returncode == 1
    assert re.search("1 failed, 1 passed, .*3 xfailed", done.stdout.splitlines()[-1])
    # Of the tries that passed none but a first one keeps its console.
    consoles = {p.name for p in (project / "repeat" / "consoles").glob("*/*flaky*.log")}
    tries = ("", "-2", ".try2", ".try2-2")
    assert consoles == {f"own.test_all.test_flaky{which}.log" for which in tries}


def test_until_fail_stops_there(project: Path) -> None:
    words = ("--until-fail", "--for", "5m", "-k", "broken", "--run-dir", "until")
    done = kharness(project, "run", *words)
    got = by_name(project / "until")["test_broken"]
    assert got.extra == {"tries": "1", "failed": "1", "try": "1"}
    assert done.returncode == 1


# Trouble of the host, and Ctrl-C

WAITS = """
from pathlib import Path

def test_first(guest, request):
    name = request.config.getoption("--run-dir").rpartition("/")[2]
    with Path(f"begun-{name}").open("a") as stream:
        stream.write("x")
    guest.sh("sleep 5", check=True)

def test_last(guest):
    pass
"""


@pytest.fixture(scope="module")
def waiting(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("python-waits")
    (folder / "test_waits.py").write_text(WAITS)
    (folder / "harness.toml").write_text(SETTINGS)
    # Its template is there from now on.
    assert (
        kharness(folder, "run", "-k", "last", "--run-dir", "warm", "test_waits.py").returncode == 0
    )
    return folder


def begun(folder: Path, process: subprocess.Popen[str], name: str, tries: int = 1) -> None:
    """Waits until the first test of a run has its guest, in so many tries."""
    file = folder / f"begun-{name}"
    while not file.exists() or file.stat().st_size < tries:
        assert process.poll() is None


@pytest.mark.parametrize(("name", "deaths"), [("once", 1), ("twice", 2)])
def test_a_guest_that_is_killed_has_another_try(waiting: Path, name: str, deaths: int) -> None:
    process = start(waiting, "run", "-k", "first", "--run-dir", name, "test_waits.py")
    pid = 0
    for number in range(deaths):
        begun(waiting, process, name, number + 1)
        pid = the_guest_of(process, but=pid)
        os.kill(pid, signal.SIGKILL)
    assert process.stdout is not None
    said = process.stdout.read()
    code = process.wait()
    got = by_name(waiting / name)["test_first"]
    if deaths == 1:
        assert (code, got.outcome, got.attempts) == (0, Outcome.PASS, ()), said
        assert "run once more, its first guest was lost" in said
    else:
        assert (code, got.outcome) == (3, Outcome.ERROR), said
        assert got.message.endswith("(twice)")
        assert "SIGKILL" in f"{got.message}\n{got.detail}"


def test_the_first_ctrl_c_lets_a_test_end(waiting: Path) -> None:
    process = start(waiting, "run", "-v", "--run-dir", "polite", "test_waits.py")
    begun(waiting, process, "polite")
    process.send_signal(signal.SIGINT)
    line_with(process, "interrupted: 1 case ends; once more to stop at once")
    line_with(process, "interrupted: 1 of 2 cases have no result; kharness resume polite")
    assert process.wait() == 2
    assert each_once(waiting / "polite") == ["test_first"]
    assert kharness(waiting, "resume", "polite").returncode == 0
    assert each_once(waiting / "polite") == ["test_first", "test_last"]


def test_ctrl_c_ends_a_hunt_with_what_is_known(waiting: Path) -> None:
    words = ("--until-fail", "--run-dir", "hunt", "test_waits.py")
    process = start(waiting, "run", "-v", *words)
    begun(waiting, process, "hunt")
    process.send_signal(signal.SIGINT)
    line_with(process, "interrupted: 1 case ends")
    assert process.wait() == 2
    (result,) = journal_of(waiting / "hunt").results
    assert (result.name, result.outcome) == ("test_first", Outcome.PASS)
    assert int(result.extra["tries"]) >= 1


def test_a_case_that_is_stopped_between_its_tries_has_no_result(waiting: Path) -> None:
    """Its first failure says nothing yet: the run is to be taken up again."""
    (waiting / "test_fails.py").write_text(WAITS.replace("sleep 5", "sleep 5; false"))
    words = ("--rerun", "3", "--run-dir", "between", "test_fails.py")
    process = start(waiting, "run", "-v", *words)
    begun(waiting, process, "between")
    process.send_signal(signal.SIGINT)
    line_with(process, "interrupted: 1 case ends")
    line_with(process, "interrupted: 2 of 2 cases have no result")
    assert process.wait() == 2
    assert journal_of(waiting / "between").results == []
