# SPDX-License-Identifier: GPL-2.0-only
"""Runs with Python tests that were cut off: what is missing is known, and only that is run."""

import re
import shlex
from pathlib import Path

import pytest

from harness.report.journal import Journal
from harness.verdict.outcome import Outcome
from tests.judging import SETTINGS, by_name, each_once, journal_of, kharness, run_pytest

pytestmark = pytest.mark.guest
C_CASES = """
#include "kcase.h"
TEST(first) { EXPECT_EQ(1, 1); }
TEST(last) { EXPECT_EQ(1, 1); }
KCASE_MAIN
"""
GUEST_TESTS = """
import os, signal
import pytest

def test_fails(guest):
    assert not guest.alive

class TestOfAClass:
    @pytest.mark.parametrize("words", ["one", "a::b"])
    def test_parametrised(self, kernel, words):
        pass

def test_kills_its_worker(guest):
    if os.environ.get("KILLS"):
        os.kill(os.getpid(), signal.SIGKILL)

@pytest.mark.parametrize("name", ["debian-6.12"])
def test_without_a_guest(name):
    if os.environ.get("KILLS"):
        os.kill(os.getpid(), signal.SIGKILL)
"""
FILE = "cases/own/test_all.py"
KERNEL = "debian-6.12"
GUEST_KEYS = {
    (f"{FILE}::test_fails", KERNEL),
    (f"{FILE}::TestOfAClass::test_parametrised[one]", KERNEL),
    (f"{FILE}::TestOfAClass::test_parametrised[a::b]", KERNEL),
    (f"{FILE}::test_kills_its_worker", KERNEL),
}
C_KEYS = {("cases/own/plain.c::first", KERNEL), ("cases/own/plain.c::last", KERNEL)}
HOST_KEY = (f"{FILE}::test_without_a_guest[debian-6.12]", "host")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("python-resume")
    (folder / "cases" / "own").mkdir(parents=True)
    (folder / "cases" / "own" / "plain.c").write_text(C_CASES)
    (folder / FILE).write_text(GUEST_TESTS)
    (folder / "harness.toml").write_text(SETTINGS)
    (folder / "pytest.ini").write_text("[pytest]\n")
    return folder


def cut(folder: Path, keep: int) -> Journal:
    """Cuts a journal in the line after so many results."""
    path = folder / "journal.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    results = [n for n, line in enumerate(lines) if line.startswith(b'{"kind": "result"')]
    end = results[keep]
    path.write_bytes(b"".join([*lines[:end], lines[end][:40]]))
    return journal_of(folder)


def keys(journal: Journal) -> list[tuple[str, str]]:
    return [(r.case, r.kernel) for r in journal.results]


@pytest.fixture(scope="module")
def distributed(project: Path) -> Path:
    """A run of everything in two workers."""
    done = run_pytest(project, "-n", "2", "--run-dir", "xdist", "cases")
    assert "1 failed, 6 passed" in done.stdout, done.stdout
    return project / "xdist"


def test_the_plan_has_what_the_workers_found(distributed: Path) -> None:
    plan = journal_of(distributed).plan
    assert plan is not None
    assert set(plan.cases) == GUEST_KEYS | C_KEYS
    assert len(plan.cases) == len(GUEST_KEYS | C_KEYS)
    assert journal_of(distributed).missing() == []
    assert list(distributed.glob(".found*")) == []


def test_a_run_in_workers_is_finished(project: Path, distributed: Path) -> None:
    for keep in (5, 1):
        before = cut(distributed, keep)
        assert len(before.missing()) == 6 - keep
        done = kharness(project, "resume", "xdist")
        assert done.returncode == 1, done.stdout + done.stderr
        after = journal_of(distributed)
        assert after.results[:keep] == before.results
        assert sorted(keys(after)) == sorted(GUEST_KEYS | C_KEYS)
        assert after.missing() == []


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["alone", "xdist"])
def test_what_was_not_selected_is_not_run(project: Path, workers: tuple[str, ...]) -> None:
    name = f"selected{len(workers)}"
    run_pytest(project, *workers, "--run-dir", name, "-k", "class or fails", FILE)
    selected = GUEST_KEYS - {(f"{FILE}::test_kills_its_worker", KERNEL)}
    before = cut(project / name, 1)
    assert set(before.missing()) == selected - set(keys(before))
    assert kharness(project, "resume", name).returncode == 1
    assert set(keys(journal_of(project / name))) == selected


