# SPDX-License-Identifier: GPL-2.0-only
"""JUnit files of any tool: merging them, and what is wrong with them."""

import io
import random
import subprocess
import sys
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from junitparser import JUnitXml
from lxml import etree

from harness.errors import UsageError
from harness.report.flavour import FLAVOURS, JENKINS
from harness.report.journal import Journal
from harness.report.junit import write_junit
from harness.report.junit_merge import Merged, merge_junit
from harness.report.junit_read import PART_LIMIT, read_junit
from harness.report.junit_rules import check_junit
from harness.verdict.outcome import Outcome, Result

PYTEST = """<?xml version="1.0" encoding="utf-8"?>
<testsuites name="pytest tests"><testsuite name="pytest" errors="0" failures="1" skipped="1"
 tests="3" time="0.041" timestamp="2026-01-01T10:00:00.123456+00:00" hostname="a">
<properties><property name="python" value="3.11"/></properties>
<testcase classname="test_a" name="test_ok" time="0.001" />
<testcase classname="test_a" name="test_bad" time="1.040"><failure message="assert 1 == 2">def
&gt; assert</failure></testcase>
<testcase classname="test_a" name="test_skip" time="0.000"><skipped type="pytest.skip"
 message="no">a.py:1: no</skipped></testcase></testsuite></testsuites>
"""
SUREFIRE = """<testsuite xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" name="a.Tests"
 time="1,000.5" tests="1" errors="1" skipped="0" failures="0">
  <properties><property name="python" value="none"/></properties>
  <testcase name="throws" classname="a.Tests" time="0.01">
    <error message="m" type="E"><![CDATA[at <a>]]></error>
    <rerunError message="m" type="E"><stackTrace><![CDATA[at <a>]]></stackTrace></rerunError>
  </testcase>
  <system-out>of the suite</system-out>
</testsuite>
"""
NESTED = """<testsuites><testsuite name="outer"><testsuite name="inner"><testcase classname="c"
 name="n"/></testsuite><testcase classname="c" name="n"/></testsuite></testsuites>
"""


def files(folder: Path, *texts: str) -> list[Path]:
    paths = [folder / f"f{number}.xml" for number in range(len(texts))]
    for path, text in zip(paths, texts, strict=True):
        path.write_text(text)
    return paths


def merged(*paths: Path) -> tuple[etree._Element, Merged]:
    stream = io.BytesIO()
    made = merge_junit(paths, stream)
    return etree.fromstring(stream.getvalue()), made


def findings(path: Path, flavour: str = "jenkins") -> list[str]:
    return [f"{f.line}: {f.words}" for f in check_junit(path, FLAVOURS[flavour])]


def test_files_of_different_tools_become_one_that_is_valid(tmp_path: Path) -> None:
    root, made = merged(*files(tmp_path, PYTEST, SUREFIRE, PYTEST))
    assert (made.suites, made.tests, made.doubles) == (2, 7, 3)
    schema = etree.XMLSchema(etree.parse(Path(__file__).parent / "data" / "junit-10.xsd"))
    schema.assertValid(root)
    first, second = root
    assert dict(first.attrib) == {
        **{"name": "pytest", "tests": "6", "failures": "2", "errors": "0", "skipped": "2"},
        **{"time": "2.082", "timestamp": "2026-01-01T10:00:00.123456+00:00", "hostname": "a"},
    }
    assert (second.get("errors"), second.get("time")) == ("1", "0.010")
    assert second.findtext("testcase/error") == "at <a>"
    assert second.findtext("testcase/rerunError/stackTrace") == "at <a>"
    assert second.findtext("system-out") == "of the suite"
    assert dict(root.attrib) == {"tests": "7", "failures": "2", "errors": "1", "time": "2.092"}


