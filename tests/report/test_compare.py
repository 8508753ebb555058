# SPDX-License-Identifier: GPL-2.0-only
"""Two runs, and what is said to have changed."""

import html
import io
import json
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from junitparser import JUnitXml
from rich.console import Console

from harness.cli_judge import compare_command
from harness.errors import UsageError
from harness.report.compare import Change, Difference, Judgement, compare, unstable
from harness.report.difference import (
    Report,
    difference_junit,
    markdown,
    print_report,
    to_json,
    write_reports,
)
from harness.report.journal import Journal
from harness.report.junit import junit_text
from harness.report.read import read_results
from harness.verdict.console import find_splats
from harness.verdict.outcome import HOST, Outcome, Result

P, F, S, E = Outcome.PASS, Outcome.FAIL, Outcome.SKIP, Outcome.ERROR
C, T, XF = Outcome.CRASH, Outcome.TIMEOUT, Outcome.XFAIL
WARN = "[    1.0] WARNING: CPU: 0 PID: 9 at kernel/pid.c:9 alloc_pid+0x1/0x2\n"


def result(outcome: Outcome, name: str = "t", kernel: str = "k", **more: object) -> Result:
    message = "" if outcome is P else f"it is {outcome.value}"
    known = Result(f"c.c::{name}", "c", name, kernel, outcome, message)
    return replace(known, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("before", "after", "change", "judgement"),
    [
        (P, P, None, Judgement.NOT_WORSE),
        (P, F, Change.NEWLY_FAILING, Judgement.WORSE),
        (P, C, Change.NEWLY_FAILING, Judgement.WORSE),
        (P, T, Change.NEWLY_FAILING, Judgement.WORSE),
        (S, F, Change.NEWLY_FAILING, Judgement.WORSE),
        (XF, F, Change.NEWLY_FAILING, Judgement.WORSE),
        (F, F, Change.STILL_FAILING, Judgement.NOT_WORSE),
        (F, C, Change.STILL_FAILING, Judgement.NOT_WORSE),
        (F, P, Change.NEWLY_PASSING, Judgement.NOT_WORSE),
        (P, S, Change.CHANGED_SKIP, Judgement.NOT_WORSE),
        (S, P, Change.CHANGED_SKIP, Judgement.NOT_WORSE),
        (S, S, None, Judgement.NOT_WORSE),
        (P, E, Change.UNJUDGED, Judgement.UNJUDGED),
        (E, F, Change.UNJUDGED, Judgement.UNJUDGED),
        (P, None, Change.UNJUDGED, Judgement.UNJUDGED),
        (None, P, Change.ADDED, Judgement.NOT_WORSE),
        (None, F, Change.NEWLY_FAILING, Judgement.WORSE),
    ],
)
def test_every_pair(
    before: Outcome | None, after: Outcome | None, change: Change | None, judgement: Judgement
) -> None:
    other = result(P, "other")
    base = [other, *([result(before)] if before else [])]
    head = [other, *([result(after)] if after else [])]
    found = compare(base, head)
    assert [d.change for d in found.differences] == ([change] if change else [])
    assert found.judgement is judgement
    assert found.same == (1 if change else 2)


@pytest.mark.parametrize("after", [P, F, C])
def test_what_an_incomplete_base_did_not_run_is_no_judgement(after: Outcome) -> None:
    missing = ("30 of 38 cases have no result", "")
    both = [result(P, "other"), result(after)]
    found = compare(both[:1], both, names=("a", "b"), missing=missing)
    assert [d.change for d in found.differences] == [Change.UNJUDGED]
    assert found.judgement is Judgement.UNJUDGED
    assert found.incomplete == ("base a is incomplete: 30 of 38 cases have no result",)
    report = Report(found)
    assert "base a is incomplete" in markdown(report)
    assert to_json(report)["incomplete"] == list(found.incomplete)


def test_what_an_incomplete_base_did_run_is_judged() -> None:
    found = compare([result(P)], [result(F)], missing=("half of it", ""))
    assert found.judgement is Judgement.WORSE