def test_a_run_from_a_folder_below_pytests_own_is_finished(project: Path) -> None:
    folder = project / "cases"
    run_pytest(folder, "-n", "2", "--run-dir", "below", "-k", "fails or first", "own")
    before = cut(folder / "below", 1)
    assert before.plan is not None
    assert set(before.plan.cases) == {
        ("own/test_all.py::test_fails", KERNEL),
        ("own/plain.c::first", KERNEL),
    }
    assert kharness(folder, "resume", "below").returncode == 1
    assert each_once(folder / "below") == ["first", "test_fails"]


def test_tests_without_a_guest_belong_to_the_plan_of_kharness_run(project: Path) -> None:
    kharness(project, "run", "--run-dir", "mine", FILE)
    plan = journal_of(project / "mine").plan
    assert plan is not None
    assert set(plan.cases) == {*GUEST_KEYS, HOST_KEY}
    before = cut(project / "mine", 2)
    assert HOST_KEY in before.missing()
    assert kharness(project, "resume", "mine").returncode == 1
    after = journal_of(project / "mine")
    assert sorted(keys(after)) == sorted({*GUEST_KEYS, HOST_KEY})
    told = kharness(project, "report", "mine", "--format", "markdown=mine.md")
    assert "nothing is known" not in (project / "mine.md").read_text() + told.stdout


def test_tests_without_a_guest_need_no_kernel(tmp_path: Path) -> None:
    (tmp_path / "harness.toml").write_text(SETTINGS.replace("debian:6.12", "./there-is-none"))
    (tmp_path / "test_plain.py").write_text("def test_one(): pass\ndef test_two(): pass\n")
    done = kharness(tmp_path, "run", "--run-dir", "run", "test_plain.py")
    assert done.returncode == 0, done.stdout + done.stderr
    before = cut(tmp_path / "run", 1)
    assert [kernel for _, kernel in before.missing()] == ["host"]
    assert kharness(tmp_path, "resume", "run").returncode == 0
    assert each_once(tmp_path / "run") == ["test_one", "test_two"]


def test_a_worker_that_dies_is_told_of_for_tests_of_the_run(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KILLS", "1")
    words = ("-n", "2", "--run-dir", "dies", "-k", "kills or without", FILE)
    done = run_pytest(project, *words)
    assert len(re.findall("worker '.*' crashed", done.stdout)) >= 2, done.stdout
    (lost,) = by_name(project / "dies").values()
    assert (lost.case, lost.kernel) == (f"{FILE}::test_kills_its_worker", KERNEL)
    assert (lost.classname, lost.name) == ("own.test_all", "test_kills_its_worker")
    assert (lost.outcome, lost.message) == (
        Outcome.ERROR,
        "the worker that ran this test died",
    )
    assert journal_of(project / "dies").missing() == []
    assert list((project / "dies").glob(".found*")) == []  # of those that replaced them, neither


def test_workers_of_a_project_without_guests_leave_nothing(tmp_path: Path) -> None:
    (tmp_path / "test_plain.py").write_text("def test_one(): pass\n")
    done = run_pytest(tmp_path, "-n", "1")
    assert done.returncode == 0, done.stdout
    assert not (tmp_path / ".kharness").exists()


def test_a_folder_that_holds_a_run_is_refused_in_one_line(project: Path, distributed: Path) -> None:
    before = (distributed / "journal.jsonl").read_bytes()
    done = run_pytest(project, "-n", "2", "--run-dir", "xdist", "-k", "fails", FILE)
    assert (done.returncode, done.stdout) == (4, ""), "nothing has begun"
    (said,) = done.stderr.strip().splitlines()
    assert "xdist holds a run already: give another --run-dir, or kharness resume" in said
    assert (distributed / "journal.jsonl").read_bytes() == before


@pytest.mark.parametrize("elsewhere", [False, True], ids=["project", "elsewhere"])
def test_the_command_that_is_shown_finishes_the_run(
    project: Path, tmp_path: Path, elsewhere: bool
) -> None:
    folder = tmp_path / "a folder" / "run"
    here = tmp_path if elsewhere else project
    kharness(project, "run", "--run-dir", str(folder), "-k", "first or last", "cases")
    cut(folder, 1)
    said = kharness(here, "report", str(folder)).stdout
    found = re.search(r"incomplete: 1 of 2 cases have no result; kharness (.*) runs them", said)
    assert found, said
    assert kharness(here, *shlex.split(found[1])).returncode == 0
    assert each_once(folder) == ["first", "last"]
