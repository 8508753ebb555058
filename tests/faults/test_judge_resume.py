# SPDX-License-Identifier: GPL-2.0-only
"""A run that was cut off anywhere is finished without losing or doubling a result."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from junitparser import JUnitXml

from harness.errors import ExitCode
from harness.report.journal import JournalWriter, read_journal
from harness.report.terminal import exit_code
from harness.verdict.outcome import Outcome
from tests.judging import (
    by_name,
    each_once,
    journal_of,
    kharness,
    kill,
    line_with,
    make_project,
    start,
)

pytestmark = pytest.mark.guest
CASES = """
TEST(one) { EXPECT_EQ(1, 1); }
TEST(two) { EXPECT_EQ(1, 2); }
TEST(three) { SKIP("no reason"); }
TEST(four) { EXPECT_EQ(1, 1); }
TEST(slow) { sleep(1); EXPECT_EQ(1, 1); }
"""
NAMES = ["four", "one", "slow", "three", "two"]
EXPECTED = {
    "one": Outcome.PASS,
    "two": Outcome.FAIL,
    "three": Outcome.SKIP,
    "four": Outcome.PASS,
    "slow": Outcome.PASS,
}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_project(tmp_path_factory.mktemp("resume") / "p", CASES)


@pytest.fixture(scope="module")
def whole(project: Path) -> bytes:
    """The journal of a run that came to its end."""
    assert kharness(project, "run", "--run-dir", "whole").returncode == 1
    return (project / "whole" / "journal.jsonl").read_bytes()


def cut(folder: Path, data: bytes) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "journal.jsonl").write_bytes(data)
    return folder / "journal.jsonl"


def test_a_journal_starts_with_the_run_and_its_plan(project: Path, whole: bytes) -> None:
    journal = journal_of(project / "whole")
    assert journal.run is not None
    assert journal.run.start == str(project)
    assert journal.run.options["kernel"] == ["debian:6.12"]
    assert journal.plan is not None
    assert sorted(case for case, _ in journal.plan.cases) == [f"cases/a.c::{n}" for n in NAMES]
    assert set(journal.plan.kernels) == {"debian-6.12"}
    assert set(journal.plan.programs) == {"/case/a"}
    assert journal.ended
    assert journal.missing() == []
    kinds = re.findall(rb'^\{"kind": "(\w+)"', whole, re.M)
    assert kinds[:2] == [b"run", b"plan"]
    assert kinds[-1] == b"end"


def test_cut_at_every_byte_nothing_is_lost_or_invented(tmp_path: Path, whole: bytes) -> None:
    """What was whole is read; what comes behind the cut is read as well."""
    original = read_journal(cut(tmp_path / "original", whole))
    path = tmp_path / "cut" / "journal.jsonl"
    newlines = [m.start() for m in re.finditer(b"\n", whole)]
    for at in range(len(whole)):
        cut(path.parent, whole[:at])
        journal = read_journal(path)
        # A line counts when all of it is there but perhaps its newline.
        lines = sum(1 for n in newlines if n <= at)
        assert journal.results == original.results[: len(journal.results)]
        kinds = [line[10:15] for line in whole.split(b"\n")[:lines]]
        assert len(journal.results) == sum(kind == b"resul" for kind in kinds)
        if journal.plan is None:
            assert journal.results == []
        else:
            done = journal.done()
            assert len(done) + len(journal.missing()) == len(NAMES)
            assert not done & set(journal.missing())
        assert journal.ended == (at == len(whole) - 1)
        if at % 7 and at < len(whole) - 1:
            continue
        with_more = JournalWriter(path)
        with_more.resume("2026-01-01T00:00:00+00:00", "kharness resume")
        for result in original.results[len(journal.results) :]:
            with_more.result(result)
        with_more.end(1)
        with_more.close()
        again = read_journal(path)
        assert again.results == original.results
        assert again.damaged <= 1
        assert again.ended


def places(whole: bytes) -> dict[str, int]:
    """Where to cut a journal, by name: offsets into it."""
    ends = [m.end() for m in re.finditer(b"\n", whole)]
    starts = [m.start() for m in re.finditer(rb'^\{"kind": "result"', whole, re.M)]
    return {
        "in the plan": ends[0] + 40,
        "after the plan": ends[1],
        "in the first result": starts[0] + 30,
        "before a newline": whole.index(b"\n", starts[1]),
        "in the last result": starts[-1] + 200,
        "before the end": whole.rindex(b'{"kind": "end"'),
        "in the end": len(whole) - 5,
    }


@pytest.mark.parametrize(
    "where",
    [
        *("in the plan", "after the plan", "in the first result", "before a newline"),
        *("in the last result", "before the end", "in the end"),
    ],
)
def test_resume_runs_what_is_missing_and_only_that(project: Path, whole: bytes, where: str) -> None:
    folder = project / where.replace(" ", "-")
    path = cut(folder, whole[: places(whole)[where]])
    before = read_journal(path)
    told = kharness(project, "report", folder.name)
    failed = exit_code(r.outcome for r in before.results) is ExitCode.FAILED
    assert told.returncode == (ExitCode.FAILED if failed else ExitCode.INTERRUPTED)
    assert (folder / "junit.xml").is_file()
    if before.plan and before.missing():
        assert f"incomplete: {len(before.missing())} of 5 cases have no result" in told.stdout
    done = kharness(project, "resume", folder.name)
    assert done.returncode == 1, done.stdout + done.stderr
    after = read_journal(path)
    assert after.results[: len(before.results)] == before.results
    assert each_once(folder) == NAMES
    assert {n: r.outcome for n, r in by_name(folder).items()} == EXPECTED
    assert after.ended
    (suite,) = JUnitXml.fromfile(str(folder / "junit.xml"))
    assert sorted(case.name for case in suite) == NAMES
    # Once more there is nothing to do, and the code is the same.
    size = path.stat().st_size
    assert kharness(project, "resume", folder.name).returncode == 1
    assert path.stat().st_size == size


def test_a_journal_without_its_first_line_says_so(project: Path, whole: bytes) -> None:
    folder = project / "nothing"
    cut(folder, whole[:100])
    for command in ("resume", "report"):
        done = kharness(project, command, "nothing")
        assert done.returncode == 4
        assert "its journal has no first line" in done.stderr
        assert len(done.stderr.splitlines()) == 1


def test_what_a_run_left_that_was_killed_in_its_reports_goes(project: Path, whole: bytes) -> None:
    folder = project / "reports"
    cut(folder, whole[: places(whole)["before the end"]])
    script = (
        "import sys; from pathlib import Path; from harness.cache import owned\n"
        "(Path(sys.argv[1]) / (owned('.junit.xml.') + 'x')).write_text('half')\n"
    )
    subprocess.run([sys.executable, "-c", script, str(folder)], check=True)
    assert len(list(folder.glob(".junit.xml.*"))) == 1
    assert kharness(project, "resume", "reports").returncode == 1
    assert list(folder.glob(".*")) == []
    assert (folder / "junit.xml").is_file()


def test_zeros_that_a_power_cut_left_are_a_damaged_line(project: Path, whole: bytes) -> None:
    folder = project / "zeros"
    path = cut(folder, whole[: places(whole)["in the last result"]] + bytes(3000))
    done = kharness(project, "resume", "zeros")
    assert done.returncode == 1
    assert "1 line is damaged" in done.stdout
    assert each_once(folder) == NAMES
    assert read_journal(path).damaged == 1


def test_after_kill_9_no_result_is_lost_and_the_rest_is_run(project: Path) -> None:
    process = start(project, "run", "--run-dir", "killed", "-v", "-n", "1")
    shown = [line_with(process, "cases/a.c::").split("::")[1].split()[0] for _ in range(2)]
    kill(process)
    kept = {n: r.started for n, r in by_name(project / "killed").items()}
    assert set(shown) <= set(kept)
    assert kharness(project, "resume", "killed").returncode == 1
    assert each_once(project / "killed") == NAMES
    after = by_name(project / "killed")
    assert {n: after[n].started for n in kept} == kept


def test_a_run_that_goes_on_is_left_alone(project: Path) -> None:
    process = start(project, "run", "--run-dir", "busy", "-v", "-n", "1", "--repeat", "40")
    while not (project / "busy" / "journal.jsonl").exists():
        assert process.poll() is None
    done = kharness(project, "resume", "busy")
    kill(process)
    assert done.returncode == 4
    assert "is being written by a run that still goes on" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_case_that_is_not_the_same_any_more_is_not_mixed_in(tmp_path: Path) -> None:
    project = make_project(tmp_path / "p", CASES)
    kharness(project, "run", "--run-dir", "run")
    data = (project / "run" / "journal.jsonl").read_bytes()
    cut(project / "run", data[: places(data)["in the last result"]])
    source = project / "cases" / "a.c"
    source.write_text(source.read_text().replace("EXPECT_EQ(1, 2)", "EXPECT_EQ(1, 3)"))
    size = (project / "run" / "journal.jsonl").stat().st_size
    refused = kharness(project, "resume", "run")
    assert refused.returncode == 4
    assert "cases of a is not the same any more" in refused.stderr
    assert "--force" in refused.stderr
    assert not read_journal(project / "run" / "journal.jsonl").ended
    # The torn line was ended, and nothing else was written.
    assert (project / "run" / "journal.jsonl").stat().st_size == size + 1
    assert kharness(project, "resume", "run", "--force").returncode == 1
    assert each_once(project / "run") == NAMES


def test_a_kernel_that_is_not_the_same_any_more_is_not_mixed_in(
    project: Path, whole: bytes
) -> None:
    old = whole[: places(whole)["in the last result"]]
    digest = read_journal(project / "whole" / "journal.jsonl").plan
    assert digest is not None
    cut(project / "older", old.replace(digest.kernels["debian-6.12"].encode(), b"0" * 64))
    refused = kharness(project, "resume", "older")
    assert refused.returncode == 4
    assert "kernel debian-6.12 is not the same any more" in refused.stderr


def test_a_case_that_is_gone_is_named(tmp_path: Path) -> None:
    project = make_project(tmp_path / "p", CASES)
    kharness(project, "run", "--run-dir", "run")
    data = (project / "run" / "journal.jsonl").read_bytes()
    cut(project / "run", data[: places(data)["after the plan"]])
    source = project / "cases" / "a.c"
    source.write_text(source.read_text().replace("TEST(four)", "TEST(fourth)"))
    refused = kharness(project, "resume", "run")
    assert refused.returncode == 4
    assert "cases/a.c::four [debian-6.12] is not there any more" in refused.stderr


def test_an_xdist_run_is_finished_too(project: Path) -> None:
    words = [sys.executable, "-m", "pytest", "cases", "-n", "2", "-p", "no:cacheprovider"]
    subprocess.run([*words, "--run-dir", "xdist"], cwd=project, capture_output=True, check=False)
    path = project / "xdist" / "journal.jsonl"
    data = path.read_bytes()
    assert each_once(project / "xdist") == NAMES
    cut(path.parent, data[: places(data)["in the last result"]])
    assert kharness(project, "resume", "xdist").returncode == 1
    assert each_once(project / "xdist") == NAMES
