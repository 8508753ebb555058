# SPDX-License-Identifier: GPL-2.0-only
"""Reports of one journal in every format, read back by who reads them."""

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from kcidb_io.schema import LATEST
from lxml import html

from harness.errors import HostError, UsageError
from harness.report.formats import (
    FORMATS,
    ReportSettings,
    Wanted,
    automatic,
    parse_formats,
    write_reports,
)
from harness.report.github import no_commands
from harness.report.journal import Journal, JournalWriter, KernelInfo, Plan, RunInfo
from harness.report.kcidb import Source
from harness.report.markdown import COMMENT_LIMIT
from harness.verdict.outcome import Attempt, Outcome, Result
from harness.verdict.splat import Severity, Splat

RUN = RunInfo("20260101-1", "2026-01-01T00:00:00+00:00", "kharness run", "0.1", "7.2")
KERNEL = KernelInfo("debian-6.12", "debian:6.12", "6.12.1", "x86_64", "tcg", "no KVM")
EVIL = (
    "| `x` <script>alert(1)</script> ``` \x1b[31m &#124; [a](https://b.c) @all fixes #12 %0A"
    "::error:: # SKIP no\n::set-output name=a::b\n"
    "##teamcity[x 'y|'] \\# \ud800 \U0001f600 'é\x85\u2028"
)


def result(outcome: Outcome, name: str = "a", **more: object) -> Result:
    values: dict[str, Any] = {
        "message": "" if outcome is Outcome.PASS else f"it is {outcome.value}",
        "file": "cases/x/c.c",
        "line": 7,
        "started": "2026-01-01T00:00:00.5+00:00",
        "duration_s": 0.25,
        "reproduce": f"kharness run 'cases/x/c.c::{name}'",
        **more,
    }
    return replace(Result(f"cases/x/c.c::{name}", "x.c", name, KERNEL.name, outcome), **values)


def text_of(name: str, one: Journal, **settings: Any) -> str:
    return FORMATS[name].text(one, ReportSettings(**settings))


def journal(*results: Result, ended: bool = True) -> Journal:
    return Journal(RUN, [KERNEL], list(results), ended=ended)


OURS = [name for name in FORMATS if name not in ("junit", "html")]
"""The others have tests of their own."""
EACH = [result(outcome, outcome.value) for outcome in Outcome]
SPLAT = Splat("oops", "BUG: unable to handle page fault in pidfd_poll", Severity.FATAL, 1, 9)
FLAKY = result(
    Outcome.FLAKY, attempts=(Attempt(Outcome.FAIL, "first"), Attempt(Outcome.PASS)), splats=(SPLAT,)
)

anything = st.text(max_size=40) | st.just(EVIL)
some_journals = st.builds(
    Journal,
    run=st.none() | st.just(RUN) | st.builds(RunInfo, *[anything] * 5),
    kernels=st.just([KERNEL])
    | st.just([])
    | st.lists(st.builds(KernelInfo, st.sampled_from([KERNEL.name, EVIL]), *[anything] * 5)),
    results=st.lists(
        st.builds(
            Result,
            case=st.integers(0, 9).map("cases/x.c::t{}".format) | anything,
            classname=anything,
            name=anything,
            kernel=st.sampled_from([KERNEL.name, "other", EVIL, ""]),
            outcome=st.sampled_from(Outcome),
            message=anything,
            detail=anything,
            file=anything,
            line=st.integers(0, 9),
            started=st.sampled_from(
                [
                    *("2026-01-01T00:00:00+00:00", "2026-01-01T00:00:00+00:00\x01", "2026-W01"),
                    *("2026-01-01T00:00:00+00:00:01.5", "20260101", "0001-01-01T00:00:00+23:59"),
                ]
            )
            | anything,
            duration_s=st.floats(0, 1e6),
            stdout=anything,
            console=anything,
            evidence=st.dictionaries(anything, anything, max_size=2),
            splats=st.lists(
                st.builds(
                    *(Splat, anything, anything, st.sampled_from(Severity), st.just(1), st.just(2)),
                    expected=anything,
                ),
                max_size=2,
            ).map(tuple),
            attempts=st.lists(
                st.builds(Attempt, st.sampled_from(Outcome), anything, anything, anything),
                max_size=2,
            ).map(tuple),
        ),
        max_size=3,
    ),
    ended=st.booleans(),
)
over_anything = settings(
    suppress_health_check=[HealthCheck.too_slow], deadline=None, max_examples=15
)