def test_nothing_at_all_is_no_judgement() -> None:
    assert compare([], []).judgement is Judgement.UNJUDGED


def test_a_splat_is_worse_beside_a_pass_and_beside_a_failure() -> None:
    for outcome in (P, F):
        found = compare([result(outcome)], [result(outcome, console=WARN)])
        assert [d.change for d in found.differences] == [Change.NEW_SPLAT]
        assert "WARNING in alloc_pid (kernel/pid.c)" in found.differences[0].words
        assert found.judgement is Judgement.WORSE
    same = WARN.replace("PID: 9", "PID: 77")
    assert compare([result(P, console=same)], [result(P, console=WARN)]).differences == ()


def test_a_splat_that_was_expected_is_not_worse() -> None:
    (splat,) = find_splats(WARN)
    known = replace(splat, expected="known, see the list")
    found = compare([result(P)], [result(P, console=WARN, splats=(known,))])
    assert found.judgement is Judgement.NOT_WORSE
    twice = result(P, console=WARN, splats=(known, splat))
    assert compare([result(P)], [twice]).of(Change.NEW_SPLAT)


def test_a_skip_for_another_reason_has_changed() -> None:
    found = compare([result(S)], [result(S, message="no memory")])
    assert [d.change for d in found.differences] == [Change.CHANGED_SKIP]


@pytest.mark.parametrize(
    ("before", "after", "changed"),
    [(0.1, 0.3, False), (1.0, 1.9, False), (1.0, 2.1, True), (2.1, 1.0, True), (0.1, 0.7, True)],
)
def test_time(before: float, after: float, changed: bool) -> None:
    found = compare([result(P, duration_s=before)], [result(P, duration_s=after)])
    assert [d.change for d in found.differences] == ([Change.CHANGED_TIME] if changed else [])
    assert found.judgement is Judgement.NOT_WORSE


def test_one_kernel_each_is_matched_whatever_its_name() -> None:
    assert compare([result(P, kernel="a")], [result(F, kernel="b")]).of(Change.NEWLY_FAILING)
    two = [result(P, kernel="a"), result(F, kernel="b")]
    assert compare(two, two).same == 1
    assert len(compare(two, two).of(Change.STILL_FAILING)) == 1


def test_a_test_without_a_guest_is_no_second_kernel() -> None:
    base = [result(F, kernel="debian-6.1"), result(P, "u", HOST), result(P, "t", HOST)]
    head = [result(F, kernel="debian-6.12"), result(P, "u", HOST), result(P, "t", HOST)]
    assert compare(base, head).same == 2
    assert [d.change for d in compare(base, head).differences] == [Change.STILL_FAILING]
    assert compare(head[1:], head[1:]).same == 2


def namesake(folder: str, outcome: Outcome) -> Result:
    return result(outcome, case=f"{folder}/x/t.c::t", classname="x.t")


@pytest.mark.parametrize("written", ["journals", "JUnit files", "a journal and a JUnit file"])
def test_namesakes_are_cases_of_their_own(written: str, tmp_path: Path) -> None:
    # They may have run in any order.
    before = [namesake("a", P), namesake("b", P)]
    after = [namesake("b", P), namesake("a", F)]
    sides = []
    for n, results in enumerate((before, after)):
        file = tmp_path / f"{n}.xml"
        file.write_text(junit_text(Journal(results=results, ended=True)))
        plain = written == "journals" or (n and written.startswith("a "))
        sides.append(results if plain else read_results(file))
    for base, head in (sides, sides[::-1]):
        found = compare(base, head)
        assert len(found.differences) == 1
        assert found.same == 1
    assert compare(*sides).of(Change.NEWLY_FAILING)


def test_of_namesakes_one_that_ran_alone_is_matched_by_its_file() -> None:
    found = compare([namesake("b", F)], [namesake("a", P), namesake("b", F)])
    assert [(d.change, d.case) for d in found.differences] == [
        (Change.STILL_FAILING, "b/x/t.c::t"),
        (Change.ADDED, "a/x/t.c::t"),
    ]


