# SPDX-License-Identifier: GPL-2.0-only
"""The page as text: what is in it, what is missing, and that nothing of a guest acts in it."""

import base64
import hashlib
import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import HostError, UsageError
from harness.report.html import html_text, write_html
from harness.report.html.compact import Column, safe_array, safe_columns, safe_json, safe_object
from harness.report.html.headline import Headline, headline
from harness.report.html.history import Past, earlier, find_runs, pasts, read_history
from harness.report.html.page import STATIC
from harness.report.html.strings import Strings, cut_console, tidy
from harness.report.journal import Journal, JournalWriter, Plan, read_journal
from harness.report.junit import last_results
from harness.report.stream import JournalIndex
from harness.verdict.outcome import Outcome, Result
from harness.verdict.splat import Severity, Splat
from tests.report.example_run import KERNELS, hostile, journal, passing, result, run

PROBES = (
    "<script>bad()</script>",
    "</script><script>bad()</script>",
    "<!--<script>",
    "<img src=x onerror=bad()>",
    '"><svg onload=bad()>',
    "javascript:bad()",
    "' onmouseover='bad()",
    "${bad()} $data {{bad()}} `",
    "</title></style></noscript><iframe src=//x>",
    "\u2028bad()\u2029 \ud800 \u202egnp.exe \x1b[31m \0",
)