def test_properties_that_differ_are_all_kept(tmp_path: Path) -> None:
    other = PYTEST.replace('value="3.11"', 'value="3.12"')
    root, _ = merged(*files(tmp_path, PYTEST, other, PYTEST))
    (value,) = (p.get("value") for p in root.iter("property"))
    assert value == "3.11, 3.12"


def test_nested_suites_are_named_by_their_way(tmp_path: Path) -> None:
    root, made = merged(*files(tmp_path, NESTED))
    assert {s.get("name"): s.get("tests") for s in root} == {"outer.inner": "1", "outer": "1"}
    assert made.doubles == 0


def test_shards_of_a_run_merge_into_what_the_whole_run_says(tmp_path: Path) -> None:
    results = [
        Result(f"x.c::{n}", "x", str(n), k, o, "m", stdout="out & <out>")
        for k in ("a", "b")
        for n, o in enumerate(Outcome)
    ]
    write_junit(Journal(results=results, ended=True), tmp_path / "whole.xml")
    shards = [tmp_path / "one.xml", tmp_path / "two.xml"]
    for number, shard in enumerate(shards):
        write_junit(Journal(results=results[number::2], ended=True), shard)
    root, _ = merged(*shards)

    def facts(node: etree._Element) -> set[tuple[str | None, ...]]:
        return {
            (s.get("name"), c.get("name"), *(child.tag for child in c), c.findtext("system-out"))
            for s in node
            for c in s.iter("testcase")
        }

    whole = etree.parse(tmp_path / "whole.xml").getroot()
    assert facts(root) == facts(whole)
    for name in ("tests", "failures", "errors"):
        assert root.get(name) == whole.get(name)


def test_what_is_merged_of_own_reports_keeps_their_name_and_is_not_taken_away(
    tmp_path: Path,
) -> None:
    """A run takes away parts of an earlier report, which begin alike, and nothing else."""
    report = tmp_path / "junit.xml"
    run = Journal(results=[Result("x.c::t", "x", "t", "a", Outcome.PASS)], ended=True)
    write_junit(run, report)
    target = tmp_path / "junit-2.xml"
    with target.open("wb") as stream:
        merge_junit([report], stream)
    assert etree.parse(target).getroot().get("name") == "kharness"
    write_junit(run, report)
    assert target.exists()
    root, _ = merged(report, *files(tmp_path, PYTEST))
    assert root.get("name") is None


BOMB = '<!DOCTYPE a [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]><testsuite>&b;</testsuite>'
FETCH = '<!DOCTYPE a [<!ENTITY a SYSTEM "file:///etc/passwd">]><testsuite>&a;</testsuite>'


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (BOMB, "1: it has a document type, which can declare entities: refused"),
        (FETCH, "1: it has a document type, which can declare entities: refused"),
        ("", "1: no XML: it is empty, or was cut off"),
        ("\\x7fELF", "1: no XML"),
        ("<html/>", "1: no JUnit file: it begins with <html>"),
        (PYTEST[:400], "no XML"),
        ("<testsuite>" * 60, "elements nest deeper than 50: refused"),
        (
            "<testsuite>\n<testcase>&undefined;</testcase></testsuite>",
            "2: no XML: undefined entity",
        ),
        ("<testsuite>\x00</testsuite>", "no XML"),
    ],
)
def test_what_is_no_junit_is_one_line(tmp_path: Path, text: str, says: str) -> None:
    (path,) = files(tmp_path, text)
    for action in (lambda: merged(path), lambda: findings(path)):
        with pytest.raises(UsageError) as caught:
            action()
        assert says in str(caught.value)
        assert "\n" not in str(caught.value)


@given(st.binary(max_size=300))
def test_garbage_is_an_error_of_the_users(data: bytes) -> None:
    path = Path("/dev/shm") / f"kharness-test-{id(data)}"
    try:
        path.write_bytes(data)
        with pytest.raises(UsageError):
            list(read_junit(path))
    finally:
        path.unlink()


