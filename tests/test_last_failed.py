# SPDX-License-Identifier: GPL-2.0-only
"""``kharness run --lf``: what failed in the latest run, however that was started."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.judging import each_once, journal_of, kharness

TESTS = """
import os
import pytest
@pytest.mark.parametrize("name", ["a", "b", "c"])
def test(name):
    assert name not in os.environ["BAD"]
"""
LATEST = Path(".kharness", "runs", "latest")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "harness.toml").write_text('[run]\ncases = ["test_it.py"]\n')
    (tmp_path / "test_it.py").write_text(TESTS)
    return tmp_path


def run(project: Path, bad: str, *words: str) -> subprocess.CompletedProcess[str]:
    return kharness(project, "run", *words, env={**os.environ, "BAD": bad})


def test_it_is_what_failed_in_the_latest_run(project: Path) -> None:
    assert run(project, "a").returncode == 1
    assert run(project, "a", "--lf").returncode == 1
    assert each_once(project / LATEST) == ["test[a]"]
    # A failure that is younger than the one before.
    assert run(project, "b").returncode == 1
    name = (project / LATEST).resolve().name
    done = run(project, "b", "--lf")
    assert done.returncode == 1, done.stdout
    assert each_once(project / LATEST) == ["test[b]"]
    assert f"--lf: 1 failed in {name}" in done.stdout
    assert run(project, "", "--lf").returncode == 0
    # Nothing is left, so it is all of them, as with pytest.
    done = run(project, "", "--lf")
    assert each_once(project / LATEST) == ["test[a]", "test[b]", "test[c]"]
    assert "nothing failed in" in done.stdout
    assert not (project / ".pytest_cache").exists()


def test_without_an_earlier_run_it_is_everything(project: Path) -> None:
    done = run(project, "", "--lf")
    assert (done.returncode, "no earlier run" in done.stdout) == (0, True)
    assert len(each_once(project / LATEST)) == 3


def test_what_failed_and_is_not_asked_for_is_no_pass(project: Path) -> None:
    assert run(project, "b").returncode == 1
    done = run(project, "", "--lf", "-k", "not b")
    assert done.returncode == 5, done.stdout
    assert "1 of them are not among these" in done.stdout


def test_who_hunts_for_a_flake_has_it_again(project: Path) -> None:
    text = 'import pathlib\ndef test_b():\n    seen = pathlib.Path("seen")\n'
    text += "    assert not seen.exists() and not seen.touch()\ndef test_c():\n    pass\n"
    (project / "test_it.py").write_text(text)
    assert run(project, "", "--repeat", "2").returncode == 1
    (project / "seen").unlink()
    assert run(project, "", "--lf").returncode == 0
    assert each_once(project / LATEST) == ["test_b"]


def test_a_run_that_is_finished_later_takes_the_same(project: Path) -> None:
    assert run(project, "ab").returncode == 1
    assert run(project, "ab", "--lf", "-x").returncode == 1
    assert each_once(project / LATEST) == ["test[a]"]
    done = kharness(project, "resume", "latest", env={**os.environ, "BAD": "b"})
    assert done.returncode == 1, done.stdout
    assert each_once(project / LATEST) == ["test[a]", "test[b]"]
    assert journal_of(project / LATEST).missing() == []
