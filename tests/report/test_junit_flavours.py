# SPDX-License-Identifier: GPL-2.0-only
import io
import json
import re
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from junit2htmlreport.parser import Junit
from junitparser import xunit2
from lxml import etree

from harness.report.flavour import FLAVOURS, JENKINS, Flavour
from harness.report.journal import Journal, JournalWriter, KernelInfo, RunInfo
from harness.report.junit import junit_text, write_junit
from harness.report.junit_merge import merge_junit
from harness.report.junit_rules import check_junit
from harness.report.stream import JournalIndex
from harness.verdict.outcome import Attempt, Outcome, Result
from harness.verdict.splat import Severity, Splat

DATA = Path(__file__).parent / "data"
SCHEMAS = {
    "jenkins": etree.XMLSchema(etree.parse(DATA / "junit-10.xsd")),
    "ant": etree.XMLSchema(etree.parse(DATA / "ant-junit.xsd")),
}
RUN = RunInfo("r", "2026-01-01T00:00:00+00:00", "kharness run", "0.1", "7.2")
KERNEL = KernelInfo("debian-6.12", "debian:6.12", "6.12.1", "x86_64", "tcg", "no KVM")
GENERIC, GITLAB = FLAVOURS["generic"], FLAVOURS["gitlab"]
STARTED = "2026-01-01T01:02:03.456+02:00"
FAILED = Result(
    case="cases/pidfd/open.c::rejects",
    classname="pidfd.open",
    name="rejects",
    kernel="debian-6.12",
    outcome=Outcome.FAIL,
    message="expected EINVAL",
    detail="came EBADF",
    file="cases/pidfd/open.c",
    line=12,
    started=STARTED,
    duration_s=1.5,
    stdout="not ok 1",
    console="WARNING: something",
    console_file="consoles/rejects.log",
    reproduce="kharness run cases/pidfd/open.c::rejects",
    splats=(Splat("warning", "WARNING in foo", Severity.WARNING, 1, 1),),
    evidence={"blocked tasks": "task sh blocked"},
    attempts=(Attempt(Outcome.TIMEOUT, "too slow", "after 60 s", stdout="1..1"),),
)
FLAKY = Result(
    case="cases/pidfd/open.c::sometimes",
    classname="pidfd.open",
    name="sometimes",
    kernel="debian-6.12",
    outcome=Outcome.FLAKY,
    message="passed in 1 of 2",
    started=STARTED,
    attempts=(Attempt(Outcome.ERROR, "guest lost", "QEMU went away"), Attempt(Outcome.PASS)),
)
SKIPPED = Result("x.c::s", "x", "s", "debian-6.12", Outcome.SKIP, "needs 6.9", started=STARTED)
PASSED = Result("x.c::p", "x", "p", "debian-6.12", Outcome.PASS, started=STARTED, duration_s=0.25)

anything = st.text(st.characters(), max_size=60)
attempts = st.builds(
    Attempt,
    outcome=st.sampled_from(Outcome),
    message=anything,
    detail=anything,
    stdout=anything,
    console=anything,
)
splats = st.builds(
    Splat,
    *(anything, anything, st.sampled_from(Severity), st.integers(0, 9), st.integers(0, 9)),
    expected=anything,
    decoded=st.tuples(anything),
)
any_result = st.builds(
    Result,
    case=st.integers(0, 10**6).map("cases/x.c::t{}".format),
    classname=anything,
    name=anything,
    kernel=st.sampled_from(["debian-6.12", "other", "", "k\x01]]>\x1b[31m\ud800"]),
    outcome=st.sampled_from(Outcome),
    message=anything,
    detail=anything,
    file=anything,
    line=st.integers(-1, 10**6),
    stdout=anything,
    stderr=anything,
    console=anything,
    console_file=anything,
    reproduce=anything,
    worker=anything,
    started=st.sampled_from(
        [STARTED, f"{STARTED}\x01", "2026-W01", "0001-01-01T00:00:00+23:59"] * 2
        + ["9999-12-31T23:59:59-23:59", "2026-01-01T00:00:00+00:00:01.5", "]]>", "\ud800"]
    ),
    duration_s=st.floats(-1, 1e6),
    splats=st.lists(splats, max_size=2).map(tuple),
    attempts=st.lists(attempts, max_size=2).map(tuple),
    evidence=st.dictionaries(anything, anything, max_size=2),
    files=st.dictionaries(anything, anything, max_size=2),
    extra=st.dictionaries(anything, anything, max_size=2),
)


