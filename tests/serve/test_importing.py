# SPDX-License-Identifier: GPL-2.0-only
"""Files into the database: each once, again when it grew, whole or not at all."""

import os
import shutil
import sqlite3
import subprocess
import sys
import tracemalloc
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from harness.errors import HostError, UsageError
from harness.report.flavour import FLAVOURS
from harness.report.journal import Journal
from harness.report.junit import write_junit
from harness.report.junit_merge import merge_junit
from harness.serve import queries
from harness.serve.importing import find, import_folder
from harness.serve.reading import NO_KERNEL
from harness.serve.store import Store
from harness.verdict.outcome import Outcome
from tests.report.example_run import KERNELS, journal, large, passing, result, run
from tests.serve.conftest import Site, put

LAVA = """<testsuites>
<testsuite name="lava" timestamp="2026-02-01T00:00:00">
<properties><property name="kernel" value="6.9-rc1"/></properties>
<testcase classname="net.tls" name="splice" time="1,000.5"><failure message="boom">a
b</failure></testcase>
<testcase classname="net.tls" name="sendfile"/>
<testcase classname="net.tls" name="sendfile"><skipped/></testcase>
<testsuite name="inner"><testcase name="deep"><error>no reason</error></testcase></testsuite>
</testsuite></testsuites>"""

PYTEST = """<testsuites name="pytest tests"><testsuite name="pytest">
<testcase classname="tests.test_a" name="test_ok" time="0.001"/></testsuite></testsuites>"""

GTEST = """<testsuites name="AllTests" tests="6" failures="1" disabled="1" errors="0">
<testsuite name="Ring" tests="6" failures="1" disabled="1" skipped="2" errors="0">
<testcase name="runs" status="run" result="completed" time="0.001" classname="Ring"/>
<testcase name="DISABLED_is_off" status="notrun" result="suppressed" time="0" classname="Ring"/>
<testcase name="other_shard" result="suppressed" time="0" classname="Ring"/>
<testcase name="skips_itself" status="run" result="skipped" time="0" classname="Ring">
<skipped message="x.cc:7&#x0A;no io_uring"><![CDATA[x.cc:7]]></skipped></testcase>
<testcase name="gives_up" status="run" result="skipped" time="0" classname="Ring"/>
<testcase name="fails" status="run" result="completed" time="0" classname="Ring">
<failure message="x.cc:9" type=""><![CDATA[x.cc:9]]></failure></testcase>
</testsuite></testsuites>"""


def table(store: Store) -> list[tuple[object, ...]]:
    """All results, in words."""
    with closing(sqlite3.connect(store.path)) as db:
        return db.execute(
            "select run.name, k.name, s.name, classname, c.name, outcome, ms, message, detail"
            " from result r join run on run.id = r.run join kernel k on k.id = r.kernel"
            ' join suite s on s.id = r.suite join "case" c on c.id = r."case"'
            " left join words w on w.id = r.words order by run.at, 1, 2, 3, 4, 5"
        ).fetchall()


def test_a_journal_is_imported_once(site: Site) -> None:
    put(site.runs / "a", journal())
    first = site.update()
    assert (first.files, first.results, first.unchanged) == (1, 48, 0)
    before = table(site.store)
    again = site.update()
    assert (again.files, again.unchanged) == (0, 1)
    assert table(site.store) == before
    assert len(before) == 48


def test_touching_or_copying_a_file_imports_nothing(site: Site) -> None:
    path = put(site.runs / "a", journal())
    site.update()
    os.utime(path, (1, 1))
    shutil.copytree(site.runs / "a", site.runs / "b")
    assert site.update().files == 0
    assert len(table(site.store)) == 48


def test_a_journal_that_grew_is_the_same_run_with_more_results(site: Site) -> None:
    path = put(site.runs / "a", replace(journal(), ended=False, results=journal().results[:10]))
    site.update()
    assert len(table(site.store)) == 10
    assert not site.json("/api/runs")["runs"][0]["ended"]
    path.unlink()
    put(site.runs / "a", journal(), exist_ok=True)
    assert site.update().files == 1
    assert len(table(site.store)) == 48
    (only,) = site.json("/api/runs")["runs"]
    assert (only["id"], only["ended"], only["results"]) == (1, True, 48)


