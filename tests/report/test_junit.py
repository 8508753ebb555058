# SPDX-License-Identifier: GPL-2.0-only
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from junitparser import JUnitXml
from lxml import etree

from harness.errors import HostError
from harness.report.journal import Journal, JournalWriter, KernelInfo, RunInfo, read_journal
from harness.report.junit import junit_text, write_junit
from harness.report.stream import JournalIndex
from harness.report.teamcity import messages
from harness.report.terminal import exit_code
from harness.verdict.outcome import Outcome, Result

SCHEMA = etree.XMLSchema(etree.parse(Path(__file__).parent / "data" / "junit-10.xsd"))
RUN = RunInfo("r", "2026-01-01T00:00:00+00:00", "kharness run", "0.1", "7.2")
KERNEL = KernelInfo("debian-6.12", "debian:6.12", "6.12.1", "x86_64", "tcg", "no KVM")

anything = st.text(st.characters(), max_size=60)
some_results = st.builds(
    Result,
    case=st.integers(0, 10**6).map("cases/x.c::t{}".format),
    classname=anything,
    name=anything,
    kernel=st.sampled_from(["debian-6.12", "other"]),
    outcome=st.sampled_from(Outcome),
    message=anything,
    detail=anything,
    stdout=anything,
    stderr=anything,
    console=anything,
    started=st.just("2026-01-01T00:00:00.123+00:00"),
    duration_s=st.floats(0, 1e6),
)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.lists(some_results, max_size=12))
def test_whatever_a_guest_prints_it_is_valid_and_readable(results: list[Result]) -> None:
    text = junit_text(Journal(RUN, [KERNEL], results, ended=True))
    SCHEMA.assertValid(etree.fromstring(text.encode()))
    last = {(r.case, r.kernel): r for r in results}
    bad = sum(1 for r in last.values() if r.outcome not in (Outcome.PASS, Outcome.FLAKY))
    read = JUnitXml.fromstring(text.encode())
    cases = [case for suite in read for case in suite]
    assert len(cases) == len(last)
    assert sum(1 for case in cases if case.result) == bad
    names = [(case.classname, case.name) for case in cases]
    per_suite = [[(c.classname, c.name) for c in suite] for suite in read]
    assert all(len(set(n)) == len(n) for n in per_suite), names


@pytest.mark.parametrize(
    ("outcome", "element"),
    [
        (Outcome.PASS, None),
        (Outcome.FAIL, "failure"),
        (Outcome.CRASH, "failure"),
        (Outcome.TIMEOUT, "failure"),
        (Outcome.XPASS, "failure"),
        (Outcome.ERROR, "error"),
        (Outcome.SKIP, "skipped"),
        (Outcome.XFAIL, "skipped"),
    ],
)
def test_each_outcome_has_its_element_even_without_words(
    outcome: Outcome, element: str | None
) -> None:
    result = Result("c::t", "c", "t", "debian-6.12", outcome)
    root = etree.fromstring(junit_text(Journal(RUN, [KERNEL], [result])).encode())
    (case,) = root.iter("testcase")
    found = [child for child in case if child.tag != "system-out"]
    assert [child.tag for child in found] == ([element] if element else [])
    assert all(child.get("message") for child in found)


@pytest.mark.parametrize(
    ("message", "says"),
    [
        ("expected: known (https://bugs.example/1)", "known (https://bugs.example/1)"),
        ("known to the case", "known to the case"),
        ("expected to fail: said before", "said before"),
        ("expected to fail", ""),
        ("", ""),
    ],
)
def test_an_expected_failure_says_so_once(message: str, says: str) -> None:
    result = Result("cases/x.c::t", "x", "t", "debian-6.12", Outcome.XFAIL, message)
    journal = Journal(RUN, [KERNEL], [result], ended=True)
    (case,) = etree.fromstring(junit_text(journal).encode()).iter("testcase")
    words = f"expected to fail: {says}" if says else "expected to fail"
    assert case.find("skipped").get("message") == words
    with JournalIndex.of(journal) as index:
        (ignored,) = (line for line in messages(index) if "testIgnored" in line)
    assert f"message='{words}'" in ignored


def test_an_unfinished_run_says_so() -> None:
    text = junit_text(Journal(RUN, [KERNEL], [Result("c", "c", "t", "debian-6.12", Outcome.PASS)]))
    assert "did not come to its end" in text


def test_a_report_that_cannot_be_written_is_an_error_and_leaves_the_old(tmp_path: Path) -> None:
    target = tmp_path / "junit.xml"
    target.mkdir()
    with pytest.raises(HostError, match="cannot write"):
        write_junit(Journal(RUN), target)
    assert list(tmp_path.iterdir()) == [target]


def journal_with(path: Path, count: int) -> list[Result]:
    results = [Result(f"c::{n}", "c", str(n), "k", Outcome.PASS) for n in range(count)]
    writer = JournalWriter(path)
    writer.run(RUN)
    writer.kernel(KERNEL)
    for result in results:
        writer.result(result)
    writer.end(0)
    writer.close()
    return results


def test_journal_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "j"
    results = journal_with(path, 3)
    journal = read_journal(path)
    assert (journal.run, journal.kernels, journal.results) == (RUN, [KERNEL], results)
    assert (journal.ended, journal.damaged) == (True, 0)
    assert path.stat().st_mode & 0o077 == 0


def test_journal_cut_anywhere_loses_only_what_was_cut(tmp_path: Path) -> None:
    path = tmp_path / "j"
    results = journal_with(path, 3)
    data = path.read_bytes()
    for size in range(len(data)):
        path.write_bytes(data[:size])
        journal = read_journal(path)
        whole = data[:size].count(b"\n")
        assert journal.results == results[: len(journal.results)]
        assert len(journal.results) >= min(3, whole - 2)
        assert not journal.ended or size >= len(data) - 1


@given(st.binary(max_size=200))
def test_journal_of_garbage_raises_nothing(data: bytes) -> None:
    path = Path("/dev/shm") / f"kharness-test-{id(data)}"
    try:
        path.write_bytes(data)
        read_journal(path)
    finally:
        path.unlink()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_full_disk_is_named() -> None:
    with pytest.raises(HostError, match=r"(No space|Invalid)"):
        JournalWriter(Path("/dev/full")).run(RUN)


@pytest.mark.parametrize(
    ("outcomes", "code"),
    [
        ([], 5),
        ([Outcome.PASS, Outcome.SKIP, Outcome.XFAIL], 0),
        ([Outcome.PASS, Outcome.ERROR], 3),
        ([Outcome.ERROR, Outcome.FAIL], 1),
        ([Outcome.CRASH], 1),
        ([Outcome.TIMEOUT], 1),
        ([Outcome.XPASS], 1),
    ],
)
def test_exit_codes(outcomes: list[Outcome], code: int) -> None:
    assert exit_code(outcomes) == code
