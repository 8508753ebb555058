# SPDX-License-Identifier: GPL-2.0-only
import json
import tracemalloc
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import HostError
from harness.report.journal import (
    Journal,
    JournalWriter,
    KernelInfo,
    Plan,
    RunInfo,
    read_journal,
)
from harness.report.notes import Mark, marks_of
from harness.report.stream import JournalIndex
from harness.verdict.outcome import Outcome, Result
from harness.verdict.splat import Severity, Splat

RUN = RunInfo("r", "2026-01-01T00:00:00+00:00", "kharness run", "0.1", "7.2")
KERNELS = [KernelInfo(name, name, "6.12.1", "x86_64", "tcg") for name in ("a", "b")]
WARNED = Splat("warning", "t", Severity.WARNING, 1, 1, expected="known")
some_results = st.builds(
    Result,
    case=st.integers(0, 6).map("cases/x.c::t{}".format) | st.text(max_size=5),
    classname=st.just("x"),
    name=st.sampled_from(["one", "two", "\ud800"]),
    kernel=st.sampled_from(["a", "b", "c"]),
    outcome=st.sampled_from(Outcome),
    duration_s=st.floats(0, 1e6),
    detail=st.text(max_size=20),
    parent=st.sampled_from(["", "", "cases/x.c::t1"]),
    extra=st.sampled_from([{}, {"subtests": "2"}, {"tries": "3"}, {"first_guest": "lost"}]),
    splats=st.sampled_from(
        [(), (Splat("oops", "t", Severity.FATAL, 1, 1),), (WARNED,), (WARNED, WARNED)]
    ),
)


def lines(path: Path, *records: object) -> Path:
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


def result(case: str, kernel: str = "a", outcome: Outcome = Outcome.PASS) -> dict[str, object]:
    return {"kind": "result", **Result(case, "c", case, kernel, outcome).to_json()}


@settings(deadline=None)
@given(st.lists(some_results, max_size=20))
def test_it_says_what_the_whole_journal_says(results: list[Result]) -> None:
    last = list({(r.case, r.kernel): r for r in results}.values())
    with JournalIndex.of(Journal(RUN, KERNELS, results, ended=True)) as index:
        assert (index.run, index.kernels, index.ended, index.damaged) == (RUN, KERNELS, True, 0)
        assert list(index.results()) == last
        assert len(index) == len(last)
        for name in index.names:
            mine = [r for r in last if r.kernel == name]
            assert list(index.results(name)) == mine
            assert index.counts[name] == Counter(r.outcome for r in mine)
            assert index.seconds[name] == pytest.approx(sum(r.duration_s for r in mine))
        assert index.names == list(dict.fromkeys(["a", "b", *(r.kernel for r in results)]))


@settings(deadline=None)
@given(
    st.lists(some_results, max_size=20),
    st.lists(st.tuples(st.integers(0, 6).map("cases/x.c::t{}".format), st.sampled_from("abc"))),
)
def test_its_questions_have_the_answers_of_the_whole_journal(
    results: list[Result], plan: list[tuple[str, str]]
) -> None:
    last = list({(r.case, r.kernel): r for r in results}.values())
    whole = Journal(RUN, KERNELS, results, plan=Plan(tuple(dict.fromkeys(plan))), notes=["a", "b"])
    with JournalIndex.of(whole) as index:
        assert list(index.unfinished()) == whole.missing()
        assert set(index.done()) == whole.done()
        assert tuple(index.planned_cases()) == whole.plan.cases if whole.plan else ()
        assert index.notes == ["a", "b"]
        assert index.ran_on == list(dict.fromkeys(r.kernel for r in last))
        assert index.superseded == len(results) - len(last)
        assert index.total == Counter(r.outcome for r in last)
        assert list(index.outcomes()) == [(r.case, r.kernel, r.outcome) for r in last]
        bad = [(n, r) for n, r in enumerate(last) if r.outcome in (Outcome.FAIL, Outcome.CRASH)]
        assert list(index.numbered(outcomes=(Outcome.FAIL, Outcome.CRASH))) == bad
        assert index.count(outcomes=(Outcome.FAIL, Outcome.CRASH)) == len(bad)
        for mark in Mark:
            marked = [r for r in last if marks_of(r) & mark]
            assert list(index.results(marks=mark)) == marked
            assert index.count(marks=mark) == len(marked)
        by_class = index.by_class()
        assert list(by_class) == list(dict.fromkeys(r.classname for r in last))
        for classname, kernels in by_class.items():
            for kernel, found in kernels.items():
                mine = [r for r in last if (r.classname, r.kernel) == (classname, kernel)]
                assert found == Counter(r.outcome for r in mine)