def journal(*results: Result, ended: bool = True) -> Journal:
    return Journal(RUN, [KERNEL], list(results), ended=ended)


def root_of(results: Journal, flavour: Flavour) -> etree._Element:
    return etree.fromstring(junit_text(results, flavour).encode())


@pytest.mark.parametrize("flavour", FLAVOURS.values(), ids=list(FLAVOURS))
@settings(
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
    deadline=None,
    max_examples=25,
)
@given(results=st.lists(any_result, max_size=6))
def test_whatever_happened_each_reader_gets_what_it_takes(
    tmp_path: Path, flavour: Flavour, results: list[Result]
) -> None:
    path = tmp_path / "junit.xml"
    write_junit(journal(*results), path, flavour)
    root = etree.parse(path).getroot()
    if flavour.name in SCHEMAS:
        SCHEMAS[flavour.name].assertValid(root)
    last = {(r.case, r.kernel): r for r in results}
    findings = [str(f) for f in check_junit(path, flavour)]
    assert findings == ([] if results else [f"{path}:1: there is no testcase in it"])
    assert len(list(root.iter("testcase"))) == len(last)
    marked = sum(
        any(c.find(mark) is not None for mark in ("failure", "error", "skipped"))
        for c in root.iter("testcase")
    )
    assert marked == sum(r.outcome not in (Outcome.PASS, Outcome.FLAKY) for r in last.values())


@pytest.mark.parametrize("flavour", FLAVOURS.values(), ids=list(FLAVOURS))
@pytest.mark.parametrize("name", ["n" * 400, "n" * 298, "n" * 300, "", "t"], ids=len)
def test_namesakes_have_different_names_however_long(
    tmp_path: Path, flavour: Flavour, name: str
) -> None:
    results = [replace(PASSED, case=f"x.c::{n}", name=f"{name}{n}"[:-1]) for n in range(3)]
    results += [replace(PASSED, case=f"x.c::of {n}", name=f"{'n' * 400}{n}") for n in range(3)]
    results.append(replace(PASSED, case="z.c::t", name="t (2)"))
    path = tmp_path / "junit.xml"
    write_junit(journal(*results), path, flavour)
    assert list(check_junit(path, flavour)) == []
    names = [c.get("name") for c in etree.parse(path).getroot().iter("testcase")]
    assert len(set(names)) == len(results)


@pytest.mark.parametrize("flavour", FLAVOURS.values(), ids=list(FLAVOURS))
def test_what_is_for_jenkins_is_read_by_the_others_as_docs_say(
    tmp_path: Path, flavour: Flavour
) -> None:
    """But for ant, what is wrong with it is that there is more than is shown."""
    long = replace(FAILED, case="long", name="long", stdout="x\n" * 50_000, detail="y\n" * 50_000)
    path = tmp_path / "junit.xml"
    write_junit(journal(FAILED, FLAKY, SKIPPED, PASSED), path, JENKINS)
    findings = [finding.words for finding in check_junit(path, flavour)]
    if flavour.name == "ant":
        assert {words.split(":")[0].split("=")[0] for words in findings} == {
            *("timestamp", "<flakyFailure>", "<rerunFailure>"),
        }
    else:
        assert findings == []
    write_junit(journal(long), path, JENKINS)
    findings = [finding.words for finding in check_junit(path, flavour)]
    of_size = [words for words in findings if words.endswith("are of use")]
    assert bool(of_size) == (flavour.name in ("gitlab", "github"))
    assert flavour.name == "ant" or findings == of_size


@pytest.mark.parametrize("flavour", FLAVOURS.values(), ids=list(FLAVOURS))
def test_skips_are_counted_in_all_where_the_schema_lets_them(
    tmp_path: Path, flavour: Flavour
) -> None:
    """npm's test-results-parser takes the count from testsuites, and none for 0."""
    xfail = replace(SKIPPED, case="y.c::s", outcome=Outcome.XFAIL, kernel="other")
    path = tmp_path / "junit.xml"
    write_junit(journal(FAILED, SKIPPED, PASSED, xfail), path, flavour)
    root = etree.parse(path).getroot()
    assert root.get("skipped") == (None if flavour.strict else "2")
    assert list(check_junit(path, flavour)) == []
    stream = io.BytesIO()
    merge_junit([path, path], stream)
    assert etree.fromstring(stream.getvalue()).get("skipped") == (None if flavour.strict else "4")


