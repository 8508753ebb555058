# SPDX-License-Identifier: GPL-2.0-only
"""Python tests with real guests, as a user runs them: pytest, pytest -n, and kharness run."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from harness.report.journal import read_journal
from harness.verdict.outcome import Outcome, Result

pytestmark = pytest.mark.guest
SOURCE = Path(__file__).parent / "data" / "python_case.py"
Done = subprocess.CompletedProcess[str]
PYTEST = ("-m", "pytest", "-p", "no:cacheprovider", "-q")

EXPECTED = {
    "test_runs_programs": Outcome.PASS,
    "test_moves_files": Outcome.PASS,
    "test_reads_the_console": Outcome.PASS,
    "test_reboots_and_crashes": Outcome.PASS,
    "test_speaks_qmp_and_kills": Outcome.PASS,
    "test_several_guests": Outcome.PASS,
    "test_boots_cold": Outcome.PASS,
    "test_expects_reports": Outcome.PASS,
    "test_fails": Outcome.FAIL,
    "test_unexpected_report": Outcome.CRASH,
    "test_dies_in_the_middle": Outcome.CRASH,
    "test_resets_itself": Outcome.FAIL,
    "test_overruns": Outcome.TIMEOUT,
    "test_skips": Outcome.SKIP,
    "test_known": Outcome.XFAIL,
    "test_parametrised[1]": Outcome.PASS,
    "test_parametrised[2]": Outcome.PASS,
    "test_fixture_is_broken": Outcome.ERROR,
}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("python-cases")
    (folder / "cases" / "own").mkdir(parents=True)
    shutil.copy(SOURCE, folder / "cases" / "own" / "test_all.py")
    (folder / "cases" / "own" / "plain.c").write_text(
        '#include "kcase.h"\nTEST(passes) { EXPECT_EQ(1, 1); }\nKCASE_MAIN\n'
    )
    (folder / "harness.toml").write_text(
        '[run]\nkernels = ["debian:6.12"]\naccel = "tcg"\n'
        '[[expect_splat]]\ntitle = "Bad rss-counter"\nreason = "known here"\n'
    )
    return folder


def python(project: Path, *words: str) -> Done:
    return subprocess.run(
        [sys.executable, *words],
        cwd=project,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
        timeout=300,
    )


def results(folder: Path) -> dict[str, Result]:
    return {r.name: r for r in read_journal(folder / "journal.jsonl").results}


def left_running(project: Path) -> list[str]:
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if (process / "cwd").readlink().is_relative_to(project):
                found.append((process / "cmdline").read_text())
        except OSError:
            continue
    return found


@pytest.fixture(scope="module")
def whole(project: Path) -> tuple[Done, Path]:
    """Everything, with a C case beside it, through kharness run."""
    done = python(project, "-m", "harness.cli", "run", "--run-dir", "whole", "cases")
    return done, project / "whole"


@pytest.fixture(scope="module")
def failing(project: Path) -> Done:
    """What fails, through pytest and two workers."""
    chosen = "test_fails or unexpected or dies"
    return python(project, *PYTEST, "-n", "2", "--run-dir", "failing", "-k", chosen, "cases")


def test_every_outcome_is_told_apart(whole: tuple[Done, Path]) -> None:
    done, folder = whole
    found = {name: r.outcome for name, r in results(folder).items()}
    assert found == {**EXPECTED, "passes": Outcome.PASS}, done.stdout
    assert done.returncode == 1


def test_nothing_is_left_running(project: Path, whole: tuple[Done, Path], failing: Done) -> None:
    assert left_running(project) == []


def test_a_result_has_what_that_of_a_c_case_has(whole: tuple[Done, Path]) -> None:
    done, folder = whole
    failed = results(folder)["test_fails"]
    lines = SOURCE.read_text().splitlines()
    assert failed.case == "cases/own/test_all.py::test_fails"
    assert failed.classname == "own.test_all"
    assert (failed.kernel, failed.accel, failed.isolation) == ("debian-6.12", "tcg", "fork")
    assert failed.message == "assert (0 + 1) == 2"
    assert failed.file == "cases/own/test_all.py"
    assert failed.line == lines.index("    assert int(uid) + 1 == 2") + 1
    assert failed.duration_s > 0
    assert "seen in the console" in failed.console
    assert b"seen in the console" in (folder / failed.console_file).read_bytes()
    assert failed.reproduce == (
        "kharness run --kernel debian:6.12 cases/own/test_all.py::test_fails"
    )
    assert f"at {failed.file}:{failed.line}" in done.stdout
    assert "+  where 0 = int('0')" in done.stdout


def test_results_are_in_junit(whole: tuple[Done, Path]) -> None:
    junit = (whole[1] / "junit.xml").read_text()
    assert re.search(r'<testcase name="test_fails"[^>]* classname="own.test_all"', junit)
    assert "Kernel panic - not syncing: sysrq triggered crash" in junit


def test_reports_that_were_expected_say_by_whom(whole: tuple[Done, Path]) -> None:
    found = results(whole[1])["test_expects_reports"].splats
    assert [s.expected for s in found[:3]] == [
        "the test says expect_splat('scheduling while atomic')",
        "the test says allow_splat('Bad page state')",
        "known here",
    ]
    assert all(s.expected for s in found)


def test_the_test_is_named_and_not_our_code_when_only_the_kernel_complains(
    whole: tuple[Done, Path],
) -> None:
    crashed = results(whole[1])["test_unexpected_report"]
    assert crashed.message == "BUG: scheduling while atomic"
    assert crashed.file == "cases/own/test_all.py"


def test_parameters_stay_in_the_name_and_the_kernel_does_not(whole: tuple[Done, Path]) -> None:
    one = results(whole[1])["test_parametrised[1]"]
    assert one.case == "cases/own/test_all.py::test_parametrised[1]"
    assert "'cases/own/test_all.py::test_parametrised[debian-6.12-1]'" in one.reproduce


def test_an_assertion_that_fails_looks_as_ever(failing: Done) -> None:
    assert failing.returncode == 1
    shown = failing.stdout.partition("test_fails[debian-6.12] ___")[2].partition("\n____")[0]
    assert ">       assert int(uid) + 1 == 2" in shown
    assert "E        +  where 0 = int('0')" in shown
    assert re.search(r"test_all\.py:\d+: AssertionError", shown)
    assert re.search(r"-+ guest console -+\n\[.*\] seen in the console", shown)


def test_a_report_of_the_kernel_fails_a_test_whose_assertions_hold(failing: Done) -> None:
    assert (
        "the kernel reported what the test did not ask for:\nBUG: scheduling while atomic\n"
    ) in failing.stdout


def test_a_guest_that_dies_says_so_in_one_line(failing: Done) -> None:
    shown = failing.stdout.partition("test_dies_in_the_middle[debian-6.12] ___")[2]
    shown = shown.partition("- guest console -")[0]
    errors = [line for line in shown.splitlines() if line.startswith("E ")]
    assert len(errors) == 1
    assert re.search(
        r"GuestDied: the guest died while `.*` ran: Kernel panic - not syncing: sysrq triggered",
        errors[0],
    )
    assert "harness/vm/loop.py" not in shown


def test_workers_hand_over_results(project: Path, failing: Done) -> None:
    found = results(project / "failing")
    assert {name: r.outcome for name, r in found.items()} == {
        name: EXPECTED[name]
        for name in ("test_fails", "test_unexpected_report", "test_dies_in_the_middle")
    }
    assert {r.worker for r in found.values()} <= {"gw0", "gw1"}


def test_a_file_that_cannot_be_imported_is_wrong_usage(project: Path) -> None:
    (project / "test_broken.py").write_text("import nothing_of_this_name\n")
    done = python(project, "-m", "harness.cli", "run", "test_broken.py")
    (project / "test_broken.py").unlink()
    assert done.returncode == 4
    assert "test_broken.py cannot be collected: E ModuleNotFoundError" in done.stderr


def test_a_project_may_have_fixtures_of_these_names(tmp_path: Path) -> None:
    (tmp_path / "test_own.py").write_text(
        "import pytest\n"
        "@pytest.fixture(params=[1, 2])\n"
        "def kernel(request): return request.param\n"
        "@pytest.fixture\n"
        "def guest(kernel): return kernel\n"
        "def test_own(guest): assert guest in (1, 2)\n"
    )
    done = python(tmp_path, *PYTEST)
    assert done.returncode == 0, done.stdout
    assert "2 passed" in done.stdout
    assert not (tmp_path / ".kharness").exists()