def test_damage_anywhere_is_an_error_or_still_a_report(tmp_path: Path) -> None:
    source = PYTEST.encode()
    dice = random.Random(1)
    path = tmp_path / "f.xml"
    for _ in range(500):
        data = bytearray(source)
        for _ in range(dice.randint(1, 4)):
            data[dice.randrange(len(data))] = dice.randrange(256)
        path.write_bytes(data)
        try:
            stream = io.BytesIO()
            merge_junit([path], stream)
            list(check_junit(path, JENKINS))
        except UsageError:
            continue
        etree.fromstring(stream.getvalue())


def test_a_part_without_end_is_refused_before_it_fills_the_memory(tmp_path: Path) -> None:
    path = tmp_path / "f.xml"
    for start, says in (
        ("<testsuite><testcase><system-out>", "a testcase longer than 64 MiB: refused"),
        ('<testsuite><testcase name="', "a tag longer than 1 MiB: refused"),
    ):
        with path.open("w") as stream:
            stream.write(start)
            for _ in range((PART_LIMIT >> 20) + 4):
                stream.write("x" * 1024 * 1024)
        with pytest.raises(UsageError, match=says):
            list(read_junit(path))


def test_merging_ten_times_the_cases_takes_no_more_memory(tmp_path: Path) -> None:
    def peak(count: int) -> int:
        path = tmp_path / "f.xml"
        with path.open("w") as stream:
            stream.write('<testsuite name="s">')
            for n in range(count):
                stream.write(
                    f'<testcase classname="c" name="{n}"><system-out>x</system-out></testcase>'
                )
            stream.write("</testsuite>")
        tracemalloc.start()
        with (tmp_path / "out.xml").open("wb") as out:
            merge_junit([path], out)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    peak(10)  # what is imported and cached once
    assert peak(10_000) < peak(1_000) * 2


@pytest.mark.parametrize("flavour", list(FLAVOURS))
def test_what_pytest_writes_is_fine_but_for_ants_timestamp(tmp_path: Path, flavour: str) -> None:
    (path,) = files(tmp_path, PYTEST)
    expected = [
        "2: timestamp='2026-01-01T10:00:00.123456+00:00': ant takes YYYY-MM-DDTHH:MM:SS only"
    ]
    assert findings(path, flavour) == (expected if flavour == "ant" else [])


SUITE = '<testsuite name="s" tests="1" failures="0" errors="0">{}</testsuite>'
CASE = '<testcase classname="c" name="n" {}>{}</testcase>'


@pytest.mark.parametrize(
    ("flavour", "attributes", "content", "says"),
    [
        ("jenkins", 'file="a.c"', "", "testcase file=: not in the schema"),
        ("jenkins", "", "<properties/>", "<properties> in testcase: not in the schema"),
        ("jenkins", 'time="soon"', "", "testcase time='soon': no time"),
        ("jenkins", "", '<flakyFailure message="m"/>', "<flakyFailure> without a type"),
        (
            "jenkins",
            "",
            '<flakyFailure type="t"><system-out/><stackTrace/></flakyFailure>',
            "<flakyFailure> has system-out, stackTrace: allowed are stackTrace, system-out,"
            " system-err",
        ),
        ("ant", "", '<flakyFailure type="t"/>', "<flakyFailure>: ant knows no reruns"),
        (
            "generic",
            "",
            f"<system-out>{'x' * 70_000}</system-out>",
            "<system-out> of 70000 characters; 60000 are of use",
        ),
        (
            "generic",
            "",
            "<system-out>&#x85;</system-out>",
            "<system-out> has control characters or terminal sequences",
        ),
    ],
)
def test_each_rule_finds_what_it_is_for(
    tmp_path: Path, flavour: str, attributes: str, content: str, says: str
) -> None:
    (path,) = files(tmp_path, SUITE.format(CASE.format(attributes, content)))
    assert f"1: {says}" in findings(path, flavour)