@pytest.mark.parametrize("flavour", FLAVOURS.values(), ids=list(FLAVOURS))
def test_the_same_journal_gives_the_same_bytes(tmp_path: Path, flavour: Flavour) -> None:
    same = journal(FAILED, FLAKY, SKIPPED, PASSED)
    files = []
    for name in ("one", "two"):
        (path,) = write_junit(same, tmp_path / name / "junit.xml", flavour)
        files.append(path.read_bytes())
    assert files[0] == files[1] == junit_text(same, flavour).encode() or flavour.attachments
    assert files[0] == files[1]


def test_junitparser_reads_back_all_that_the_generic_flavour_has() -> None:
    text = junit_text(journal(FAILED, FLAKY, SKIPPED, PASSED), GENERIC)
    suite: Any
    (suite,) = xunit2.JUnitXml.fromstring(text.encode())
    assert (suite.name, suite.tests, suite.failures, suite.errors, suite.skipped) == (
        *("debian-6.12", 4, 1, 0, 1),
    )
    assert (suite.timestamp, suite.hostname) == ("2026-01-01T01:02:03+02:00", "localhost")
    assert {p.name: p.value for p in suite.properties()} == {
        "kernel.release": "6.12.1",
        "kernel.spec": "debian:6.12",
        "kernel.arch": "x86_64",
        "accelerator": "tcg",
        "accelerator.reason": "no KVM",
        "qemu.version": "7.2",
        "kharness.version": "0.1",
        "flaky": "1 passed only when run again",
    }
    failed, flaky, skipped, passed = suite
    assert (failed.name, failed.classname, failed.time) == ("rejects", "pidfd.open", 1.5)
    (failure,) = (entry for entry in failed.result if entry._tag == "failure")
    assert (failure.type, failure.message) == ("fail", "expected EINVAL")
    assert failure.text == "cases/pidfd/open.c:12: expected EINVAL\ncame EBADF"
    (rerun,) = failed.rerun_failures()
    assert (rerun.type, rerun.message, rerun.stack_trace, rerun.system_out) == (
        *("timeout", "too slow", "too slow\nafter 60 s", "1..1"),
    )
    for words in (
        *("not ok 1", "WARNING: something", "warning warning: WARNING in foo", "task sh blocked"),
        *(FAILED.reproduce, "console: consoles/rejects.log"),
    ):
        assert words in failed.system_out
    assert {p.name: p.value for p in failed.properties()} == {
        "outcome": "fail",
        "case": FAILED.case,
        "started": STARTED,
        "attempts": "2",
        "reproduce": FAILED.reproduce,
        "splat.warning": "WARNING in foo",
        "file.console": "consoles/rejects.log",
    }
    assert flaky.is_passed
    (first,) = flaky.flaky_failures()
    assert (first.type, first.message) == ("error", "guest lost")
    assert skipped.is_skipped and skipped.result[0].message == "needs 6.9"
    assert passed.is_passed and not passed.result and passed.time == 0.25


def test_junit2html_reads_back_what_it_knows() -> None:
    text = junit_text(journal(FAILED, FLAKY, SKIPPED, PASSED), GENERIC)
    (suite,) = Junit(xmlstring=text.partition("\n")[2])
    assert (suite.name, suite.duration) == ("debian-6.12", 1.75)
    assert {p.name: p.value for p in suite.properties}["kernel.release"] == "6.12.1"
    cases = {case.name: case for case in suite.all()}
    failed = cases["rejects"]
    assert failed.testclass.name == "pidfd.open"
    assert failed.failure_msg == "expected EINVAL"
    assert "came EBADF" in failed.failure
    assert "not ok 1" in failed.stdout
    assert {p.name: p.value for p in failed.properties}["case"] == FAILED.case
    assert [case.name for case in suite.failed()] == ["rejects"]
    assert [(case.name, case.skipped_msg) for case in suite.skipped()] == [("s", "needs 6.9")]
    assert {case.name for case in suite.passed()} == {"sometimes", "p"}


