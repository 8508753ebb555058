# SPDX-License-Identifier: GPL-2.0-only
"""Runs of their own: what becomes of one that is killed."""

import sys
from pathlib import Path

import pytest

from harness.errors import HostError
from harness.report.journal import JournalWriter, RunInfo
from harness.subrun import run_on
from harness.verdict.outcome import Outcome, Result

STAND_IN = """\
#!/bin/sh
# kharness run, as far as its journal goes: --run-dir is the word before the last.
for word; do folder=$last; last=$word; done
mkdir -p "$folder"
cat {journal} > "$folder/journal.jsonl"
{then}
"""


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    """A run that has a result and no end."""
    path = tmp_path / "kept.jsonl"
    with JournalWriter(path) as writer:
        writer.run(RunInfo("x", "2026-01-01T00:00:00+00:00", "kharness run", "1", "1"))
        writer.result(Result("a.c::one", "a", "one", "k", Outcome.PASS))
    return path


def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, journal: Path, then: str) -> None:
    program = tmp_path / "python"
    program.write_text(STAND_IN.format(journal=journal, then=then))
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program))


@pytest.mark.parametrize(
    ("then", "says"),
    [
        ("kill -9 $$", "the run on k was cut off: killed by SIGKILL"),
        ("echo kharness: no room; exit 3", "the run on k was cut off: kharness: no room"),
        ("rm $folder/journal.jsonl; exit 5", "no case ran on k: exit 5"),
    ],
)
def test_a_run_that_was_cut_off_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, journal: Path, then: str, says: str
) -> None:
    stand_in(tmp_path, monkeypatch, journal, then)
    with pytest.raises(HostError) as caught:
        run_on(Path("k"), tmp_path / "run", ["a.c"], [])
    assert caught.value.what == says
    assert caught.value.hint == f"see {tmp_path / 'run.log'}"


def test_a_run_that_came_to_its_end_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, journal: Path
) -> None:
    with JournalWriter(journal) as writer:
        writer.end(1)
    stand_in(tmp_path, monkeypatch, journal, "exit 1")
    assert [r.name for r in run_on(Path("k"), tmp_path / "run", ["a.c"], []).results] == ["one"]