def test_of_several_kernels_each_report_says_which(tmp_path: Path) -> None:
    before = [result(P, kernel="new"), result(F, kernel="old"), result(P, "u", "new")]
    after = [result(F, kernel="new"), result(P, kernel="old"), result(P, "u", "new")]
    report = Report(compare(before, after))
    assert report.judgement is Judgement.WORSE
    write_reports(report, tmp_path)
    xml = JUnitXml.fromfile(str(tmp_path / "difference.xml"))
    assert (xml.tests, xml.failures) == (3, 1)
    names = [(case.name, len(case.result)) for suite in xml for case in suite]
    assert names[:2] == [("t[new]", 1), ("t[old]", 0)]
    data = json.loads((tmp_path / "difference.json").read_text())
    assert [(d["case"], d["kernel"]) for d in data["differences"]] == [
        ("c.c::t", "new"),
        ("c.c::t", "old"),
    ]
    shown = Console(file=io.StringIO(), width=200)
    print_report(shown, report)
    assert isinstance(shown.file, io.StringIO)
    for text in ((tmp_path / "difference.md").read_text(), shown.file.getvalue()):
        assert "c.c::t[new]" in html.unescape(text)
        assert "c.c::t[old]" in html.unescape(text)


def test_every_splat_of_a_boot_is_a_testcase() -> None:
    booting = [Difference(Change.NEW_SPLAT, "", f"while booting: {word}") for word in "ab"]
    text = difference_junit(Report(compare([result(P)], [result(P)], more=booting)))
    assert JUnitXml.fromstring(text.encode()).failures == 2


def test_what_does_not_come_every_time_is_no_judgement() -> None:
    found = compare([result(P)], [result(F)])
    doubted = replace(found, differences=(unstable(found.differences[0], "passed later"),))
    assert doubted.judgement is Judgement.UNJUDGED
    assert "passed later" in doubted.differences[0].words


def hostile() -> Report:
    text = "| `x` <script>alert(1)</script> ``` \x1b[31m &#124; [a](b) @all"
    bad = result(F, text, message=text, detail=text, console=text + "\n```\n")
    whole = compare([result(P, text)], [bad], names=("base", text))
    return Report(whole, ((text, whole),))


def test_text_of_a_guest_is_no_markup() -> None:
    text = markdown(hostile())
    assert "<script>" not in text.replace("```text", "").split("<details>")[0]
    assert "\x1b" not in text
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    assert len({line.count("|") for line in rows if "worse" in line}) == 1
    assert "@all" not in text.split("<details>")[0]
    fence = max(line.count("`") for line in text.splitlines() if line.startswith("```"))
    assert fence > 3


def test_reports_say_the_same(tmp_path: Path) -> None:
    report = Report(compare([result(P), result(F, "b")], [result(F), result(F, "b")]))
    files = write_reports(report, tmp_path)
    assert [f.name for f in files] == ["difference.xml", "difference.md", "difference.json"]
    data = json.loads((tmp_path / "difference.json").read_text())
    assert data == to_json(report)
    assert data["exit_code"] == 1
    assert [d["change"] for d in data["differences"]] == ["newly_failing", "still_failing"]
    xml = JUnitXml.fromfile(str(tmp_path / "difference.xml"))
    assert (xml.tests, xml.failures, xml.skipped) == (2, 1, 1)
    assert (tmp_path / "difference.md").read_text().startswith("## WORSE: 1 newly failing")


def test_a_kernel_that_does_not_build_is_worse(tmp_path: Path) -> None:
    broken = Difference(Change.BROKEN, "", "pid.c:3: error: nix")
    report = Report(compare([result(P)], [result(P)], more=[broken]))
    assert report.judgement is Judgement.WORSE
    write_reports(report, tmp_path)
    assert JUnitXml.fromfile(str(tmp_path / "difference.xml")).failures == 1