def test_an_older_copy_of_a_run_takes_nothing_away(site: Site) -> None:
    put(site.runs / "a", journal())
    site.update()
    put(site.runs / "b", replace(journal(), ended=False, results=journal().results[:10]))
    site.update()
    assert len(table(site.store)) == 48


@pytest.mark.parametrize(
    "facts", [{"seed": 2}, {"seed": 1, "command": "kharness run x"}, {"options": {"kernel": ["b"]}}]
)
def test_runs_of_one_name_that_started_in_one_second_are_two(
    site: Site, facts: dict[str, Any]
) -> None:
    """As the jobs of a pipeline do, whose folders are called alike everywhere."""
    one = replace(passing(20), run=run(seed=1))
    other = replace(passing(10), run=run(**{"seed": 1, **facts}))
    put(site.runs / "job-1" / "run", one)
    put(site.runs / "job-2" / "run", other)
    site.update()
    assert sorted(r["results"] for r in site.json("/api/runs")["runs"]) == [10, 20]
    shutil.copytree(site.runs / "job-1", site.runs / "kept")
    put(site.runs / "older", replace(one, ended=False))
    site.update()
    assert len(site.json("/api/runs")["runs"]) == 2


@pytest.mark.parametrize("cut", [1, 30, 200])
def test_a_torn_journal_gives_what_is_whole_and_no_damage(site: Site, cut: int) -> None:
    data = put(site.runs / "a", journal()).read_bytes()
    lines = data.splitlines(keepends=True)
    torn = b"".join(lines[:20]) + lines[20][:-cut]
    (site.runs / "a" / "journal.jsonl").write_bytes(torn)
    site.update()
    assert len(table(site.store)) == 17 + (cut == 1)  # a run's line, two kernels', 17 results
    assert site.json("/api/runs")["runs"][0]["damaged"] == 0


def test_damage_in_the_middle_is_counted_and_the_rest_kept(site: Site) -> None:
    path = put(site.runs / "a", journal())
    lines = path.read_bytes().splitlines(keepends=True)
    lines[5], lines[7] = b'{"kind": "result"}\n', b"\xff\x00[[\n"
    path.write_bytes(b"".join(lines))
    site.update()
    assert len(table(site.store)) == 46
    assert site.json("/api/runs")["runs"][0]["damaged"] == 2


def test_a_run_that_was_taken_up_again_is_one_run(site: Site) -> None:
    path = put(site.runs / "a", passing())
    with path.open("a") as stream:
        stream.write(
            '{"kind": "resume", "started": "2026-02-01T00:00:00+00:00"}\n{"kind": "new"}\n'
        )
    site.update()
    (first,) = site.json("/api/runs")["runs"]
    assert (first["ended"], first["damaged"]) == (False, 0)
    with path.open("a") as stream:
        stream.write('{"kind": "end", "exit_code": 0}\n')
    site.update()
    (again,) = site.json("/api/runs")["runs"]
    assert (again["id"], again["started"], again["ended"]) == (first["id"], first["started"], True)


def test_of_one_case_the_last_result_counts(site: Site) -> None:
    results = [result(0, Outcome.PASS), replace(result(0, Outcome.PASS), outcome=Outcome.FAIL)]
    put(site.runs / "a", Journal(run(), KERNELS, results, ended=True))
    site.update()
    (row,) = table(site.store)
    assert row[5] == list(Outcome).index(Outcome.FAIL)


def test_namesakes_are_numbered_as_in_reports(site: Site) -> None:
    results = [replace(result(0, Outcome.PASS), name="t", case=f"{c}/x.c::t") for c in "qps"]
    put(site.runs / "a", Journal(run(), KERNELS, results, ended=True))
    site.update()
    found = site.json("/api/cases")["cases"]
    assert {c["name"]: c["node"] for c in found} == {
        "t": "p/x.c::t",
        "t (2)": "q/x.c::t",
        "t (3)": "s/x.c::t",
    }


