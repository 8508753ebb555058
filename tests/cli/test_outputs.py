# SPDX-License-Identifier: GPL-2.0-only
"""Where commands are told to write: what they refuse before the work, and say after it."""

import errno
import os
import shutil
from pathlib import Path

import pytest

from harness.errors import HostError, UsageError
from harness.outputs import Failures, Output, cannot_write, check_outputs
from tests.judging import kharness

TESTS = """
import pathlib

def test_passes():
    print("  ::add-mask::e")

def test_puts_a_file_where_a_folder_was():
    if pathlib.Path("out").is_dir():
        pathlib.Path("out").rmdir()
        pathlib.Path("out").write_text("")
"""
RECORD = "run/journal.jsonl"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with a run of tests that need no guest."""
    folder = tmp_path_factory.mktemp("outputs")
    (folder / "test_host.py").write_text(TESTS)
    done = kharness(folder, "run", "test_host.py", "--run-dir", "run")
    assert done.returncode == 0, done.stdout
    return folder


@pytest.fixture
def project(made: Path, tmp_path: Path) -> Path:
    return shutil.copytree(made, tmp_path / "project")


# What is refused


@pytest.mark.parametrize(
    "words",
    [
        ("report", "run", "--format", f"tap={RECORD}"),
        ("report", "run", "--junit", RECORD),
        ("report", "run", "--junit", "link"),
        ("html", "run", "-o", RECORD),
        ("html", "other", "--history", "run", "-o", RECORD),
        ("parse", "log", "--junit", "log"),
        ("parse", "log", "--format", "tap=log"),
        ("parse", "log", "--out", "new", "--format", "tap=new/journal.jsonl"),
        ("run", "test_host.py", "--run-dir", "new", "--junit", "new/journal.jsonl"),
        ("run", "test_host.py", "--run-dir", "new", "--format", "tap=new/journal.jsonl"),
        ("compare", "run", "run", "--out", "difference"),
        ("compare", "difference/difference.xml", "run", "--out", "difference"),
    ],
    ids=" ".join,
)
def test_what_is_read_is_never_written_over(words: tuple[str, ...], project: Path) -> None:
    record = project / RECORD
    (project / "link").symlink_to(RECORD)
    (project / "difference").mkdir()
    (project / "difference" / "difference.md").hardlink_to(record)
    shutil.copy(project / "run" / "junit.xml", project / "difference" / "difference.xml")
    shutil.copytree(project / "run", project / "other")
    (project / "log").write_text("TAP version 13\n1..1\nok 1 a\n")
    before = record.read_bytes(), (project / "log").read_bytes()
    done = kharness(project, *words)
    assert done.returncode == 4, done.stdout
    assert "is what the report is made from" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert (record.read_bytes(), (project / "log").read_bytes()) == before


@pytest.mark.parametrize(
    "words",
    [
        ("report", "run", "--format", "tap=one,json=./one"),
        ("report", "run", "--format", "tap=one", "--junit", "one"),
        ("report", "run", "--format", "tap=run/junit.xml"),
        ("run", "test_host.py", "--junit", "one", "--html", "one"),
        ("parse", "log", "--format", "tap=one,json=one"),
    ],
    ids=" ".join,
)
def test_two_reports_are_not_one_file(words: tuple[str, ...], project: Path) -> None:
    (project / "log").write_text("TAP version 13\n1..1\nok 1 a\n")
    done = kharness(project, *words)
    assert done.returncode == 4, done.stdout
    assert "give each its own" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize("option", ["--junit", "--html", "--format"])
def test_a_run_does_not_begin_when_its_reports_have_no_place(option: str, project: Path) -> None:
    value = "file/x" if option != "--format" else "tap=file/x"
    (project / "file").write_text("")
    done = kharness(project, "run", "test_host.py", "--run-dir", "new", option, value)
    assert done.returncode == 4, done.stdout
    assert "cannot write" in done.stderr
    assert "a part of the path is a file, not a folder" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not (project / "new").exists()


@pytest.mark.parametrize("name", ["junit.xml", "journal.jsonl", "consoles"])
def test_a_run_folder_is_new_or_empty(name: str, project: Path) -> None:
    folder = project / "mine"
    folder.mkdir()
    (folder / ".gitkeep").touch()
    (folder / name).write_text("what was there")
    done = kharness(project, "run", "test_host.py", "-k", "passes", "--run-dir", "mine")
    assert done.returncode == 4, done.stdout
    assert "give another --run-dir" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert {path.name for path in folder.iterdir()} == {".gitkeep", name}
    assert (folder / name).read_text() == "what was there"
    (folder / name).unlink()
    done = kharness(project, "run", "test_host.py", "-k", "passes", "--run-dir", "mine")
    assert done.returncode == 0, done.stderr


def test_out_of_compare_below_a_file_is_one_line(project: Path) -> None:
    (project / "file").write_text("")
    done = kharness(project, "compare", "run", "run", "--out", "file/x")
    assert done.returncode == 4
    assert done.stderr.count("\n") == 1


def test_a_merge_into_one_of_its_inputs_has_read_it(project: Path) -> None:
    file = project / "run" / "junit.xml"
    done = kharness(project, "junit", "merge", str(file), str(file), "-o", str(file))
    assert done.returncode == 0, done.stderr
    assert 'tests="4"' in file.read_text()


# What fails at the end


def test_one_report_that_fails_takes_nothing_else_with_it(project: Path) -> None:
    (project / "out").mkdir()
    more = ("--junit", "out/x.xml", "--format", "json,tap=out/x.tap")
    done = kharness(project, "run", "test_host.py", "--run-dir", "new", *more)
    assert done.returncode == 3
    assert "PASS: 2 pass" in done.stdout
    assert "run folder: " in done.stdout
    assert {"junit.xml", "report.html", "results.json"} <= {p.name for p in project.glob("new/*")}
    assert "x.xml: " in done.stderr
    assert "x.tap: " in done.stderr
    assert "not a folder" in done.stderr
    assert "Traceback" not in done.stderr


# The rules


def test_a_device_may_be_written_to_twice(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    places = [Output(f"--format {kind}", tmp_path / "pipe", kind) for kind in ("tap", "json")]
    check_outputs(places)


def test_one_kind_may_have_its_place_named_twice(tmp_path: Path) -> None:
    check_outputs(
        [Output("--junit", tmp_path / "x", "junit"), Output("own", tmp_path / "x", "junit")]
    )


@pytest.mark.parametrize("name", ["folder", "file/x", "loop", "/proc/none/x"])
def test_a_place_that_cannot_be_written_is_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("")
    (tmp_path / "loop").symlink_to("loop")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(UsageError, match="cannot write"):
        check_outputs([Output("--junit", tmp_path / name, "junit")])
    assert sorted(tmp_path.rglob("*")) == before


def test_folders_that_are_missing_will_be_made(tmp_path: Path) -> None:
    check_outputs([Output("--junit", tmp_path / "a" / "b" / "x", "junit")])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("number", "advice"),
    [
        (errno.ENOSPC, "make room"),
        (errno.EACCES, "may write"),
        (errno.EISDIR, "it is a folder"),
        (errno.ENOTDIR, "a file, not a folder"),
        (errno.EEXIST, "a file, not a folder"),
    ],
)
def test_advice_is_for_what_went_wrong(number: int, advice: str) -> None:
    assert advice in str(cannot_write(Path("x"), OSError(number, os.strerror(number))))


def test_of_many_failures_all_are_told_once() -> None:
    failures = Failures()
    for words in ("a", "b", "b", "a"):
        with failures.kept():
            raise HostError(words)
    with pytest.raises(HostError, match="a") as caught:
        failures.tell()
    assert caught.value.whole == "a; b"
    Failures().tell()
