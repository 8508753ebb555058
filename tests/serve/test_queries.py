# SPDX-License-Identifier: GPL-2.0-only
"""What the database answers, and that it walks indices for it."""

import re
from dataclasses import replace

import pytest

from harness.report.journal import Journal
from harness.serve.queries import REGRESSIONS_COUNTED, SQL
from harness.verdict.outcome import HOST, Outcome
from tests.report.example_run import KERNELS, journal, passing, result, run
from tests.serve.conftest import Site, history, put

VALUES = {
    **dict.fromkeys(
        ("run", "base", "head", "case", "base_kernel", "head_kernel", "a", "b", "c", "limit"), 1
    ),
    **{"kernel": "1", "suite": "1", "words": "aaa", "host": "host"},
}
ALLOWED = re.compile(
    r"SEARCH .*"
    r"|SCAN meta"  # one row
    r"|SCAN run USING COVERING INDEX run_at"  # from its end, and only one row
    r"|SCAN f VIRTUAL TABLE INDEX .*"  # that is its full text index
    r"|SCAN \(subquery-\d+\)|CO-ROUTINE .*|CORRELATED SCALAR SUBQUERY \d+|SCALAR SUBQUERY \d+"
)


@pytest.mark.parametrize("name", sorted(SQL))
def test_every_question_walks_an_index(site: Site, name: str) -> None:
    with site.store.reading() as db:
        plan = [row["detail"] for row in db.execute(f"explain query plan {SQL[name]}", VALUES)]
    assert plan
    for step in plan:
        assert ALLOWED.fullmatch(step), f"{step!r} in {plan}"


# A case's history


@pytest.mark.parametrize(
    ("outcomes", "bad", "last_good", "first_bad"),
    [
        ("p", False, 1, None),
        ("ppff", True, 2, 3),
        ("pfpff", True, 3, 4),
        ("pfpfp", False, 5, None),
        ("fff", True, None, 1),
        ("psff", True, 1, 3),
        ("pef", True, 1, 3),
        ("pfse", True, 1, 2),
        ("p-f-", True, 1, 3),
        ("ss", False, None, None),
        ("pse", False, 1, None),
    ],
)
def test_the_first_bad_run_since_the_last_good_one(
    site: Site, outcomes: str, bad: bool, last_good: int | None, first_bad: int | None
) -> None:
    history(site.runs, outcomes)
    site.update()
    names = {run["id"]: run["name"] for run in site.json("/api/runs")["runs"]}
    (case,) = site.json("/api/cases?query=::case")["cases"]
    found = site.json(case["history"])
    assert found["bad"] is bad
    assert names.get(found["last_good"]) == (f"run-{last_good}" if last_good else None)
    assert names.get(found["first_bad"]) == (f"run-{first_bad}" if first_bad else None)
    seen = [row["outcome"][0] for row in reversed(found["history"])]
    assert "".join(seen) == outcomes.replace("-", "")


def test_runs_that_come_late_stand_at_their_time(site: Site) -> None:
    """Imported newest first, the history is still in the order of time."""
    failing = replace(passing(), results=[result(0, Outcome.FAIL, name="pass_0")])
    put(site.runs / "z", replace(failing, run=run(3, id="third")))
    site.update()
    put(site.runs / "a", replace(passing(), run=run(2, id="second")))
    site.update()
    (case,) = site.json("/api/cases?query=pass_0")["cases"]
    found = site.json(case["history"])
    assert [row["run_name"] for row in found["history"]] == ["third", "second"]
    assert (found["first_bad"], found["last_good"]) == (1, 2)
    assert site.json("/api/latest")["latest"][0]["name"] == "third"


def test_a_history_is_of_one_kernel(site: Site) -> None:
    put(site.runs / "a", journal())
    site.update()
    (case,) = site.json("/api/cases?query=pass_100")["cases"]
    assert site.json(f"/api/cases/{case['id']}/history")["kernels"] == ["debian-6.1", "debian-6.12"]
    found = site.json(f"/api/cases/{case['id']}/history?kernel=debian-6.1")
    assert (found["kernel"], len(found["history"])) == ("debian-6.1", 1)
    assert site.ask(f"/api/cases/{case['id']}/history?kernel=none").status == 404


# Regressions


def one(day: int, outcome: Outcome | None, kernel: str = "debian-6.12") -> Journal:
    """A run of one case, or of another one."""
    made = result(0, outcome or Outcome.PASS, kernel, name="case" if outcome else "other")
    return Journal(run(day), [], [replace(made, case=made.name)], ended=True)