class Page(HTMLParser):
    """Elements with their attributes and text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[tuple[str, str]] = []
        self._tag = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._tag = tag

    def handle_data(self, data: str) -> None:
        self.texts.append((self._tag, data))

    def data(self) -> dict[str, Any]:
        (data,) = [words for tag, words in self.texts if tag == "script" and words[:1] == "{"]
        return dict(json.loads(data))


def headline_of(made: Journal) -> Headline:
    with JournalIndex.of(made) as index:
        return headline(index)


def pasts_of(made: Journal, before: list[Journal]) -> list[Past]:
    with JournalIndex.of(made) as index:
        return list(pasts(index, earlier(made.run, read_history(before))))


def shape(text: str) -> list[tuple[str, tuple[str, ...]]]:
    """Elements and the names of their attributes, without the lists that grow with results."""
    return [(tag, tuple(attributes)) for tag, attributes in Page(text).tags]


def test_the_same_journal_gives_the_same_bytes(tmp_path: Path) -> None:
    code = (
        "from tests.report.example_run import journal; from harness.report.html import html_text;"
        "import sys; sys.stdout.write(html_text(journal(), [journal(day=3)]))"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            check=True,
            env={**os.environ, "PYTHONHASHSEED": seed},
            cwd=Path(__file__).parents[2],
        ).stdout
        for seed in ("1", "2")
    }
    assert len(outputs) == 1
    assert len(outputs.pop()) > 50_000


def test_every_result_is_in_it() -> None:
    made = journal()
    data = Page(html_text(made)).data()
    assert len(data["columns"]["c"]) == len(last_results(made.results))
    names = {data["strings"][n] for n in data["titles"]}
    assert names == {r.name for r in made.results}


def test_of_a_case_that_ran_again_the_last_result_counts_and_the_page_says_so() -> None:
    again = [result(1, Outcome.FAIL), replace(result(1, Outcome.FAIL), outcome=Outcome.PASS)]
    text = html_text(Journal(run(), KERNELS[:1], again, ended=True))
    assert "PASS" in text.split("</title>")[0]
    assert "1 earlier results gave way" in text


@pytest.mark.parametrize("words", PROBES)
def test_words_of_a_guest_are_inert_in_every_place(words: str) -> None:
    text = html_text(hostile(words))
    assert shape(text) == shape(html_text(hostile("harmless words")))
    assert "<" not in words or words not in text


@settings(deadline=None)
@given(st.text(st.characters(), max_size=40))
def test_any_text_leaves_the_page_as_it_is(words: str) -> None:
    text = html_text(hostile(words))
    text.encode("utf-8")
    page = Page(text)
    assert [tag for tag, _ in page.tags].count("script") == 2
    assert not any(name.startswith("on") for _, attrs in page.tags for name in attrs)
    assert page.data()["outcomes"] == [o.value for o in Outcome]


def test_only_the_pages_own_script_and_style_may_act() -> None:
    text = html_text(journal())
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]*)"', text)
    for tag in ("script", "style"):
        (own,) = re.findall(rf"<{tag}>(.*?)</{tag}>", text, re.S)
        digest = base64.b64encode(hashlib.sha256(own.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy


def test_it_needs_nothing_from_anywhere() -> None:
    page = Page(html_text(journal()))
    fetched = [
        value for _, attrs in page.tags for name, value in attrs.items() if name in ("src", "href")
    ]
    assert fetched == ["data:,", "#main"]
    assert "@import" not in html_text(journal())
    assert "url(" not in html_text(journal())


def test_the_script_never_writes_markup() -> None:
    text = html_text(journal())
    for word in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("):
        assert word not in text


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"ended": False}, "did not come to its end"),
        ({"damaged": 2}, "2 lines of the journal could not be read"),
        ({"run": None}, "does not say what run this was"),
        ({"kernels": []}, "does not describe the kernel debian-6.12"),
    ],
)
def test_what_is_missing_is_said_and_never_a_pass(changes: dict[str, Any], words: str) -> None:
    made = replace(passing(), **changes)
    text = html_text(made)
    assert "This report is not whole" in text
    assert words in text
    assert headline_of(made).word == "INCOMPLETE"
    assert "This report is not whole" not in html_text(passing())


def test_what_was_planned_and_has_no_result_is_named() -> None:
    plan = Plan(tuple((f"cases/x.c::case_{n}", "debian-6.12") for n in range(30)))
    made = replace(passing(), plan=plan)
    assert headline_of(made).word == "INCOMPLETE"
    text = html_text(made)
    assert "30 planned and without a result: cases/x.c::case_0 on debian-6.12" in text
    assert "and 10 more" in text


def test_a_journal_cut_anywhere_is_never_a_pass(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    writer = JournalWriter(path)
    made = passing(3)
    assert made.run
    writer.run(made.run)
    writer.kernel(KERNELS[0])
    for one in made.results:
        writer.result(one)
    writer.end(0)
    writer.close()
    data = path.read_bytes()
    for size in range(0, len(data) - 1, 7):
        path.write_bytes(data[:size])
        cut = read_journal(path)
        assert headline_of(cut).word in ("INCOMPLETE", "NO RESULT")
        assert "This report is not whole" in html_text(cut)


@pytest.mark.parametrize(
    ("outcomes", "sentence"),
    [
        ([Outcome.PASS, Outcome.SKIP], "PASS: none of 2 failed on debian-6.12 (1 pass, 1 skip)"),
        ([Outcome.PASS, Outcome.FAIL], "FAIL: 1 of 2 failed on debian-6.12 (1 fail)"),
        (
            [Outcome.PASS, Outcome.FAIL, Outcome.FLAKY],
            "FAIL: 1 of 3 failed on debian-6.12 (1 fail), 1 flaky",
        ),
        ([Outcome.CRASH, Outcome.ERROR], "FAIL: 2 of 2 failed on debian-6.12 (1 crash, 1 error)"),
        ([Outcome.ERROR], "ERROR: 1 of 1 could not be judged on debian-6.12 (1 error)"),
        ([Outcome.SKIP], "NOTHING TESTED: all 1 were skipped on debian-6.12"),
        ([Outcome.FLAKY], "PASS: none of 1 failed on debian-6.12 (1 flaky)"),
        ([], "NO RESULT: no case has a result"),
    ],
)
def test_the_verdict_in_a_sentence(outcomes: list[Outcome], sentence: str) -> None:
    results = [result(n, o) for n, o in enumerate(outcomes)]
    made = Journal(run(), KERNELS[:1], results, ended=True)
    found = headline_of(made)
    assert f"{found.word}: {found.sentence}" == sentence
    assert sentence in html_text(made)


def test_without_scripts_the_failures_can_still_be_read() -> None:
    shown = html_text(journal()).split('<div id="unscripted">')[1].split("</div>")[0]
    assert "crash: cases/pidfd/area" in shown
    assert "kharness run --kernel debian:6.12" in shown
    assert "pass_1" not in shown


def test_a_storm_of_failures_stays_small_and_says_what_it_cut() -> None:
    console = "\n".join(f"[ {n:11.6f}] a line of a console that does not end" for n in range(1500))
    results = [result(n, Outcome.FAIL, console=console, stdout=console) for n in range(2000)]
    text = html_text(Journal(run(), KERNELS[:1], results, ended=True))
    assert len(text) < 20_000_000 < sum(len(r.console) for r in results)
    details = Page(text).data()["details"]
    assert len(details) == 2000
    assert all(d["cut"] == 1 and "expected" in d["detail"] for d in details.values())


def test_failures_keep_their_words_when_passes_have_many() -> None:
    chatter = [result(n, Outcome.PASS, stdout="chatter " * 4000) for n in range(5000)]
    failure = result(9999, Outcome.FAIL, stderr="what went wrong")
    data = Page(html_text(Journal(run(), KERNELS[:1], [*chatter, failure], ended=True))).data()
    assert data["details"]["5000"]["stderr"] == "what went wrong"
    assert "cut" not in data["details"]["5000"]
    assert data["details"]["0"]["cut"] == 1


@given(
    st.lists(st.text("ab <", max_size=30), min_size=1, max_size=60),
    st.integers(1, 60),
    st.integers(0, 5),
    st.integers(0, 400),
)
def test_a_cut_console_keeps_lines_at_their_numbers(
    lines: list[str], first: int, length: int, limit: int
) -> None:
    text = "\n".join(lines)
    whole = text.rstrip("\n").split("\n")
    splat = Splat("oops", "t", Severity.FATAL, first, first + length)
    pieces, count = cut_console(text, [splat], limit)
    assert count == (len(whole) if text.rstrip("\n") else 0)
    last = 0
    for number, words in pieces:
        assert number > last
        for offset, line in enumerate(words.split("\n")):
            assert line == whole[number + offset - 1]
        last = number + words.count("\n")


def test_a_cut_console_shows_its_splat_first() -> None:
    text = "\n".join(f"line {n}" for n in range(1, 10_001))
    splat = Splat("oops", "t", Severity.FATAL, 5000, 5003)
    pieces, count = cut_console(text, [splat], 2000)
    kept = {number + n for number, words in pieces for n in range(words.count("\n") + 1)}
    assert count == 10_000
    assert set(range(4994, 5010)) <= kept
    assert 10_000 in kept


@given(st.text(), st.text(min_size=1), st.text(min_size=1))
def test_a_pattern_gives_its_text_back(text: str, case: str, title: str) -> None:
    strings = Strings()
    pattern = strings.table[strings.add_pattern(text, (case, title))]
    back = pattern.replace("\x02", tidy(title)).replace("\x01", tidy(case))
    assert back == tidy(text)


def test_marks_that_turn_text_around_are_visible() -> None:
    assert tidy("a\u202egnp.exe") == "a#x202Egnp.exe"
    assert tidy("\x1b[31mred\x07") == "red#x07"


@given(st.text(st.characters(), max_size=50))
def test_json_has_nothing_that_html_knows(text: str) -> None:
    made = safe_json({"x": text})
    assert not set(made) & set("<>&\u2028\u2029")
    assert made.isascii()
    assert json.loads(made) == {"x": text}


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "long", None, 10**400])
@pytest.mark.parametrize("field", ["duration_s", "user_s", "maxrss_kib", "line"])
def test_numbers_that_are_none_spoil_nothing(value: Any, field: str) -> None:
    odd = result(1, Outcome.FAIL, **{field: value})
    text = html_text(Journal(run(), KERNELS[:1], [odd, result(2, Outcome.PASS)], ended=True))
    assert "1 line of the journal could not be read" in text
    assert Page(text).data()["columns"]["d"] == [120]


@settings(deadline=None)
@given(st.lists(st.integers() | st.integers(-(2**40), 2**40) | st.integers(0, 99)))
def test_a_column_has_numbers_of_any_size(numbers: list[int]) -> None:
    column = Column()
    for number in numbers:
        column.append(number)
    assert list(column) == numbers
    assert len(column) == len(numbers)
    assert json.loads("".join(safe_columns({"x": column}))) == {"x": numbers}


@settings(deadline=None)
@given(st.lists(st.text(st.characters(), max_size=9)), st.dictionaries(st.text(), st.integers()))
def test_json_in_pieces_is_the_json_of_the_whole(texts: list[str], more: dict[str, int]) -> None:
    more.pop("texts", None)
    fields = [("texts", safe_array(iter(texts))), *more.items()]
    assert "".join(safe_object(fields)) == safe_json({"texts": texts, **more})


# Earlier runs


def one(outcome: Outcome, day: int, seconds: float = 0.1) -> Journal:
    case = replace(result(1, Outcome.PASS), outcome=outcome, duration_s=seconds)
    return Journal(run(day), KERNELS[:1], [case], ended=True)


def past(outcomes: list[Outcome]) -> tuple[str, int, int]:
    runs = [one(o, day) for day, o in enumerate(outcomes, 1)]
    (found,) = pasts_of(runs[-1], runs[:-1])
    return found.outcomes, found.changes, found.steps


P, F, S, X = Outcome.PASS, Outcome.FAIL, Outcome.SKIP, Outcome.FLAKY


@pytest.mark.parametrize(
    ("outcomes", "changes", "steps"),
    [
        ([P, P, P, P], 0, 3),
        ([P, F, P, F], 3, 3),
        ([P, P, F, F], 1, 3),
        ([P, S, P], 0, 1),
        ([P, X, P], 2, 2),
        ([S, S], 0, 0),
    ],
)
def test_how_often_a_case_changes(outcomes: list[Outcome], changes: int, steps: int) -> None:
    assert past(outcomes)[1:] == (changes, steps)


def test_time_trend_is_the_last_three_against_those_before() -> None:
    runs = [one(P, day, 0.1 if day < 8 else 0.2) for day in range(1, 11)]
    (found,) = pasts_of(runs[-1], runs[:-1])
    assert found.trend == 2.0
    assert found.times_ms[-1] == 200


def test_only_runs_before_this_one_count_each_once() -> None:
    runs = [one(P, day) for day in (5, 3, 9, 7, 3)]
    found = earlier(run(7), read_history(runs))
    assert [each.run.id for each in found] == ["run-3", "run-5"]


def test_runs_come_in_the_order_of_time_whatever_their_offsets() -> None:
    starts = {
        "first": "2026-01-20T10:00:00+09:00",
        "second": "2026-01-20T02:00:00+00:00",
        "later": "2026-01-20T01:30:00-05:00",
        "unknown": "some day",
    }
    runs = [
        Journal(run(id=name, started=started), KERNELS[:1], [result(1, P)], ended=True)
        for name, started in starts.items()
    ]
    found = earlier(run(started="2026-01-20T03:00:00+00:00"), read_history(runs[::-1]))
    assert [each.run.id for each in found] == ["first", "second"]
    assert earlier(run(started="some day"), read_history(runs)) == []


def test_a_case_that_was_not_there_before_is_a_gap() -> None:
    other = Journal(run(1), KERNELS[:1], [result(2, P)], ended=True)
    (found,) = pasts_of(one(P, 3), [other])
    assert (found.outcomes, found.times_ms) == (".0", (0, 100))


def run_folder(folder: Path, made: Journal) -> None:
    folder.mkdir(parents=True)
    writer = JournalWriter(folder / "journal.jsonl")
    assert made.run
    writer.run(made.run)
    for kernel in made.kernels:
        writer.kernel(kernel)
    for each in made.results:
        writer.result(each)
    writer.end(0)
    writer.close()


def test_run_folders_are_found_once(tmp_path: Path) -> None:
    for day in (1, 2):
        run_folder(tmp_path / f"r{day}", one(P, day))
    (tmp_path / "latest").symlink_to("r2")
    assert len(find_runs(tmp_path)) == 2
    assert find_runs(tmp_path / "r1") == [tmp_path / "r1" / "journal.jsonl"]
    assert len(read_history([tmp_path, one(P, 3)])) == 3
    with pytest.raises(UsageError, match="no run folder"):
        find_runs(tmp_path / "r1" / "nothing")


# Colours


def luminance(colour: str) -> float:
    """Relative luminance (WCAG 2.2, definitions)."""
    parts = [int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def palettes() -> list[dict[str, str]]:
    style = (STATIC / "style.css").read_text()
    blocks = re.findall(r":root[^{]*\{([^}]*)\}", style)
    return [dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", block)) for block in blocks]


def test_light_dark_and_chosen_dark_have_the_same_colours() -> None:
    light, dark, chosen = palettes()
    assert dark == chosen
    assert light.keys() == dark.keys()


@pytest.mark.parametrize("palette", palettes()[:2], ids=["light", "dark"])
def test_every_text_has_contrast(palette: dict[str, str]) -> None:
    grounds = ("ground", "panel", "sunk")
    for name in ("text", "muted", "accent", *Outcome):
        for ground in grounds:
            found = contrast(palette[name], palette[ground])
            assert found >= 4.5, f"{name} on {ground}: {found:.2f}"
    for ground in ("mark", "known"):
        for name in ("text", "muted", "fail"):
            found = contrast(palette[name], palette[ground])
            assert found >= 4.5, f"{name} on {ground}: {found:.2f}"
    for outcome in (o for o in Outcome if not o.good or o is Outcome.FLAKY):
        assert contrast(palette[outcome], palette["on-tile"]) >= 4.5
        # What went wrong stands out from what passed also without colour.
        assert contrast(palette[outcome], palette["tile-pass"]) >= 2


# Files and the command


def test_a_page_elsewhere_links_into_the_run_folder(tmp_path: Path) -> None:
    write_html(journal(), tmp_path / "out" / "page.html", folder=tmp_path / "run")
    data = Page((tmp_path / "out" / "page.html").read_text()).data()
    assert data["base"] == "../run"


def test_a_page_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "page.html").mkdir()
    with pytest.raises(HostError, match="cannot write"):
        write_html(journal(), tmp_path / "page.html")


def kharness(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "harness.cli", *words],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_command_makes_the_page_of_the_latest_run(tmp_path: Path) -> None:
    runs = tmp_path / ".kharness" / "runs"
    for day in (1, 2):
        run_folder(runs / f"r{day}", one(P if day == 1 else F, day))
    (runs / "latest").symlink_to("r2")
    done = kharness(tmp_path, "html", "--history", str(runs))
    assert done.returncode == 0, done.stderr
    data = Page((runs / "r2" / "report.html").read_text()).data()
    assert data["history"]["rows"][0][0] == "01"
    first = (runs / "r2" / "report.html").read_bytes()
    kharness(tmp_path, "html", "--history", str(runs))
    assert (runs / "r2" / "report.html").read_bytes() == first


def test_no_run_is_one_line(tmp_path: Path) -> None:
    done = kharness(tmp_path, "html")
    assert done.returncode == 4
    assert done.stderr.startswith("kharness: ")
    assert done.stderr.count("\n") == 1


def test_results_of_one_case_on_kernels_share_its_name() -> None:
    twice = [result(1, P, k.name) for k in KERNELS]
    data = Page(html_text(Journal(run(), list(KERNELS), twice, ended=True))).data()
    assert len(data["titles"]) == 1
    assert data["columns"]["k"] == [0, 1]
    assert isinstance(twice[0], Result)