# All formats


@pytest.mark.parametrize("name", FORMATS)
def test_the_same_journal_gives_the_same_bytes(name: str, tmp_path: Path) -> None:
    made = [text_of(name, journal(*EACH, FLAKY)) for _ in range(2)]
    assert made[0] == made[1]
    assert made[0].endswith("\n")


@pytest.mark.parametrize("name", [*OURS, "junit"])
def test_an_incomplete_run_says_so_and_is_no_pass(name: str) -> None:
    text = text_of(name, journal(result(Outcome.PASS), ended=False))
    assert "did not come to its end" in text
    assert "PASS:" not in text


RENDER = """
import json, sys
from harness.report.formats import FORMATS, ReportSettings
from harness.report.journal import read_journal
from pathlib import Path
print(json.dumps({n: f.text(read_journal(Path(sys.argv[1])), ReportSettings())
                  for n, f in FORMATS.items()}))
"""


def test_no_seed_zone_language_or_folder_changes_a_byte(tmp_path: Path) -> None:
    writer = JournalWriter(tmp_path / "journal.jsonl", durable=False)
    writer.run(RUN)
    writer.kernel(KERNEL)
    more = {name: name for name in ("d", "a", "c", "b")}
    for one in [*EACH, FLAKY, result(Outcome.FAIL, EVIL, evidence=more, files=more, extra=more)]:
        writer.result(one)
    writer.end(1)
    writer.close()
    made = []
    for number, (zone, language) in enumerate([("UTC", "C"), ("Asia/Kolkata", "de_DE.UTF-8")]):
        folder = tmp_path / str(number)
        folder.mkdir()
        variables = {"PYTHONHASHSEED": str(number), "TZ": zone, "LC_ALL": language}
        done = subprocess.run(
            [sys.executable, "-c", RENDER, tmp_path / "journal.jsonl"],
            env={**os.environ, **variables, "PYTHONPATH": str(Path(__file__).parents[2])},
            cwd=folder,
            capture_output=True,
            check=True,
        )
        made.append(json.loads(done.stdout))
    assert set(made[0]) == set(FORMATS)
    assert made[0] == made[1]


@pytest.mark.parametrize("name", OURS)
@over_anything
@given(some_journals)
def test_no_format_fails_or_prints_a_control_character(name: str, one: Journal) -> None:
    text = text_of(name, one)
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]", text)