def test_rules_about_failures(tmp_path: Path) -> None:
    def of(content: str, flavour: str = "generic") -> list[str]:
        case = CASE.format("", content)
        path = tmp_path / "f.xml"
        path.write_text(f'<testsuite name="s" tests="1" failures="1" errors="0">{case}</testsuite>')
        return findings(path, flavour)

    assert of('<failure message="m">t</failure>', "gitlab") == []
    assert of("<failure/>") == ["1: <failure> says nothing"]
    assert of('<failure message="m"/>') == []
    assert of('<failure message="m"/>', "gitlab") == [
        "1: <failure> has a message only; gitlab reads the text"
    ]
    assert of(f"<failure>{'x' * 20_000}</failure>", "github") == [
        "1: <failure> of 20000 characters; 15000 are of use"
    ]
    assert of('<failure message="m"/><skipped/>') == [
        "1: testcase with failure and skipped: readers differ on what counts"
    ]


def test_rules_about_names_and_counts(tmp_path: Path) -> None:
    (path,) = files(
        tmp_path,
        '<testsuites tests="3">\n<testsuite tests="1" time="1e-05"'
        ' timestamp="2026-01-01T00:00:00">\n'
        '<testcase classname="c" name="n"/>\n<testcase classname="c" name="n"/>\n<testcase/>\n'
        "</testsuite>\n</testsuites>",
    )
    assert findings(path) == [
        "2: testsuite without a name",
        "2: testsuite time='1e-05': at most three decimals, and no exponent",
        "2: timestamp='2026-01-01T00:00:00': no offset from UTC, so readers guess",
        "4: a second c.n in : readers keep one",
        "5: testcase without a name",
        "5: testcase without a classname, so readers make one up",
        "2: testsuite tests='1': there are 3",
        "2: testsuite without failures",
        "2: testsuite without errors",
    ]


def test_rules_about_order_and_size(tmp_path: Path) -> None:
    head = '<testsuite name="s" timestamp="2026-01-01T00:00:00" hostname="h" time="1" tests="1"'
    (path,) = files(
        tmp_path, f'{head} failures="0" errors="0">{CASE.format("", "")}<properties/></testsuite>'
    )
    assert findings(path, "ant") == ["1: <properties> after <testcase>"]
    many = "".join(f'<testcase classname="c" name="{n}"/>' for n in range(20_001))
    path.write_text(f'<testsuite name="s">{many}</testsuite>')
    assert findings(path, "gitlab") == ["1: 20001 testcases; gitlab takes about 20000 in a file"]
    with path.open("w") as stream:
        stream.write(f'<testsuite name="s">{CASE.format("", "")}<system-out>')
        stream.write("x" * 30_000_000 + "</system-out></testsuite>")
    (finding,) = findings(path, "gitlab")
    assert finding.endswith("bytes; gitlab takes 30000000 in a file")


def kharness(*words: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "harness.cli", "junit", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_commands(tmp_path: Path) -> None:
    one, two = files(tmp_path, PYTEST, SUREFIRE)
    out = tmp_path / "new" / "out.xml"
    done = kharness("merge", one, two, "-o", out)
    assert (done.returncode, done.stdout) == (0, "")
    assert "4 testcases in 2 suites of 2 files: 1 failures, 1 errors" in done.stderr
    assert sum(len(suite) for suite in JUnitXml.fromfile(str(out))) == 4
    assert kharness("merge", one, two).stdout.encode() == out.read_bytes()
    done = kharness("validate", one, out)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    done = kharness("validate", "--flavour", "ant", one)
    assert done.returncode == 1
    assert done.stdout.startswith(f"{one}:2: timestamp=")
    one.write_text(BOMB)
    for action in ("merge", "validate"):
        done = kharness(action, one)
        assert (done.returncode, done.stdout) == (4, "")
        assert done.stderr == (
            f"kharness: {one}:1: it has a document type, which can declare entities: refused\n"
        )