def test_a_case_that_is_called_like_a_namesakes_number_keeps_its_result(site: Site) -> None:
    cases = {"a": "t", "b": "t", "c": "t (2)", "d": "t (3)"}
    results = [
        result(0, Outcome.PASS, name=name, case=f"{letter}/x.c::t", classname="a.x")
        for letter, name in cases.items()
    ]
    whole = Journal(run(), KERNELS, results, ended=True)
    put(site.runs / "a", whole)
    assert site.update().results == 4
    expected = {"t": "a", "t (4)": "b", "t (2)": "c", "t (3)": "d"}
    found = site.json("/api/cases")["cases"]
    assert {c["name"]: c["node"][0] for c in found} == expected
    assert site.json("/api/runs")["runs"][0]["results"] == 4
    write_junit(whole, site.runs / "junit.xml")
    site.update()
    names = [r["name"] for r in site.json("/api/runs/2")["results"]]
    assert sorted(names) == sorted(expected), "as in the report"


def test_junit_of_another_tool(site: Site) -> None:
    (site.runs / "lava.xml").write_text(LAVA)
    site.update()
    order = list(Outcome)
    inner, net = ("lava", "6.9-rc1", "inner"), ("lava", "6.9-rc1", "lava", "net.tls")
    assert table(site.store) == [
        (*inner, "", "deep", order.index(Outcome.ERROR), 0, "no reason", "no reason"),
        (*net, "sendfile", order.index(Outcome.PASS), 0, None, None),
        (*net, "sendfile (2)", order.index(Outcome.SKIP), 0, None, None),
        (*net, "splice", order.index(Outcome.FAIL), 1_000_500, "boom", "a\nb"),
    ]


def test_what_googletest_did_not_run_is_a_skip(site: Site) -> None:
    (site.runs / "gtest.xml").write_text(GTEST)
    site.update()
    order = list(Outcome)
    assert {row[4]: (order[int(str(row[5]))].value, row[7]) for row in table(site.store)} == {
        "runs": ("pass", None),
        "DISABLED_is_off": ("skip", "notrun"),
        "other_shard": ("skip", "suppressed"),
        "skips_itself": ("skip", "x.cc:7 no io_uring"),
        "gives_up": ("skip", "skipped"),
        "fails": ("fail", "x.cc:9"),
    }


def test_junit_that_says_no_kernel_has_none(site: Site) -> None:
    (site.runs / "x.xml").write_text('<testsuite name="s"><testcase name="t"/></testsuite>')
    site.update()
    assert table(site.store)[0][1:5] == (NO_KERNEL, "s", "", "t")


@pytest.mark.parametrize("flavour", sorted(FLAVOURS))
def test_kharness_own_junit_is_the_journal_again(tmp_path: Path, flavour: str) -> None:
    """Cases of the journal and of its report are the same cases."""
    store = Store(tmp_path / "db")
    put(tmp_path / "journals" / "run-20", journal())
    import_folder(store, tmp_path / "journals")
    before = [row[1:6] for row in table(store)]
    (tmp_path / "reports").mkdir()
    write_junit(journal(), tmp_path / "reports" / "junit.xml", FLAVOURS[flavour])
    other = Store(tmp_path / "other")
    import_folder(other, tmp_path / "reports")
    after = [row[1:6] for row in table(other)]
    if FLAVOURS[flavour].reruns:
        assert after == before
    else:  # it cannot say that a case was flaky
        flaky = list(Outcome).index(Outcome.FLAKY)
        assert after == [(*row[:4], 0 if row[4] == flaky else row[4]) for row in before]


