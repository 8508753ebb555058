# SPDX-License-Identifier: GPL-2.0-only
"""``kharness parse``: anybody's log in, the reports and the exit code of a run out."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from junitparser import JUnitXml

from harness.report.journal import read_journal
from harness.report.read import read_results
from harness.verdict.outcome import Outcome, Result

LOGS = Path(__file__).parent / "verdict" / "ktap"


def parse(*arguments: str | Path, text: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "harness.cli", "parse", *map(str, arguments)]
    return subprocess.run(command, input=text, capture_output=True, check=False)


@pytest.mark.parametrize(
    ("log", "code"), [("prefixes", 0), ("names", 1), ("bail", 3), ("plan-none", 5)]
)
def test_the_exit_code_is_that_of_a_run(log: str, code: int) -> None:
    done = parse(LOGS / f"{log}.log")
    assert (done.returncode, done.stderr) == (code, b"")


def test_it_reads_standard_input() -> None:
    done = parse("-", text=b"TAP version 13\n1..1\nok 1 a\n")
    assert done.returncode == 0
    assert b"PASS: 1 pass" in done.stdout


def test_junit_has_every_result(tmp_path: Path) -> None:
    done = parse(LOGS / "kunit-printk.log", "--junit", tmp_path / "j.xml", "--kernel", "v6.12")
    assert done.returncode == 1
    suite = next(iter(JUnitXml.fromfile(str(tmp_path / "j.xml"))))
    assert (suite.name, suite.tests, suite.failures, suite.skipped) == ("v6.12", 7, 1, 1)
    assert [c.classname for c in suite][:4] == [
        "kunit-printk.ring",
        "kunit-printk.ring",
        "kunit-printk.ring.ring_sizes",
        "kunit-printk.ring.ring_sizes",
    ]


def test_json_is_for_programs() -> None:
    done = parse("--json", LOGS / "tap14.log")
    data = json.loads(done.stdout)
    assert (data["exit_code"], data["logs"][0]["name"]) == (1, "tap14.log")
    results = [Result.from_json(r) for r in data["logs"][0]["results"]]
    assert results[1].outcome is Outcome.FAIL
    assert results[1].message == "disk is full"
    assert results[2].parent == "tap14.log::nested"


def test_out_is_a_run_folder_that_can_be_compared(tmp_path: Path) -> None:
    for log, folder in (("kunit-printk.log", "a"), ("kunit-crash.log", "b")):
        parse(LOGS / log, "--out", tmp_path / folder)
    assert read_journal(tmp_path / "a" / "journal.jsonl").ended
    assert {r.outcome for r in read_results(tmp_path / "b")} == {
        Outcome.PASS,
        Outcome.CRASH,
        Outcome.ERROR,
    }
    told = subprocess.run(
        [sys.executable, "-m", "harness.cli", "report", str(tmp_path / "a")],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "FAIL: " in told.stdout
    assert not [word for word in ("incomplete", "seed", "nothing is known") if word in told.stdout]
    again = parse(LOGS / "kunit-printk.log", "--out", tmp_path / "a")
    assert again.returncode == 4
    assert again.stderr.startswith(b"kharness: ")


def test_logs_of_one_name_are_told_apart(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "x.log").write_text("1..1\nok 1 t\n")
    done = parse("--json", tmp_path / "a" / "x.log", tmp_path / "b" / "x.log")
    cases = [r["case"] for log in json.loads(done.stdout)["logs"] for r in log["results"]]
    assert len(set(cases)) == 2


@pytest.mark.parametrize("what", ["missing.log", "."])
def test_what_cannot_be_read_is_wrong_usage(what: str, tmp_path: Path) -> None:
    done = parse(tmp_path / what)
    assert done.returncode == 4
    assert done.stderr.startswith(b"kharness: ")
    assert done.stderr.count(b"\n") == 1


def test_bytes_of_any_kind_are_a_log_without_tests() -> None:
    done = parse("-", text=bytes(range(256)) * 100)
    assert (done.returncode, done.stderr) == (5, b"")
    assert b"no KTAP or TAP in it" in done.stdout


def test_nothing_of_a_log_reaches_the_terminal_as_a_command() -> None:
    done = parse("-", text=b"1..1\nnot ok 1 \x1b[31m[red]a # \x1b]0;title\x07 x\n# \x07\n")
    assert not {0x1B, 0x07} & set(done.stdout)


def test_a_splat_makes_the_test_that_ran_a_crash() -> None:
    done = parse("--json", LOGS / "kunit-warning.log")
    pushes, pops, after = json.loads(done.stdout)["logs"][0]["results"]
    assert (pushes["outcome"], pops["outcome"], after["outcome"]) == ("crash", "pass", "crash")
    assert "lib/ring.c" in pushes["splats"][0]["title"]
    assert "ring_push" in pushes["console"]
    assert after["name"] == "after the last test"


def test_it_writes_every_format(tmp_path: Path) -> None:
    log, out = LOGS / "kunit-crash.log", tmp_path / "out"
    names = ["html", "json", "markdown", "gitlab", "kcidb", f"junit={tmp_path / 'ours.xml'}"]
    done = parse(log, "--out", out, "--format", ",".join(names), "--format", "tap=-,teamcity")
    assert (done.returncode, done.stderr) == (1, b"")
    assert {path.name for path in out.iterdir()} >= {
        *("junit.xml", "report.html", "results.json", "summary.md", "gl-code-quality.json"),
        "kcidb.json",
    }
    data = json.loads((out / "results.json").read_text())
    assert (data["verdict"], data["complete"], len(data["results"])) == ("fail", True, 5)
    assert b"not ok 2 - kunit-crash.log::ring/test 2[log]" in done.stdout
    assert b"##teamcity[testFailed name='kunit-crash.log::ring/test 2'" in done.stdout
    assert len(list(JUnitXml.fromfile(str(tmp_path / "ours.xml")))) == 1


def test_the_same_log_gives_the_same_reports(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        for name in ("json", "kcidb", "html", "tap", "junit"):
            parse(LOGS / "bail.log", "--format", f"{name}={tmp_path / folder / name}")
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()


def test_a_result_that_never_came_is_at_no_line() -> None:
    done = parse(LOGS / "kunit-crash.log", "--format", "tap=-,github")
    assert re.search(rb":0(?!\w)", done.stdout) is None
    assert b"  at " not in done.stdout


def test_no_line_of_a_log_is_obeyed_by_github() -> None:
    log = b"1..1\n::set-output name=a::b\nnot ok 1 ::error::evil\n"
    lines = parse("-", "--format", "github", text=log).stdout.split(b"\n")
    token = lines[0].removeprefix(b"::stop-commands::")
    end = lines.index(b"::" + token + b"::")
    assert [line[:9] for line in lines[end + 1 : -1]] == [b"::error f", b"::notice "]


def test_two_that_print_are_wrong_usage() -> None:
    done = parse("--json", LOGS / "bail.log", "--format", "tap=-")
    assert (done.returncode, done.stdout) == (4, b"")
    assert b"--json and --format tap both print" in done.stderr