@pytest.mark.parametrize("base", [None, *Outcome])
@pytest.mark.parametrize("head", Outcome)
def test_what_is_a_regression(site: Site, base: Outcome | None, head: Outcome) -> None:
    """As ``kharness compare`` has it: bad now, and good or not there before."""
    put(site.runs / "a", one(1, base))
    put(site.runs / "b", one(2, head))
    site.update()
    bad = not head.good and head is not Outcome.ERROR
    expected = int(bad and (base is None or base.good))
    explicit = site.json("/api/regressions?base=1&head=2")
    assert len(explicit["regressions"]) == expected
    # Without a base each case is held against its own result before; an error is none.
    before = site.json("/api/regressions")
    assert len(before["regressions"]) == int(bad and (base in (None, Outcome.ERROR) or base.good))
    for row in explicit["regressions"]:
        assert row["base_outcome"] == base
        assert row["outcome"] == head


def test_a_case_is_held_against_when_it_last_ran_on_its_kernel(site: Site) -> None:
    put(site.runs / "a", one(1, Outcome.PASS))
    put(site.runs / "b", one(2, Outcome.FAIL, "debian-6.1"))
    put(site.runs / "c", one(3, None))
    put(site.runs / "d", one(4, Outcome.ERROR))
    put(site.runs / "e", one(5, Outcome.FAIL))
    site.update()
    (found,) = site.json("/api/regressions")["regressions"]
    assert (found["base_run"], found["base_outcome"]) == (1, "pass")
    states = {s["kernel"]: s["regressions"] for s in site.json("/api/latest")["latest"]}
    assert states == {"debian-6.1": 1, "debian-6.12": 1}


def test_runs_with_one_kernel_each_are_compared_whatever_it_is_called(site: Site) -> None:
    put(site.runs / "a", one(1, Outcome.PASS, "before"))
    put(site.runs / "b", one(2, Outcome.FAIL, "after"))
    site.update()
    (found,) = site.json("/api/regressions?base=1&head=2")["regressions"]
    assert found["base_outcome"] == "pass"


def test_a_test_without_a_guest_is_on_no_kernel(site: Site) -> None:
    """Its outcome is held against its own, the others' whatever their kernels are called."""
    for day, kernel, outcome in ((1, "before", Outcome.PASS), (2, "after", Outcome.FAIL)):
        case = result(0, outcome, kernel, name="case", case="case")
        alone = result(1, outcome, HOST, name="alone", case="alone")
        put(site.runs / f"{day}", Journal(run(day), [], [case, alone], ended=True))
    site.update()
    found = site.json("/api/regressions?base=1&head=2")["regressions"]
    assert {r["name"]: r["base_outcome"] for r in found} == {"alone": "pass", "case": "pass"}


def test_runs_with_several_kernels_and_many_suites_are_compared_by_kernel(site: Site) -> None:
    suites = [result(n, Outcome.PASS, "a", classname=f"s{n}.x") for n in range(1001)]
    suites.append(result(0, Outcome.FAIL, "b", classname="s0.x"))
    put(site.runs / "1", Journal(run(1), [], suites, ended=True))
    put(site.runs / "2", Journal(run(2), [], suites[::-1], ended=True))
    site.update()
    assert site.json("/api/regressions?base=1&head=2")["regressions"] == []
    assert site.json("/api/regressions?base=2&head=1")["regressions"] == []


# Latest


def test_the_latest_state_of_each_suite_on_each_kernel(site: Site) -> None:
    put(site.runs / "a", journal(day=1))
    put(site.runs / "b", passing(day=2))
    site.update()
    found = {(s["kernel"], s["suite"]): s for s in site.json("/api/latest")["latest"]}
    assert list(found) == [("debian-6.1", "pidfd"), ("debian-6.12", "pidfd")]
    assert found["debian-6.12", "pidfd"]["name"] == "run-2"
    assert found["debian-6.12", "pidfd"]["counts"] == {"pass": 20}
    assert found["debian-6.1", "pidfd"]["name"] == "run-1"
    (only,) = site.json("/api/latest?kernel=debian-6.1&suite=pidfd")["latest"]
    assert only == found["debian-6.1", "pidfd"]
    assert site.json("/api/latest?kernel=none")["latest"] == []