@pytest.mark.parametrize("known", [True, False], ids=["of a run", "of no known run"])
@pytest.mark.parametrize("others", [(), ("a.xml",), ("z.xml",)], ids=["own", "first", "last"])
def test_merged_junit_is_read_as_its_files_are(
    tmp_path: Path, known: bool, others: tuple[str, ...]
) -> None:
    """Shards, alone or with files of other tools, first or last: the same suites and kernels."""
    whole = journal()
    folder = tmp_path / "shards"
    folder.mkdir()
    for number in range(3):
        run_ = whole.run if known else None
        part = Journal(run_, whole.kernels, whole.results[number::3], ended=True)
        write_junit(part, folder / f"shard-{number}.xml")
    for name in others:
        (folder / name).write_text(PYTEST)
    single = Store(tmp_path / "single")
    import_folder(single, folder)
    (tmp_path / "one").mkdir()
    with (tmp_path / "one" / "junit.xml").open("wb") as stream:
        merge_junit(sorted(folder.iterdir()), stream)
    merged = Store(tmp_path / "merged")
    import_folder(merged, tmp_path / "one")

    def facts(store: Store) -> list[tuple[object, ...]]:
        return sorted((row[1:] for row in table(store)), key=repr)

    def releases(store: Store) -> set[tuple[str, str]]:
        with closing(sqlite3.connect(store.path)) as db:
            query = "select k.name, release from tested t join kernel k on k.id = t.kernel"
            return set(db.execute(query))

    assert facts(merged) == facts(single)
    assert releases(merged) == releases(single)
    assert {(k.name, k.release) for k in whole.kernels} <= releases(merged)


def test_reports_beside_a_journal_are_not_read(site: Site) -> None:
    put(site.runs / "a", journal())
    (site.runs / "a" / "junit.xml").write_text(LAVA)
    (site.runs / "latest").symlink_to("a")
    assert [found.path for found in find(site.runs)] == ["a/journal.jsonl"]


def test_what_only_looks_like_a_run_folder_hides_nothing(site: Site) -> None:
    """A link is not followed, and a folder is no journal: neither is the record of a run."""
    (site.runs / "link").mkdir()
    (site.runs / "link" / "journal.jsonl").symlink_to("elsewhere")
    (site.runs / "folder" / "journal.jsonl").mkdir(parents=True)
    for name in ("link", "folder"):
        (site.runs / name / "junit.xml").write_text(LAVA)
    assert [found.path for found in find(site.runs)] == ["folder/junit.xml", "link/junit.xml"]


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("a.xml", b"", "it is empty"),
        ("a.xml", b"\x00\xff", "no XML"),
        ("a.xml", b"<html/>", "no JUnit file"),
        ("a.xml", b"<testsuite/>", "it has no result"),
        ("a.xml", b"<testsuite><testcase name='t'/>", "no XML"),
        ("a.xml", b"<!DOCTYPE a><testsuite/>", "document type"),
        ("x/journal.jsonl", b"", "it has no result"),
        ("x/journal.jsonl", b"\x00" * 5000, "it has no result"),
        ("x/journal.jsonl", b"[" * 200_000, "it has no result"),
        ("x/journal.jsonl", b'{"kind": "run", "id": "x", "format": 99}\n', "has format 99"),
    ],
)
def test_garbage_is_named_in_a_line_and_the_rest_is_imported(
    site: Site, name: str, data: bytes, words: str
) -> None:
    put(site.runs / "good", passing())
    (site.runs / name).parent.mkdir(exist_ok=True)
    (site.runs / name).write_bytes(data)
    done = site.update()
    (problem,) = done.problems
    assert problem.startswith(f"{name}: ")
    assert words in problem
    assert "\n" not in problem
    assert done.results == 20
    assert site.update().problems == [], "it is told once"
    assert words in site.ask("/problems").text
    assert "could not be read" in site.ask("/").text


@pytest.mark.parametrize("year", [1500, 1960, 2300], ids=str)
def test_a_file_of_any_time_stops_nothing(site: Site, year: int) -> None:
    """SQLite's integers end in 2262, as nanoseconds; some file systems' times do not."""
    path = site.runs / "a.xml"
    path.write_text(PYTEST)
    put(site.runs / "z", passing())
    seconds = int(datetime(year, 1, 1, tzinfo=UTC).timestamp())
    os.utime(path, (seconds, seconds))
    assert site.update().results == 21
    assert site.update().unchanged == 2
    for page in ("/", "/runs", "/cases", "/api/runs", "/api/latest"):
        assert site.ask(page).status == 200
    assert len(site.all("/api/runs?limit=1", "runs")) == 2