def test_junit_of_ours_reads_back(tmp_path: Path) -> None:
    results = [result(o, o.value) for o in (P, F, S, E, C, T)]
    file = tmp_path / "junit.xml"
    file.write_text(junit_text(Journal(results=results, ended=True)))
    back = read_results(file)
    assert [(r.name, r.outcome) for r in back] == [(r.name, r.outcome) for r in results]
    found = compare(results, back)
    assert found.same == 2  # pass and skip
    assert {d.change for d in found.differences} == {Change.STILL_FAILING, Change.UNJUDGED}


def test_junit_of_others_that_did_not_run_is_a_skip(tmp_path: Path) -> None:
    path = tmp_path / "gtest.xml"
    path.write_text(
        '<testsuites><testsuite name="s"><testcase name="a" classname="c" status="run"'
        ' result="completed"/><testcase name="b" classname="c" status="notrun"'
        ' result="suppressed"/></testsuite></testsuites>'
    )
    assert [(r.name, r.outcome) for r in read_results(path)] == [
        ("a", Outcome.PASS),
        ("b", Outcome.SKIP),
    ]


def test_junit_of_others_reads(tmp_path: Path) -> None:
    file = tmp_path / "other.xml"
    file.write_text(
        '<testsuite name="s"><testcase classname="a" name="b" time="1.5"/>'
        '<testcase name="c"><failure message="m" type="AssertionError">text</failure></testcase>'
        "</testsuite>"
    )
    one, two = read_results(file)
    assert (one.outcome, one.duration_s, one.kernel) == (P, 1.5, "s")
    assert (two.outcome, two.message, two.detail) == (F, "m", "text")


def test_junit_of_ours_has_every_outcome(tmp_path: Path) -> None:
    results = [result(o, o.value) for o in Outcome]
    file = tmp_path / "junit.xml"
    file.write_text(junit_text(Journal(results=results, ended=True)))
    assert [r.outcome for r in read_results(file)] == list(Outcome)


@pytest.mark.parametrize("time", ["12 ms", "nan", "inf", "-1", ""])
def test_a_time_that_is_none_is_no_difference(time: str, tmp_path: Path) -> None:
    file = tmp_path / "other.xml"
    file.write_text(f'<testsuite name="s"><testcase name="a" time="{time}"/></testsuite>')
    good = tmp_path / "good.xml"
    good.write_text('<testsuite name="s"><testcase name="a" time="0"/></testsuite>')
    done = CliRunner().invoke(compare_command, [str(file), str(good)], catch_exceptions=False)
    assert "NOT WORSE: 1 unchanged" in done.output
    assert done.exit_code == 0


def test_junit_of_others_that_nests_or_names_twice_loses_nothing(tmp_path: Path) -> None:
    file = tmp_path / "other.xml"
    file.write_text(
        '<testsuites><testsuite name="s"><testcase name="a"><failure/></testcase>'
        '<testcase name="a"/><testsuite name="in"><testcase name="a" time="1,234.5">'
        "<system-out>said</system-out></testcase></testsuite></testsuite></testsuites>"
    )
    found = [(r.kernel, r.name, r.outcome) for r in read_results(file)]
    assert found == [("s", "a", F), ("s", "a (2)", P), ("s.in", "a", P)]
    last = read_results(file)[-1]
    assert (last.duration_s, last.stdout) == (1234.5, "said")
    assert compare(read_results(file), read_results(file)).same == 2


def test_junit_that_declares_entities_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "evil.xml"
    file.write_text(
        '<!DOCTYPE x [<!ENTITY e "e">]><testsuite name="s"><testcase name="&e;"/></testsuite>'
    )
    with pytest.raises(UsageError, match="document type"):
        read_results(file)


@pytest.mark.parametrize("text", ["", "<a", "<html></html>", '{"kind": "run"}'])
def test_what_is_no_run_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "x").write_text(text)
    with pytest.raises(UsageError):
        read_results(tmp_path / "x")
    with pytest.raises(UsageError):
        read_results(tmp_path)
    with pytest.raises(UsageError):
        read_results(tmp_path / "nix")
