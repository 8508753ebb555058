# SPDX-License-Identifier: GPL-2.0-only
"""A run of which something is missing: what the terminal calls it, and what `report` exits with."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from click.testing import Result as Called

from harness.cli_judge import compare_command
from harness.cli_resume import report as command
from harness.report.formats import FORMATS, ReportSettings
from harness.report.journal import NAME, Journal, JournalWriter, Plan
from harness.report.read import read_run
from harness.verdict.outcome import Outcome
from tests.report.example_run import KERNELS, result, run, write_run

KEYS = [(result(n, Outcome.PASS).case, KERNELS[0].name) for n in range(38)]


def cut(*bad: Outcome) -> Journal:
    """A run of 38 cases that was killed when 8 had a result, the last of them as given."""
    results = [result(n, Outcome.PASS) for n in range(8)]
    for n, outcome in enumerate(bad):
        results[7 - n] = replace(results[7 - n], outcome=outcome, message="evil")
    return Journal(run(start="/none"), KERNELS[:1], results, plan=Plan(tuple(KEYS)))


def report(folder: Path, *words: str) -> Called:
    return CliRunner().invoke(command, [str(folder), *words], catch_exceptions=False)


def test_a_run_that_was_killed_is_incomplete_and_no_pass(tmp_path: Path) -> None:
    done = report(write_run(tmp_path / "run", cut()))
    assert "INCOMPLETE: 8 pass, 30 of 38 have no result; the cases took 1.0 s" in done.output
    assert "PASS:" not in done.output
    assert done.exit_code == 2


@pytest.mark.parametrize(
    ("outcome", "verdict", "code"), [(Outcome.FAIL, "FAIL", 1), (Outcome.ERROR, "ERROR", 2)]
)
def test_what_went_wrong_before_is_said_first(
    outcome: Outcome, verdict: str, code: int, tmp_path: Path
) -> None:
    done = report(write_run(tmp_path / "run", cut(outcome)))
    assert (
        f"{verdict}: 7 pass, 1 {outcome.value}, 30 of 38 have no result; the cases took 1.0 s"
        in done.output
    )
    assert done.exit_code == code


def test_a_damaged_line_is_something_missing(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", replace(cut(), ended=True))
    with (folder / NAME).open("a") as stream:
        stream.write("half a li\n")
    done = report(folder)
    assert "INCOMPLETE: 8 pass, 30 of 38 have no result; the" in done.output
    assert done.exit_code == 2


def test_a_damaged_line_of_a_run_that_has_every_result_is_no_lack(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", replace(cut(), plan=Plan(tuple(KEYS[:8]))))
    with (folder / NAME).open("a") as stream:
        stream.write("half a li\n")
    assert (
        "INCOMPLETE: 8 pass, 1 line of the journal could not be read; the" in report(folder).output
    )
    with JournalWriter(folder / NAME, durable=False) as writer:
        writer.resume("", "")
        writer.end(0)
    done = report(folder)
    assert "PASS: 8 pass; the cases took 1.0 s" in done.output
    assert done.exit_code == 0


def test_of_a_whole_run_the_reports_are_a_success_whatever_came(tmp_path: Path) -> None:
    whole = replace(cut(Outcome.FAIL), ended=True, plan=Plan(tuple(KEYS[:8])))
    done = report(write_run(tmp_path / "run", whole))
    assert "FAIL: 7 pass, 1 fail; the cases took 1.0 s" in done.output
    assert done.exit_code == 0


@pytest.mark.parametrize("name", FORMATS)
def test_no_format_calls_it_a_pass(name: str) -> None:
    text = FORMATS[name].text(cut(), ReportSettings())
    assert "PASS:" not in text
    assert "did not come to its end" in text


VERDICT = re.compile(r"\b(PASS|FAIL|INCOMPLETE)\b", re.I)


def verdicts(folder: Path) -> dict[str, str]:
    """What each report that has a verdict calls a run, the terminal among them."""
    done = report(folder, "--format", "json,markdown,tap")
    texts = {name: (folder / name).read_text() for name in ("summary.md", "results.tap")}
    words = {
        "terminal": next(line for line in done.output.splitlines() if "the cases took" in line),
        "page": (folder / "report.html").read_text().split("<title>")[1],
        "json": str(json.loads((folder / "results.json").read_text())["verdict"]),
        "markdown": texts["summary.md"].split("kharness: ")[1],
        "tap": texts["results.tap"].split("kharness: ")[1],
    }
    return {
        name: found[1].upper() for name, text in words.items() if (found := VERDICT.search(text))
    }


def told_missing(folder: Path) -> set[str]:
    """Reports of :func:`verdicts` that say that something is missing."""
    tap = (folder / "results.tap").read_text()
    data = json.loads((folder / "results.json").read_text())
    assert data["complete"] is not bool(data["missing"])
    said = {
        "page": "This report is not whole" in (folder / "report.html").read_text(),
        "json": not data["complete"],
        "markdown": "**Incomplete:**" in (folder / "summary.md").read_text(),
        "tap": "Bail out!" in tap,
        "compare": bool(read_run(folder).missing),
        "exit code": report(folder).exit_code != 0,
    }
    return {name for name, so in said.items() if so}


ALL = {"page", "json", "markdown", "tap", "compare", "exit code"}


def test_what_was_stopped_on_purpose_is_missing_everywhere(tmp_path: Path) -> None:
    results = [replace(result(0, Outcome.PASS), outcome=Outcome.FAIL)]
    stopped = Journal(run(start="/none"), KERNELS[:1], results, plan=Plan(tuple(KEYS[:3])))
    folder = write_run(tmp_path / "run", replace(stopped, ended=True))
    assert set(verdicts(folder).values()) == {"FAIL"}
    assert told_missing(folder) == ALL
    data = json.loads((folder / "results.json").read_text())
    assert data["missing"] == ["2 of 3 cases have no result"]
    assert "2 of 3 cases have no result" in (folder / "summary.md").read_text()


def test_a_damaged_line_of_a_run_that_has_every_result_is_a_note_everywhere(
    tmp_path: Path,
) -> None:
    folder = write_run(tmp_path / "run", replace(cut(), plan=Plan(tuple(KEYS[:8]))))
    with (folder / NAME).open("a") as stream:
        stream.write("half a li\n")
    with JournalWriter(folder / NAME, durable=False) as writer:
        writer.resume("", "")
        writer.end(0)
    found = verdicts(folder)
    assert found == dict.fromkeys(found, "PASS")
    assert len(found) == 5
    assert told_missing(folder) == set()
    assert "1 line of the journal could not be read" in (folder / "report.html").read_text()


def test_a_plan_that_cannot_be_read_leaves_no_run_whole(tmp_path: Path) -> None:
    whole = replace(cut(Outcome.FAIL), ended=True, plan=Plan(tuple(KEYS[:8])))
    folder = write_run(tmp_path / "run", whole)
    lines = (folder / NAME).read_text().splitlines()
    damaged = [line for line in lines if '"plan"' not in line and '"fail"' not in line]
    (folder / NAME).write_text("\n".join([*damaged, "?", "?", ""]))
    assert set(verdicts(folder).values()) == {"INCOMPLETE"}
    assert told_missing(folder) == ALL
    assert "2 lines" in read_run(folder).missing


# Comparing with one


def test_a_run_that_was_killed_invents_no_regressions(tmp_path: Path) -> None:
    base = write_run(tmp_path / "base", cut())
    results = [result(n, Outcome.PASS) for n in range(38)]
    results[20] = replace(results[20], outcome=Outcome.FAIL)
    whole = Journal(run(), KERNELS[:1], results, ended=True, plan=Plan(tuple(KEYS)))
    head = write_run(tmp_path / "head", whole)
    done = CliRunner().invoke(compare_command, [str(base), str(head)])
    assert f"base {base} is incomplete: 30 of 38 cases have no result" in done.output
    assert "NO JUDGEMENT: 30 could not be judged, 8 unchanged" in done.output
    assert done.exit_code == 3
    done = CliRunner().invoke(compare_command, [str(head), str(head)])
    assert "incomplete" not in done.output
    assert done.exit_code == 0


# GitHub


@pytest.fixture
def on_github(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    summary = tmp_path / "summary"
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    return summary


@pytest.mark.parametrize("name", ["github", "auto"])
def test_a_guest_gives_no_command_while_its_text_is_printed(
    name: str, on_github: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    journal = cut(Outcome.FAIL)
    journal.results[7] = replace(journal.results[7], detail="::add-mask::e")
    folder = write_run(tmp_path / "run", journal)
    with pytest.raises(SystemExit):
        command([str(folder), "--format", name])
    said = capfd.readouterr().out
    start = said.index("::stop-commands::")
    token = said[start + len("::stop-commands::") :].split("\n", 1)[0]
    end = said.index(f"\n::{token}::\n")
    assert start < said.index("\n  ::add-mask::e") < end
    assert said.index("::error ") > end
    assert said.index("::notice ") > end


def test_a_summary_is_added_when_asked_for_and_once(on_github: Path, tmp_path: Path) -> None:
    asked = replace(cut(), run=run(options={"formats": ["auto"]}))
    folder = write_run(tmp_path / "run", asked)
    report(folder)
    assert not on_github.exists()
    on_github.write_text("of a step before\n")
    report(folder, "--format", "auto")
    once = on_github.read_text()
    assert once.startswith("of a step before\n")
    assert once.count("INCOMPLETE: 8 pass") == 1
    report(folder, "--format", "auto")
    assert on_github.read_text() == once