def test_a_run_that_has_only_begun_is_no_problem_and_no_run(site: Site) -> None:
    put(site.runs / "a", Journal(run(), KERNELS))
    done = site.update()
    assert (done.files, done.problems) == (0, [])
    assert site.json("/api/runs")["runs"] == []
    put(site.runs / "a", passing(), exist_ok=True)
    assert site.update().results == 20


def test_a_report_that_is_half_written_is_imported_when_it_is_whole(site: Site) -> None:
    path = site.runs / "lava.xml"
    path.write_text(LAVA[:300])
    assert len(site.update().problems) == 1
    assert table(site.store) == []
    path.write_text(LAVA)
    assert site.update().problems == []
    assert len(table(site.store)) == 4
    assert "None." in site.ask("/problems").text


def test_what_is_gone_stays_in_the_database(site: Site) -> None:
    put(site.runs / "a", journal())
    site.update()
    shutil.rmtree(site.runs / "a")
    site.update()
    assert len(table(site.store)) == 48


def test_memory_does_not_grow_with_a_journal(site: Site) -> None:
    def peak(count: int) -> int:
        path = site.runs / f"{count}" / "journal.jsonl"
        results = [
            replace(result(n, Outcome.PASS, case=f"{n}"), stdout="x" * 2000) for n in range(count)
        ]
        put(path.parent, Journal(run(count % 28 + 1), [], results, ended=True))
        del results
        tracemalloc.start()
        site.update()
        try:
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(1500)
    assert peak(6001) < 1.5 * peak(2002)


def test_several_processes_import_each_run_once(tmp_path: Path) -> None:
    for day in range(1, 9):
        put(tmp_path / f"run-{day}", passing(day=day))
    command = [sys.executable, "-m", "harness.cli", "serve", "--once", str(tmp_path)]
    started = [
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    ends = [(*process.communicate(), process.returncode) for process in started]
    assert [end[1:] for end in ends] == [("", 0)] * 3
    store = Store(tmp_path / ".kharness-serve.sqlite")
    assert len(table(store)) == 160
    with store.reading() as db:
        assert len(queries.runs(db, "", 50).rows) == 8
    assert store.path.stat().st_mode & 0o777 == 0o600


def test_an_import_that_is_killed_leaves_nothing_half(site: Site) -> None:
    put(site.runs / "a", journal())
    code = (
        "import os, sys; from pathlib import Path; from harness.serve import importing, store\n"
        "importing._summarise = lambda *a: os._exit(9)\n"
        "importing.import_folder(store.Store(Path(sys.argv[1])), Path(sys.argv[2]))"
    )
    command = [sys.executable, "-c", code, str(site.store.path), str(site.runs)]
    assert subprocess.run(command, check=False).returncode == 9
    assert table(site.store) == []
    assert site.update().results == 48
    assert len(table(site.store)) == 48


def test_a_full_disk_is_told_as_one(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    put(site.runs / "a", large(3000))
    connect = site.store._connect

    def with_little_room() -> sqlite3.Connection:
        db = connect()
        db.execute("pragma max_page_count = 120")
        return db

    monkeypatch.setattr(site.store, "_connect", with_little_room)
    with pytest.raises(HostError, match="disk is full"):
        site.update()
    monkeypatch.undo()
    assert table(site.store) == []
    assert site.update().results == 3000


def test_databases_of_others_are_left_alone(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "other")) as db:
        db.execute("create table t(a)")
    (tmp_path / "text").write_text("no database, but quite some text\n" * 100)
    for name in ("other", "text"):
        before = (tmp_path / name).read_bytes()
        with pytest.raises(UsageError, match="database"):
            Store(tmp_path / name)
        assert (tmp_path / name).read_bytes() == before


def test_a_database_that_cannot_be_made_is_a_line(tmp_path: Path) -> None:
    with pytest.raises(HostError, match="cannot make the database"):
        Store(tmp_path / "no" / "such")
    with pytest.raises(UsageError, match="no folder"):
        list(find(tmp_path / "none"))