def test_names_and_places(tmp_path: Path) -> None:
    asked = ("markdown,tap", "junit=out.xml", "github")
    assert parse_formats(asked, {}) == (
        Wanted("markdown"),
        Wanted("tap"),
        Wanted("junit", "out.xml"),
        Wanted("github"),
    )


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ("markdwon", "no format is called 'markdwon': did you mean markdown?"),
        ("zzz", "known: junit, html, json"),
        ("tap=", "a file is missing: tap=FILE or tap=-"),
    ],
)
def test_a_wrong_name_is_one_line(asked: str, says: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_formats([asked], {})
    assert says in str(caught.value)


def test_auto_is_what_the_ci_system_wants() -> None:
    assert automatic({}) == []
    github = {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": "/s"}
    assert automatic(github) == [Wanted("github"), Wanted("markdown", "/s", append=True)]
    assert automatic({"GITLAB_CI": "true"}) == [Wanted("gitlab")]
    assert automatic({"TEAMCITY_VERSION": "2025"}) == [Wanted("teamcity")]


def test_reports_lie_in_the_run_folder_or_where_they_were_asked_for(tmp_path: Path) -> None:
    asked = parse_formats(["markdown,tap=deep/er/x.tap"], {})
    files = write_reports(journal(*EACH), tmp_path / "run", asked, start=tmp_path)
    assert files == [tmp_path / "run" / "summary.md", tmp_path / "deep" / "er" / "x.tap"]
    assert files[1].read_text() == text_of("tap", journal(*EACH))


def test_what_is_in_a_step_summary_stays(tmp_path: Path) -> None:
    summary = tmp_path / "summary"
    summary.write_text("before\n" + "x" * 1_000_000)
    results = [result(Outcome.FAIL, f"t{n}", detail="y" * 5000) for n in range(500)]
    write_reports(journal(*results), tmp_path, [Wanted("markdown", str(summary), append=True)])
    assert summary.read_text().startswith("before\n")
    assert "kharness" in summary.read_text()
    assert summary.stat().st_size <= 1 << 20


def test_a_place_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    with pytest.raises(HostError, match="cannot write"):
        asked = [Wanted("tap", "x"), Wanted("json")]
        write_reports(journal(), tmp_path, asked, start=tmp_path)
    assert (tmp_path / "results.json").is_file()


# Markdown


def as_github_shows(text: str) -> "html.HtmlElement":
    """Rendered by markdown-it, which follows CommonMark and GFM's tables."""
    from markdown_it import MarkdownIt

    page = MarkdownIt("commonmark", {"html": True}).enable("table").render(text)
    return html.fromstring(f"<div>{page}</div>")


def test_markdown_of_every_outcome_reads_as_a_page() -> None:
    page = as_github_shows(text_of("markdown", journal(*EACH)))
    assert page.findtext(".//h2", "").startswith("kharness: FAIL: 1 pass, 1 fail, 1 skip")
    tables = [[cell.text_content() for cell in row.iter("td")] for row in page.iter("tr")]
    failed = [row for row in tables if row and row[0] == "cases/x/c.c::fail"]
    assert failed == [["cases/x/c.c::fail", "debian-6.12", "fail", "it is fail"]]
    details = [
        d.findtext("summary") or d.find("summary").text_content() for d in page.iter("details")
    ]
    assert len(details) == 6  # fail, xpass, crash, timeout, error, flaky


def test_markdown_shows_attempts_and_splats() -> None:
    text = text_of("markdown", journal(FLAKY))
    assert "fail, pass" in text
    assert f"kernel: {SPLAT.title}" in text


@pytest.mark.parametrize("name", ["markdown", "github", "junit"])
def test_tries_have_the_numbers_that_they_had(name: str) -> None:
    others = [
        Attempt(Outcome.FAIL, "again", number=n, console_file=f"consoles/k/fail.try{n}.log")
        for n in (2, 3)
    ]
    tries = {"tries": "3", "failed": "3", "try": "1"}
    text = text_of(name, journal(result(Outcome.FAIL, attempts=tuple(others), extra=tries)))
    assert "attempt 1" not in text
    assert "try 1 of 3: fail" not in text, "the first try is the one that is told in full"
    if name != "junit":  # where they are rerunFailure, in order
        assert "this is try 1 of 3" in text
        assert text.index("try 2 of 3: fail") < text.index("try 3 of 3: fail")
    assert "consoles/k/fail.try3.log" in text


def test_a_journal_of_before_does_not_number_tries() -> None:
    text = text_of("markdown", journal(result(Outcome.FAIL, attempts=(Attempt(Outcome.FAIL),))))
    assert "another try: fail" in text


def test_text_of_a_guest_is_neither_markup_nor_a_mention() -> None:
    bad = [result(o, EVIL, message=EVIL, detail=EVIL, console=EVIL) for o in Outcome]
    page = as_github_shows(text_of("markdown", journal(*bad)))
    known = {"div", "h2", "h3", "p", "table", "thead", "tbody", "tr", "th", "td", "code", "pre"}
    known |= {"details", "summary"}
    assert {element.tag for element in page.iter() if isinstance(element.tag, str)} <= known
    assert len({len(row) for table in page.iter("table") for row in table.iter("tr")}) <= 4
    # GitHub and GitLab look for mentions in every text but that of code and pre.
    for element in page.iter():
        inside = element.tag in ("code", "pre")
        for text in (None if inside else element.text, element.tail):
            assert not re.search(r"[@#]\w", text or "")


@pytest.mark.parametrize("limit", [5_000, COMMENT_LIMIT, 1 << 20])
def test_markdown_keeps_its_limit_and_counts_what_is_left_out(limit: int) -> None:
    results = [
        result(Outcome.FAIL, f"t{n}", message="é" * 90, detail=EVIL * 20) for n in range(5000)
    ]
    text = text_of("markdown", journal(*results), limit=limit)
    assert len(text.encode()) <= limit
    assert re.search(r"and \d+ more", text)
    assert re.search(r"Evidence of \d+ more is in the run folder", text)


@pytest.mark.parametrize("limit", [5_000, 20_000, COMMENT_LIMIT])
def test_markdown_says_of_every_table_what_it_left_out(limit: int) -> None:
    kernels = [KernelInfo(f"k{n}", "s" * 90, "r" * 90, "x86_64", "tcg") for n in range(600)]
    results = [replace(result(Outcome.FLAKY), kernel=k.name) for k in kernels]
    results[0] = replace(result(Outcome.FAIL), kernel="k0")
    one = Journal(journal().run, kernels, results, ended=True)
    text = text_of("markdown", one, limit=limit)
    assert len(text.encode()) <= limit
    cases, bad, flaky, where = re.split(r"^### ", text, flags=re.M)[1:]
    assert cases.startswith("Cases")
    assert bad.startswith("Not as expected: 1")
    for part, count in ((flaky, 599), (where, 600)):
        (more,) = re.findall(r"^and (\d+) more$", part, re.M)
        assert len(re.findall(r"^\| <code>", part, re.M)) + int(more) == count
    assert "Command" in where or "in the run folder" in where


# GitHub


def parse_command(line: str) -> tuple[str, dict[str, str], str]:
    """As the runner does it (ActionCommand.cs, TryParseV2)."""
    assert line.startswith("::")
    head, _, data = line[2:].partition("::")
    kind, _, words = head.partition(" ")
    properties = dict(word.split("=", 1) for word in words.split(","))
    for character, escape in [(":", "%3A"), (",", "%2C"), ("\n", "%0A"), ("\r", "%0D")]:
        properties = {key: value.replace(escape, character) for key, value in properties.items()}
    data = data.replace("%0A", "\n").replace("%0D", "\r").replace("%25", "%")
    return kind, {key: value.replace("%25", "%") for key, value in properties.items()}, data


def test_an_annotation_names_file_line_and_case() -> None:
    first, *_ = text_of("github", journal(result(Outcome.FAIL))).splitlines()
    kind, properties, text = parse_command(first)
    assert kind == "error"
    assert properties == {
        "file": "cases/x/c.c",
        "line": "7",
        "title": "cases/x/c.c::a[debian-6.12]",
    }
    assert text.startswith("fail: it is fail\nat cases/x/c.c:7\n")


def test_a_flaky_case_is_a_warning_and_a_pass_is_nothing() -> None:
    lines = text_of("github", journal(FLAKY, result(Outcome.PASS, "b"))).splitlines()
    assert [parse_command(line)[0] for line in lines] == ["warning", "notice"]


def test_github_shows_ten_of_each_type_and_so_the_tenth_counts_the_others() -> None:
    results = [result(Outcome.FAIL, f"t{n}") for n in range(25)]
    lines = text_of("github", journal(*results)).splitlines()
    errors = [line for line in lines if line.startswith("::error")]
    assert len(errors) == 10
    assert "and 16 more" in errors[-1]


@over_anything
@given(some_journals)
def test_every_line_for_github_is_one_command_of_ours(one: Journal) -> None:
    text = text_of("github", one)
    for line in text.removesuffix("\n").split("\n"):
        kind, properties, _ = parse_command(line)
        assert kind in ("error", "warning", "notice")
        assert set(properties) <= {"file", "line", "title"}


def test_nothing_that_a_guest_prints_is_obeyed(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with out.open("w") as stream, no_commands(stream):
        stream.write("::error::of the guest\n...no end")
    first, said, dots, last = out.read_text().splitlines()
    token = first.removeprefix("::stop-commands::")
    assert len(token) == 32
    assert (said, dots, last) == ("::error::of the guest", "...no end", f"::{token}::")


# TeamCity


def parse_message(line: str) -> tuple[str, dict[str, str]]:
    found = re.fullmatch(r"##teamcity\[(\w+)((?: \w+='(?:[^'|\[\]\n]|\|.)*')*)\]", line)
    assert found, line
    values = dict(re.findall(r"(\w+)='((?:[^'|]|\|.)*)'", found[2]))
    plain = {"n": "\n", "r": "\r"}

    def undo(value: str) -> str:
        def one(mark: re.Match[str]) -> str:
            return chr(int(mark[1], 16)) if mark[1] else plain.get(mark[2], mark[2])

        return re.sub(r"\|(?:0x([0-9a-f]{4})|(.))", one, value)

    return found[1], {key: undo(value) for key, value in values.items()}


@pytest.mark.parametrize("names", [("n" * 400, "n" * 399), ("a b", "a  b"), ("a", "a\n")])
def test_teamcity_never_takes_two_cases_for_one(names: tuple[str, str]) -> None:
    text = text_of("teamcity", journal(*map(result, (Outcome.PASS, Outcome.FAIL), names)))
    found = [parse_message(line) for line in text.splitlines()]
    started = [values["name"] for kind, values in found if kind == "testStarted"]
    assert len(set(started)) == 2
    assert [values["name"] for kind, values in found if kind == "testFailed"] == started[1:]


def test_teamcity_has_a_suite_for_the_kernel_and_a_test_for_each_case() -> None:
    text = text_of(
        "teamcity", journal(result(Outcome.PASS), result(Outcome.FAIL, "é[b]|'", message="a|b\nc"))
    )
    found = [parse_message(line) for line in text.splitlines()]
    assert [kind for kind, _ in found] == [
        *("testSuiteStarted", "testStarted", "testFinished"),
        *("testStarted", "testFailed", "testFinished", "testSuiteFinished"),
    ]
    assert found[3][1] == {"name": "cases/x/c.c::é[b]|'"}
    assert found[4][1]["message"] == "fail: a|b c"
    assert found[2][1]["duration"] == "250"


@over_anything
@given(some_journals)
def test_every_line_for_teamcity_is_one_message(one: Journal) -> None:
    text = text_of("teamcity", one)
    for line in text.removesuffix("\n").split("\n") if text else []:
        parse_message(line)


# TAP


@pytest.mark.skipif(not shutil.which("prove"), reason="no prove(1)")
def test_prove_reads_our_tap(tmp_path: Path) -> None:
    results = [
        *EACH,
        result(Outcome.PASS, "is # SKIP not"),
        result(Outcome.FAIL, "EVIL", detail=EVIL),
    ]
    (tmp_path / "all.tap").write_text(text_of("tap", journal(*results)))
    (tmp_path / "good.tap").write_text(
        text_of("tap", journal(*[r for r in results if r.outcome.good]))
    )

    def prove(name: str) -> "subprocess.CompletedProcess[str]":
        command = ["prove", "--exec", "cat", "--comments", name]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    bad = prove("all.tap")
    assert "Failed 6/11 subtests" in bad.stdout, bad
    assert "less 1 skipped subtest: 4 okay" in bad.stdout
    assert "Parse errors" not in bad.stdout
    good = prove("good.tap")
    assert good.stdout.strip().endswith("Result: PASS"), good


@pytest.mark.skipif(not shutil.which("prove"), reason="no prove(1)")
def test_tap_of_an_incomplete_run_is_no_pass(tmp_path: Path) -> None:
    (tmp_path / "x.tap").write_text(text_of("tap", journal(result(Outcome.PASS), ended=False)))
    command = ["prove", "--exec", "cat", "x.tap"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "did not come to its end" in done.stdout + done.stderr


# KCIDB


def test_kcidb_is_valid_and_says_what_the_kernel_did() -> None:
    report = json.loads(text_of("kcidb", journal(*EACH)))
    assert LATEST.is_valid_exactly(report)
    assert {t["misc"]["kharness"]["outcome"]: t["status"] for t in report["tests"]} == {
        **{"pass": "PASS", "xpass": "PASS", "skip": "SKIP", "error": "MISS"},
        **dict.fromkeys(("fail", "xfail", "crash", "timeout", "flaky"), "FAIL"),
    }
    (build,) = report["builds"]
    assert {t["build_id"] for t in report["tests"]} == {build["id"]}
    assert build["checkout_id"] == report["checkouts"][0]["id"]
    assert report["tests"][0]["path"] == "kharness.x.c.pass"


def test_kcidb_names_the_origin_and_the_commit() -> None:
    source = Source("our_ci", "mainline", "https://git.kernel.org/x.git", "a" * 40)
    report = json.loads(text_of("kcidb", journal(FLAKY), source=source))
    assert LATEST.is_valid_exactly(report)
    assert report["checkouts"][0]["git_commit_hash"] == "a" * 40
    assert report["tests"][0]["id"].startswith("our_ci:")
    assert report["tests"][0]["misc"]["kharness"]["splats"] == [SPLAT.title]


@over_anything
@given(some_journals)
def test_whatever_is_in_a_journal_kcidb_is_valid(one: Journal) -> None:
    report = json.loads(text_of("kcidb", one))
    LATEST.validate_exactly(report)
    assert len({t["id"] for t in report["tests"]}) == len(report["tests"])


def test_kcidb_tells_namesakes_apart_by_id_and_gives_them_one_path() -> None:
    """A path is a place in the tree of all tests; which test run it is says the id."""
    cases = ["p/x.c::t", "q/x.c::t", "q/x.c::t\ud800", "q/x.c::t\\ud800", "q/x.c:", ":t"]
    namesakes = [
        replace(result(Outcome.PASS, "t"), case=case, kernel=kernel)
        for case in cases
        for kernel in (KERNEL.name, f"{KERNEL.name}\ud800")
    ]
    report = json.loads(text_of("kcidb", journal(*namesakes, *namesakes)))
    assert LATEST.is_valid_exactly(report)
    assert len(report["tests"]) == len({t["id"] for t in report["tests"]}) == len(namesakes)
    assert {t["path"] for t in report["tests"]} == {"kharness.x.c.t"}


def kcidb_ids(one: Journal) -> set[str]:
    """Ids of checkouts, builds and tests."""
    report = json.loads(text_of("kcidb", one))
    return {item["id"] for key in ("checkouts", "builds", "tests") for item in report[key]}


@pytest.mark.parametrize("facts", [{"seed": 2}, {"seed": 1, "options": {"kernel": ["b"]}}])
def test_kcidb_tells_runs_apart_that_started_in_one_second(facts: dict[str, Any]) -> None:
    """The jobs of a pipeline have one command, and folders of one name."""
    one = journal(result(Outcome.PASS))
    assert one.run
    runs = [replace(one.run, seed=1), replace(one.run, seed=1), replace(one.run, **facts)]
    first, same, other = (kcidb_ids(replace(one, run=run)) for run in runs)
    assert len(first) == 3
    assert first == same
    assert not first & other


def test_kcidb_tells_logs_of_one_name_apart() -> None:
    """A log that was parsed does not say when its run was."""
    run = RunInfo("console.log", "", "kharness parse console.log", "0.1", "")
    first, same, other = (
        kcidb_ids(replace(journal(result(outcome, "t")), run=run))
        for outcome in (Outcome.PASS, Outcome.PASS, Outcome.FAIL)
    )
    assert first == same
    assert not first & other


def test_kcidb_keeps_the_excerpt_to_what_the_schema_allows() -> None:
    long = result(Outcome.FAIL, detail="é\n" * 100_000, message="m" * 100_000)
    report = json.loads(text_of("kcidb", journal(long)))
    assert LATEST.is_valid_exactly(report)
    assert "characters left out" in report["tests"][0]["log_excerpt"]


# JSON and GitLab


def test_json_has_every_result_as_the_journal_has_it() -> None:
    document = json.loads(text_of("json", journal(*EACH, FLAKY)))
    assert document["verdict"] == "fail"
    assert document["counts"]["fail"] == 1
    assert [Result.from_json(data) for data in document["results"]] == [*EACH, FLAKY]


def test_json_has_the_notes_and_the_plan() -> None:
    plan = Plan(((EACH[0].case, EACH[0].kernel), ("cases/x/c.c::never", "k")))
    one = replace(journal(EACH[0]), plan=plan, notes=["run once more"])
    document = json.loads(text_of("json", one))
    assert document["planned"] == 2
    assert document["unfinished"] == [{"case": "cases/x/c.c::never", "kernel": "k"}]
    assert document["notes"] == ["run once more"]
    assert json.loads(text_of("json", journal(EACH[0])))["planned"] is None


def test_gitlab_has_a_finding_for_each_that_is_not_as_expected() -> None:
    first, second = (
        json.loads(text_of("gitlab", journal(*EACH, result(Outcome.CRASH, message=words))))
        for words in ("one", "two")
    )
    assert len(first) == 7
    assert {f["severity"] for f in first} <= {"info", "minor", "major", "critical", "blocker"}
    assert all(f["location"]["lines"]["begin"] >= 1 and f["location"]["path"] for f in first)
    prints = [[f["fingerprint"] for f in findings] for findings in (first, second)]
    assert prints[0] == prints[1]
    assert len(set(prints[0])) == 7


# A whole run

CASES = r"""
#include "kcase.h"
TEST(passes) { EXPECT_EQ(1, 1); }
TEST(commands) { printf("# \n::error::of the guest\n"); EXPECT_EQ(1, 2); }
KCASE_MAIN
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("project")
    (folder / "cases" / "try").mkdir(parents=True)
    (folder / "cases" / "try" / "all.c").write_text(CASES)
    (folder / "harness.toml").write_text(
        '[run]\nkernels = ["debian:6.12"]\naccel = "tcg"\n[report]\nformats = ["tap"]\n'
    )
    return folder


def run(project: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", *words]
    return subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)


def commands_obeyed(output: str) -> list[str]:
    """The commands of a step's log that GitHub's runner would obey."""
    obeyed, stopped = [], ""
    for line in map(str.lstrip, output.splitlines()):
        if stopped:
            stopped = "" if line == f"::{stopped}::" else stopped
        elif line.startswith("::stop-commands::"):
            stopped = line.removeprefix("::stop-commands::")
        elif line.startswith("::"):
            obeyed.append(line.split(" ")[0])
    return obeyed


@pytest.mark.guest
def test_a_run_writes_what_was_asked_for(project: Path) -> None:
    words = ("--run-dir", "a", "--format", "markdown,kcidb=k.json,json", "--format", "github")
    done = run(project, "harness.cli", "run", *words)
    assert done.returncode == 1, done.stderr
    assert {path.name for path in (project / "a").iterdir()} == {
        *("journal.jsonl", "junit.xml", "report.html", "consoles", "summary.md", "results.json"),
    }
    assert LATEST.is_valid_exactly(json.loads((project / "k.json").read_text()))
    assert commands_obeyed(done.stdout) == ["::error", "::notice"]
    assert "file=cases/try/all.c,line=4" in done.stdout


@pytest.mark.guest
def test_harness_toml_chooses_formats_and_pytest_has_them_too(project: Path) -> None:
    done = run(project, "harness.cli", "run", "--run-dir", "b", "-k", "passes", "-q")
    assert done.returncode == 0, done.stderr
    assert "ok 1 - cases/try/all.c::passes[debian-6.12]" in (project / "b/results.tap").read_text()
    done = run(project, "pytest", "--report-format=github", "--run-dir=c", "cases")
    assert commands_obeyed(done.stdout) == ["::error", "::notice"]
    assert not (project / "c" / "results.tap").exists()


def test_a_wrong_format_is_said_before_anything_starts(project: Path) -> None:
    done = run(project, "harness.cli", "run", "--format", "markdwon")
    assert (done.returncode, done.stdout) == (4, "")
    assert "did you mean markdown?" in done.stderr
    assert not (project / ".kharness").exists()
