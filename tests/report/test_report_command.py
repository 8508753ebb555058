# SPDX-License-Identifier: GPL-2.0-only
"""``kharness report``: the reports of a run anew, for whoever reads them."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from lxml import etree

from harness.report.flavour import FLAVOURS
from harness.report.journal import Journal
from harness.report.junit_rules import check_junit
from tests.report.example_run import journal
from tests.serve.conftest import put


def report(folder: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "harness.cli", "report", *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def a_run(folder: Path, asked: str | None = None) -> Path:
    """A run folder with failures that have a place, which jenkins' flavour does not tell."""
    whole = journal()
    assert whole.run is not None
    options = {"junit_flavour": asked} if asked else {}
    run = replace(whole.run, start=str(folder), options=options)
    failed = [replace(r, file="cases/x.c", line=3) for r in whole.results]
    put(folder / "run", Journal(run, whole.kernels, failed, ended=True))
    return folder / "run"


def places(path: Path) -> set[str | None]:
    return {case.get("file") for case in etree.parse(path).getroot().iter("testcase")}


@pytest.mark.parametrize("asked", [None, "ant"], ids=["run without", "run with another"])
def test_the_flavour_that_is_given_counts(tmp_path: Path, asked: str | None) -> None:
    run = a_run(tmp_path, asked)
    told = report(tmp_path, "run")
    assert told.returncode == 0, told.stderr
    assert places(run / "junit.xml") == {None}
    words = ("--junit-flavour", "gitlab", "--junit", "more.xml", "--format", "junit=third.xml")
    told = report(tmp_path, "run", *words)
    assert told.returncode == 0, told.stderr
    for path in (run / "junit.xml", tmp_path / "more.xml", tmp_path / "third.xml"):
        assert places(path) == {"cases/x.c"}
        assert list(check_junit(path, FLAVOURS["gitlab"])) == []


def test_a_flavour_that_is_none_is_said_before_anything_is_written(tmp_path: Path) -> None:
    run = a_run(tmp_path)
    told = report(tmp_path, "run", "--junit-flavour", "jenkinz")
    assert (told.returncode, told.stdout) == (4, "")
    assert told.stderr.splitlines()[-1].startswith(
        "Error: Invalid value for '--junit-flavour': 'jenkinz' is not one of 'jenkins', 'gitlab'"
    )
    assert not (run / "junit.xml").exists()
