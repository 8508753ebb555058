# SPDX-License-Identifier: GPL-2.0-only
"""Journals that somebody else wrote: what cannot be read is refused in a line, by every command."""

import json
from dataclasses import replace
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from harness.cli_html import html
from harness.cli_judge import compare_command
from harness.cli_resume import report
from harness.errors import UsageError
from harness.report.formats import FORMATS, ReportSettings
from harness.report.html.headline import headline
from harness.report.journal import FORMAT, NAME, Journal, read_journal
from harness.report.stream import JournalIndex
from harness.verdict.outcome import HOST, Outcome
from tests.report.example_run import passing, result, run, write_run


def calls(folder: Path) -> list[tuple[click.Command, list[str]]]:
    return [(html, [str(folder)]), (report, [str(folder)]), (compare_command, [str(folder)] * 2)]


def refused(command: click.Command, words: list[str]) -> str:
    done = CliRunner().invoke(command, words, catch_exceptions=False)
    assert done.exit_code == 4
    assert done.output.startswith("kharness: ")
    assert done.output.count("\n") == 1
    return done.output


def test_garbage_is_no_run(tmp_path: Path) -> None:
    (tmp_path / NAME).write_text("garbage\n{}\n")
    for command, words in calls(tmp_path):
        refused(command, words)
    assert not (tmp_path / "report.html").exists()


def test_a_newer_format_is_refused_by_name(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", passing())
    first, rest = (folder / NAME).read_text().split("\n", 1)
    newer = json.dumps({**json.loads(first), "format": 99})
    (folder / NAME).write_text(f"{newer}\n{rest}")
    for command, words in calls(folder):
        assert f"has format 99, and this kharness knows up to {FORMAT}" in refused(command, words)
    with pytest.raises(UsageError, match="format 99"):
        read_journal(folder / NAME)
    other = write_run(tmp_path / "other", passing(day=21))
    assert "format 99" in refused(html, [str(other), "--history", str(folder)])


def test_a_history_that_is_no_journal_is_refused(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", passing())
    file = tmp_path / "file"
    file.write_text("")
    assert "is no journal of a run" in refused(html, [str(folder), "--history", str(file)])
    done = CliRunner().invoke(html, [str(folder), "--history", str(folder / NAME)])
    assert done.exit_code == 0


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("seconds", [1e308, -1e308])
def test_a_time_out_of_all_bounds_stops_no_report(name: str, seconds: float) -> None:
    one = passing(2)
    one.results = [replace(r, duration_s=seconds) for r in one.results]
    assert FORMATS[name].text(one, ReportSettings())


def test_a_run_without_guests_is_whole_on_its_page() -> None:
    one = Journal(run(), [], [result(1, Outcome.PASS, HOST)], ended=True)
    with JournalIndex.of(one) as index:
        assert headline(index).word == "PASS"