@pytest.mark.parametrize("flavour", FLAVOURS.values(), ids=list(FLAVOURS))
def test_facts_of_a_flavour_are_what_it_writes(flavour: Flavour) -> None:
    root = root_of(journal(FAILED, FLAKY), flavour)
    failed, flaky = root.iter("testcase")
    assert (failed.get("file"), failed.get("line")) == (
        ("cases/pidfd/open.c", "12") if flavour.places else (None, None)
    )
    assert (failed.find("properties") is not None) == flavour.properties
    assert (failed.find("rerunFailure") is not None) == flavour.reruns
    assert (flaky.find("flakyFailure") is not None) == flavour.reruns
    output = flaky.findtext("system-out", "")
    assert ("another try: error ---\nguest lost\nQEMU went away" in output) != flavour.reruns
    when = root[0].get("timestamp")
    assert when == ("2026-01-01T01:02:03+02:00" if flavour.zone else "2025-12-31T23:02:03")


def test_names_join_histories_of_different_kernel_releases() -> None:
    def names(release: str) -> list[tuple[str | None, ...]]:
        kernel = KernelInfo("debian-6.12", "debian:6.12", release, "x86_64", "tcg")
        root = root_of(Journal(RUN, [kernel], [FAILED]), JENKINS)
        return [
            (s.get("name"), c.get("classname"), c.get("name"))
            for s in root
            for c in s.iter("testcase")
        ]

    assert names("6.12.1") == names("6.12.99") == [("debian-6.12", "pidfd.open", "rejects")]


LONG = Result(
    *("x.c::l", "x", "l", "debian-6.12", Outcome.FAIL, "long"),
    stdout="first" + "o" * 200_000 + "last",
    console="begin" + "c" * 200_000 + "end",
    stderr="short words",
    reproduce="kharness run x.c::l",
)


def test_long_output_is_cut_in_its_middle_and_lies_whole_beside(tmp_path: Path) -> None:
    path = tmp_path / "junit.xml"
    write_junit(journal(LONG, PASSED), path)
    long, _ = etree.parse(path).getroot().iter("testcase")
    output = long.findtext("system-out")
    assert len(output) < JENKINS.output_limit + 500
    for words in ("first", "last", "begin", "end", "short words", "x.c::l", "characters left out"):
        assert words in output
    (whole,) = (tmp_path / "junit-output").iterdir()
    assert output.endswith(f"--- whole output ---\njunit-output/{whole.name}")
    kept = whole.read_text()
    assert LONG.stdout in kept and LONG.console in kept


def test_a_later_report_drops_the_outputs_of_the_one_before_and_nothing_else(
    tmp_path: Path,
) -> None:
    path = tmp_path / "junit.xml"
    write_junit(journal(LONG), path)
    mine = tmp_path / "junit-output" / "notes.txt"
    mine.write_text("of somebody")
    write_junit(journal(PASSED), path)
    assert list((tmp_path / "junit-output").iterdir()) == [mine]


def test_a_long_detail_and_a_long_attempt_lie_whole_beside_as_well(tmp_path: Path) -> None:
    detail = Result("a", "x", "a", "k", Outcome.FAIL, "m", "d" * 100_000)
    attempt = Result(
        *("b", "x", "b", "k", Outcome.FAIL, "m"),
        attempts=(Attempt(Outcome.FAIL, "m", stdout="s" * 50_000),),
    )
    write_junit(journal(detail, attempt), tmp_path / "junit.xml")
    kept = [path.read_text() for path in (tmp_path / "junit-output").iterdir()]
    assert any("d" * 100_000 in text for text in kept)
    assert any("s" * 50_000 in text for text in kept)


def test_gitlab_gets_attachments_named_from_the_project(tmp_path: Path) -> None:
    run = tmp_path / ".kharness" / "run"
    write_junit(journal(FAILED), run / "junit.xml", GITLAB, files=run, base=tmp_path)
    output = etree.parse(run / "junit.xml").getroot().findtext(".//testcase/system-out")
    assert output.endswith("[[ATTACHMENT|.kharness/run/consoles/rejects.log]]")


def test_a_guest_names_no_attachment(tmp_path: Path) -> None:
    evil = "[[ATTACH\x1b[0mMENT|other/file.png]] [[ATTACHMENT|/uploads/x]]"
    said = replace(FAILED, stdout=evil, console=evil, evidence={evil: evil})
    write_junit(journal(said), tmp_path / "junit.xml", GITLAB)
    output = etree.parse(tmp_path / "junit.xml").getroot().findtext(".//testcase/system-out")
    assert re.findall(r"\[\[ATTACHMENT\|(.+?)\]\]", output) == ["consoles/rejects.log"]
    assert "other/file.png" in output
    assert "[[ATTACHMENT|" not in junit_text(journal(said), GITLAB)