def test_the_latest_state_of_one_kernel_or_suite_has_pages_too(site: Site) -> None:
    kernels = [f"k{n}" for n in range(3)]
    results = [
        result(0, Outcome.PASS, kernel, classname=f"s{n:02}.x", case=f"{n}")
        for kernel in kernels
        for n in range(80)
    ]
    results[-1] = replace(results[-1], outcome=Outcome.FAIL)
    put(site.runs / "a", Journal(run(), [], results, ended=True))
    site.update()
    suites = [f"s{n:02}" for n in range(80)]
    for limit in ("", "&limit=7"):
        found = site.all(f"/api/latest?kernel=k1{limit}", "latest")
        assert [(s["kernel"], s["suite"]) for s in found] == [("k1", name) for name in suites]
    found = site.all("/api/latest?suite=s03&limit=1", "latest")
    assert [(s["kernel"], s["suite"]) for s in found] == [(name, "s03") for name in kernels]
    found = site.all("/api/latest?kernel=k2&suite=s79&limit=1", "latest")
    assert [s["bad"] for s in found] == [1]
    assert len(site.all("/api/latest", "latest")) == 240
    assert "1 of 240 failing" in site.ask("/badge.svg").text
    assert "1 of 80 failing" in site.ask("/badge.svg?kernel=k2").text
    assert "80 passing" in site.ask("/badge.svg?kernel=k1").text


def test_regressions_that_are_not_counted_to_their_end_say_so(site: Site) -> None:
    for suite, count in (("few", REGRESSIONS_COUNTED - 1), ("many", REGRESSIONS_COUNTED + 1)):
        results = [
            result(n, Outcome.FAIL, classname=f"{suite}.x", case=f"{n}") for n in range(count)
        ]
        put(site.runs / suite, Journal(run(id=suite), [], results, ended=True))
    site.update()
    front = site.ask("/").text
    assert ">999<" in front
    assert ">1,000+<" in front


# Paging


def test_pages_have_everything_once_and_in_order(site: Site) -> None:
    for day in range(1, 8):
        put(site.runs / f"{day}", journal(30, day=day))
    site.update()
    runs = site.all("/api/runs?limit=3", "runs")
    assert [r["name"] for r in runs] == [f"run-{day}" for day in range(7, 0, -1)]
    results = site.all("/api/runs/1?limit=7", "results")
    assert len({(r["kernel"], r["case_id"]) for r in results}) == len(results) == 68
    bad = site.all("/api/runs/1?limit=1&show=bad", "results")
    assert sorted(r["outcome"] for r in bad) == ["crash", "fail", "timeout", "xpass"]
    cases = site.all("/api/cases?limit=4", "cases")
    assert len({c["id"] for c in cases}) == len(cases) == 38
    for query, count in (("pass", 31), ("pass_1", 30), ("pa", 30), ("AREA1 pass", 10)):
        found = site.all(f"/api/cases?limit=4&query={query.replace(' ', '+')}", "cases")
        assert len({c["id"] for c in found}) == len(found) == count, query
    history = site.all(f"{cases[0]['history']}?limit=2", "history")
    assert [row["run_name"] for row in history] == [f"run-{day}" for day in range(7, 0, -1)]
    assert len(site.all("/api/latest?limit=1", "latest")) == 2
    assert len(site.all("/api/regressions?head=7&limit=1", "regressions")) in {0, 4}
    assert len(site.all("/api/regressions?base=1&head=2&limit=1", "regressions")) == 0


def test_a_page_is_not_moved_by_runs_that_come_meanwhile(site: Site) -> None:
    for day in (1, 2, 3):
        put(site.runs / f"{day}", passing(day=day))
    site.update()
    first = site.json("/api/runs?limit=1")
    put(site.runs / "4", passing(day=4))
    site.update()
    assert [r["name"] for r in site.json(first["next"])["runs"]] == ["run-2"]


def test_words_of_a_search_are_only_words(site: Site) -> None:
    made = replace(result(0, Outcome.PASS), name='a"b*c (d) -e NEAR f', case="x")
    put(site.runs / "a", Journal(run(), KERNELS, [made], ended=True))
    site.update()
    for query in ("%22b*c", "NEAR", "(d)", "*", "%25", "a%22", "-e", "'"):
        found = site.json(f"/api/cases?query={query}")["cases"]
        assert len(found) == int(query in ("%22b*c", "NEAR", "(d)", "a%22")), query