def test_a_program_is_done_when_every_subtest_has_a_result_however_often_it_ran() -> None:
    program = Result("p", "s", "p", "a", Outcome.PASS, extra={"subtests": "2"})
    subtests = [Result(f"p::{n}", "s", n, "a", Outcome.PASS, parent="p") for n in "xy"]
    plan = Plan((("p", "a"),))
    for results, done in (
        ([program, subtests[0]], False),
        ([program, subtests[0], program, subtests[0]], False),
        ([program, subtests[0], program, *subtests], True),
    ):
        cut = Journal(results=results, plan=plan)
        with JournalIndex.of(cut) as index:
            assert list(index.unfinished()) == cut.missing() == ([] if done else [("p", "a")])
            assert (("p", "a") in set(index.done())) == (("p", "a") in cut.done()) == done


def test_namesakes_keep_their_number_in_whatever_order_they_ran() -> None:
    results = [Result(f"{folder}/x.c::t", "x", "t", "a", Outcome.PASS) for folder in "qps"]
    other = Result("x.c::other", "x", "other", "a", Outcome.PASS)
    for order in ([*results, other], [other, *results[::-1]]):
        with JournalIndex.of(Journal(results=order)) as index:
            assert index.namesakes("a") == {"p/x.c::t": 1, "q/x.c::t": 2, "s/x.c::t": 3}


def test_a_namesake_gets_no_number_that_another_case_is_called_by() -> None:
    names = {"p::t": "t", "q::t": "t", "r::t (2)": "t (2)", "s::t": "t", "u::t (3)": "t (3)"}
    results = [Result(case, "x", name, "a", Outcome.PASS) for case, name in names.items()]
    with JournalIndex.of(Journal(results=results)) as index:
        assert index.namesakes("a") == {"p::t": 1, "q::t": 4, "s::t": 5}


def test_what_was_planned_and_has_no_result_is_missing(tmp_path: Path) -> None:
    plan = [["one", "a"], ["two", "a"], ["two", "b"], ["three", "a"]]
    path = lines(tmp_path / "j", {"kind": "plan", "cases": plan}, result("two"), result("four"))
    with JournalIndex.open(path) as index:
        assert (index.planned, index.missing, index.names) == (4, 3, ["a", "b"])
        assert list(index.missing_cases("a")) == ["one", "three"]
        assert list(index.missing_cases("b")) == ["two"]


def test_without_a_plan_nothing_is_known_to_be_missing(tmp_path: Path) -> None:
    with JournalIndex.open(lines(tmp_path / "j", result("one"))) as index:
        assert (index.planned, index.missing) == (None, 0)


def test_a_kind_of_line_from_the_future_is_passed_over(tmp_path: Path) -> None:
    new = {"kind": "from the future"}
    with JournalIndex.open(lines(tmp_path / "j", new, result("good"))) as index:
        assert (index.damaged, [r.case for r in index.results()]) == (0, ["good"])


@pytest.mark.parametrize(
    "bad",
    [
        "no record",
        {"kind": "result"},
        {"kind": "plan", "cases": 5},
        {"kind": "plan", "cases": ["x"]},
        {**result("x"), "message": 5},
        {**result("x"), "duration_s": "long"},
        {**result("x"), "duration_s": float("nan")},
        {**result("x"), "evidence": {"a": 1}},
        {**result("x"), "splats": 5},
        {**result("x"), "extra": {"subtests": "many"}},
        {**result("x"), "duration_s": 10**400},
    ],
)
def test_a_line_that_is_none_is_counted_as_damaged(tmp_path: Path, bad: object) -> None:
    with JournalIndex.open(lines(tmp_path / "j", bad, result("good"))) as index:
        assert (index.damaged, [r.case for r in index.results()]) == (1, ["good"])


@given(st.binary(max_size=200))
def test_garbage_raises_nothing(data: bytes) -> None:
    path = Path("/dev/shm") / f"kharness-test-{id(data)}"
    try:
        path.write_bytes(data)
        with JournalIndex.open(path) as index:
            assert len(index) == 0
    finally:
        path.unlink()


def test_a_journal_cut_anywhere_loses_only_what_was_cut(tmp_path: Path) -> None:
    path = tmp_path / "j"
    writer = JournalWriter(path)
    writer.run(RUN)
    for number in range(3):
        writer.result(Result(str(number), "c", str(number), "a", Outcome.PASS))
    writer.end(0)
    writer.close()
    data = path.read_bytes()
    for size in range(0, len(data), 7):
        path.write_bytes(data[:size])
        with JournalIndex.open(path) as index:
            whole = read_journal(path)
            assert list(index.results()) == whole.results
            assert (index.damaged, index.ended) == (whole.damaged, whole.ended)


def test_a_journal_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(HostError, match="cannot read"):
        JournalIndex.open(tmp_path / "none")
    with pytest.raises(HostError, match="cannot read"):
        JournalIndex.open(tmp_path)


def test_ten_times_the_results_take_no_more_memory(tmp_path: Path) -> None:
    def peak(count: int) -> int:
        path = tmp_path / f"j{count}"
        with path.open("w") as stream:
            for number in range(count):
                stream.write(json.dumps(result(f"case{number}")) + "\n")
        tracemalloc.start()
        with JournalIndex.open(path) as index:
            assert sum(1 for _ in index.results("a")) == count
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    peak(10)  # what is imported and cached once
    assert peak(5_000) < peak(500) * 2