def test_more_cases_than_gitlab_takes_go_on_in_further_files(tmp_path: Path) -> None:
    few = Flavour("few", "", "", cases_limit=4)
    results = [Result(f"x.c::{n}", "x", str(n), "k", Outcome.FAIL, "m") for n in range(10)]
    path = tmp_path / "junit.xml"
    parts = write_junit(journal(*results), path, few)
    assert [p.name for p in parts] == ["junit.xml", "junit-2.xml", "junit-3.xml"]
    roots = [etree.parse(p).getroot() for p in parts]
    assert [root.get("tests") for root in roots] == ["4", "4", "2"]
    assert [s.get("failures") for root in roots for s in root if s.get("name") == "k"] == [
        *("4", "4", "2"),
    ]
    names = [c.get("name") for root in roots for c in root.iter("testcase")]
    assert names == [str(n) for n in range(10)]
    (tmp_path / "junit-4.xml").write_text("somebody's own")
    assert write_junit(journal(*results[:3]), path, few) == [path]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["junit-4.xml", "junit.xml"]


def test_a_size_limit_holds(tmp_path: Path) -> None:
    small = Flavour("small", "", "", file_limit=20_000)
    results = [
        Result(f"x.c::{n}", "x", str(n), "k", Outcome.FAIL, "m", stdout="o" * 1000)
        for n in range(99)
    ]
    parts = write_junit(journal(*results), tmp_path / "j.xml", small)
    assert len(parts) > 4
    assert all(part.stat().st_size < 20_000 for part in parts)


@pytest.fixture
def cut_journal(tmp_path: Path) -> Iterator[JournalIndex]:
    path = tmp_path / "j"
    path.write_bytes(
        b'{"kind": "plan", "cases": [["cases/pidfd/open.c::one", "k"],'
        b' ["cases/pidfd/open.c::two@compat32", "k"]]}\n'
    )
    writer = JournalWriter(path)
    writer.result(Result("cases/pidfd/open.c::one", "pidfd.open", "one", "k", Outcome.PASS))
    writer.close()
    with path.open("ab") as stream:
        stream.write(b'{"kind": "res')
    with JournalIndex.open(path) as index:
        yield index


def test_what_is_missing_from_the_journal_is_said_and_is_an_error(
    cut_journal: JournalIndex,
) -> None:
    root = etree.fromstring(junit_text(cut_journal).encode())
    SCHEMAS["jenkins"].assertValid(root)
    (suite,) = root
    properties = {p.get("name"): p.get("value") for p in suite.iter("property")}
    assert properties["incomplete"] == "the run did not come to its end"
    assert properties["missing"] == "1 planned and without a result"
    assert properties["damaged"] == "1 lines of the journal could not be read"
    _, missing = suite.iter("testcase")
    assert (missing.get("classname"), missing.get("name")) == ("pidfd.open.compat32", "two")
    assert missing[0].tag == "error"
    assert (suite.get("tests"), suite.get("errors"), suite.get("failures")) == ("2", "1", "0")


def test_what_a_stopped_run_did_not_come_to_is_skipped(tmp_path: Path) -> None:
    path = tmp_path / "j"
    path.write_text('{"kind": "plan", "cases": [["x.c::t", "k"]]}\n{"kind": "end"}\n')
    with JournalIndex.open(path) as index:
        (case,) = etree.fromstring(junit_text(index).encode()).iter("testcase")
    assert [(child.tag, child.get("message")) for child in case] == [
        ("skipped", "not run: the run was stopped before it")
    ]


def test_ten_times_the_results_take_no_more_memory(tmp_path: Path) -> None:
    def peak(count: int) -> int:
        path = tmp_path / f"j{count}"
        with path.open("w") as stream:
            for number in range(count):
                r = Result(f"x.c::{number}", "x", str(number), "k", Outcome.PASS, stdout="o" * 200)
                stream.write(json.dumps({"kind": "result", **r.to_json()}) + "\n")
        tracemalloc.start()
        with JournalIndex.open(path) as index:
            write_junit(index, tmp_path / "junit.xml")
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    peak(10)  # what is imported and cached once
    assert peak(5_000) < peak(500) * 2
