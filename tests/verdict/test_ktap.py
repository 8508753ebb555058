# SPDX-License-Identifier: GPL-2.0-only
"""Given a log, these results. The logs are in ``ktap/``, what is expected of each beside it.

``kselftest-*.log`` were printed by programs that use kselftest.h, kselftest_harness.h and runner.sh
of Linux 6.12.
"""

import json
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.parse import ParsedLog, parse_log
from harness.report.terminal import exit_code
from harness.verdict.ktap import BAD, KtapResult, counted, parse
from harness.verdict.ktap_rules import parse_line, split_description

LOGS = sorted((Path(__file__).parent / "ktap").glob("*.log"))


def read(path: Path) -> str:
    return path.read_bytes().decode("utf-8", "backslashreplace")


def told(parsed: ParsedLog, log: str) -> list[str]:
    """``outcome path @file:line message``; no file where it is the log itself."""
    return [
        f"{r.outcome} {r.case.partition('::')[2]} @{'' if r.file == log else r.file}:{r.line}"
        f" {r.message}".rstrip()
        for r in parsed.results
    ]


@pytest.mark.parametrize("path", LOGS, ids=lambda path: path.stem)
def test_a_log_has_the_results_that_stand_beside_it(path: Path) -> None:
    expected = json.loads(path.with_suffix(".json").read_text())
    parsed = parse_log(read(path), name=path.name)
    assert told(parsed, path.name) == expected["results"]
    assert list(parsed.problems) == expected["problems"]
    assert exit_code(r.outcome for r in parsed.results) == expected["exit_code"]


@pytest.mark.parametrize(
    ("line", "name", "directive", "reason"),
    [
        ("name", "name", "", ""),
        ("name # SKIP why", "name", "SKIP", "why"),
        ("name # SKIP: why", "name", "SKIP", "why"),
        ("name #SKIP", "name", "SKIP", ""),
        ("# SKIP why", "", "SKIP", "why"),
        ("name # skip-list", "name", "", "skip-list"),
        ("name #  two spaces", "name", "", "two spaces"),
        ("name # exit=1", "name", "", "exit=1"),
        ("name#5", "name#5", "", ""),
        (r"name \# SKIP", "name # SKIP", "", ""),
        ("name # XPASS better", "name", "XPASS", "better"),
        ("a # b # TIMEOUT 45 seconds", "a # b", "TIMEOUT", "45 seconds"),
    ],
)
def test_a_description_is_name_directive_and_reason(
    line: str, name: str, directive: str, reason: str
) -> None:
    assert split_description(line) == (name, directive, reason)


@pytest.mark.parametrize(
    "line",
    ["ok", "not ok", "ok then", "ok 1st", "okay 1 a", "1..", "1...3", "1..3 tests", "KTAP version"],
)
def test_what_only_looks_like_ktap_is_none(line: str) -> None:
    assert parse_line(line) is None
    assert not parse(line).found


def test_the_strict_reader_leaves_comments_and_prefixes_alone() -> None:
    log = "KTAP version 1\n1..1\n# ok 1 inner\n[    1.000000] ok 1 stamped\nok 1 outer\n"
    assert [r.name for r in parse(log, lenient=False).results] == ["outer"]
    assert parse(log, lenient=False).results[0].children == ()


def test_yaml_gives_the_time() -> None:
    log = "TAP version 14\n1..1\nok 1 a\n  ---\n  duration_ms: 1500\n  ...\n"
    assert parse(log).results[0].duration_s == pytest.approx(1.5)


def test_yaml_that_never_ends_hides_no_result() -> None:
    log = "TAP version 14\n1..2\nok 1 a\n  ---\n  message: x\nnot ok 2 b\n"
    assert [r.status for r in parse(log).results] == ["pass", "fail"]


def test_diagnostics_and_messages_belong_to_the_result_after_them() -> None:
    log = "1..2\nok 1 a\n# about b\n[    1.000000] eth0: link up\nok 2 b\n"
    a, b = parse(log).results
    assert (a.diagnostics, a.output) == ("", "")
    assert (b.diagnostics, b.output) == ("about b", "[    1.000000] eth0: link up")


def test_endless_nesting_is_flattened_and_told() -> None:
    log = "".join(f"{'  ' * depth}KTAP version 1\n" for depth in range(500))
    log += "".join(f"{'  ' * depth}not ok 1 d{depth}\n" for depth in reversed(range(500)))
    parsed = parse(log)
    assert depth_of(parsed.results) == 32
    assert any("deeper than 32 levels" in problem for problem in parsed.problems)
    assert all(r.status in BAD for r in counted(parsed))


def depth_of(results: tuple[KtapResult, ...]) -> int:
    return 1 + max(depth_of(r.children) for r in results) if results else 0


def test_a_plan_without_end_costs_no_memory() -> None:
    parsed = parse("KTAP version 1\n1..999999999999\nok 1 a\n")
    assert len(parsed.results) < 10_010
    assert parsed.results[-1].name == f"{999999999998 - 10_000} more"
    assert parsed.results[-1].status == "error"


def test_many_lost_groups_cost_no_memory_either() -> None:
    parsed = parse("".join(f"  1..99999999\nok {n} x\n" for n in range(1, 2000)))
    assert len(counted(parsed)) < 15_000


def test_a_long_line_is_cut_and_told() -> None:
    parsed = parse(f"1..1\nok 1 {'a' * 200_000}\n")
    assert len(parsed.results[0].name) == 4096
    assert parsed.problems == ("1 lines were too long to be read whole",)


# A tree, rendered and read back.

NAMES = (
    st.text("abcXYZ019_-.:/ ", min_size=1, max_size=20)
    .map(str.strip)
    .filter(lambda name: name and not name.startswith("-"))
)
LEAVES = {
    "pass": ("ok", ""),
    "fail": ("not ok", " # exit=3"),
    "skip": ("ok", " # SKIP not here"),
    "xfail": ("not ok", " # TODO later"),
    "timeout": ("not ok", " # TIMEOUT 45 seconds"),
    "error": ("not ok", " # ERROR no memory"),
}
NOISE = (
    "",
    "random: crng init done",
    "half ok 1 done",
    "   words",
    "[    3.500000] a: b",
    "<6>[ 1.0] c",
)
PREFIXES = ("", "[    0.060000] ", "<6>[99999.123456][  T123] ", "[123456.000001][    C0] ")


@dataclass(frozen=True)
class Tree:
    name: str
    status: str
    children: tuple["Tree", ...] = ()


def parent(name: str, children: list[Tree]) -> Tree:
    bad = any(child.status in BAD for child in children)
    return Tree(name, "fail" if bad else "pass", tuple(children))


TREES = st.lists(
    st.recursive(
        st.builds(Tree, NAMES, st.sampled_from(sorted(LEAVES))),
        lambda inner: st.builds(parent, NAMES, st.lists(inner, min_size=1, max_size=4)),
        max_leaves=20,
    ),
    min_size=1,
    max_size=5,
)


def render(trees: list[Tree], step: str, draw: st.DrawFn, depth: int = 0) -> list[str]:
    here = step * depth
    lines = []
    if depth == 0 or draw(st.booleans()):
        lines += [f"{here}KTAP version 1"]
    lines += [f"{here}1..{len(trees)}"]
    for number, tree in enumerate(trees, start=1):
        word, rest = LEAVES[tree.status]
        if tree.children:
            lines += render(list(tree.children), step, draw, depth + 1)
            if draw(st.booleans()):
                lines.append(f"{here}# about what follows")
        hyphen = draw(st.sampled_from(("", "- ")))
        lines.append(f"{here}{word} {number} {hyphen}{tree.name}{rest}")
    return lines


def shape(result: KtapResult) -> Tree:
    return Tree(result.name, result.status, tuple(map(shape, result.children)))


@st.composite
def logs(draw: st.DrawFn) -> tuple[list[Tree], list[str]]:
    trees = draw(TREES)
    return trees, render(trees, draw(st.sampled_from(("  ", "    ", "\t", "# "))), draw)


@settings(deadline=None)
@given(logs(), st.data())
def test_a_tree_is_read_back_whatever_stands_around_it(
    made: tuple[list[Tree], list[str]], data: st.DataObject
) -> None:
    trees, lines = made
    printed = []
    stamped = data.draw(st.booleans())
    for line in lines:
        printed += data.draw(st.lists(st.sampled_from(NOISE), max_size=2))
        prefix = data.draw(st.sampled_from(PREFIXES)) if stamped else ""
        printed.append(prefix + line)
    parsed = parse(data.draw(st.sampled_from(("\n", "\r\n"))).join(printed))
    assert [shape(r) for r in parsed.results] == trees
    assert parsed.problems == ()


@settings(deadline=None)
@given(logs(), st.data())
def test_a_log_that_was_cut_is_never_a_pass(
    made: tuple[list[Tree], list[str]], data: st.DataObject
) -> None:
    _, lines = made
    text = "\n".join(lines)
    cut = data.draw(st.integers(0, len(text) - len(lines[-1])))
    parsed = parse(text[:cut])
    assert not parsed.results or any(r.status in BAD for r in counted(parsed))
    whole_plan = lines[1].strip("# \t")
    if f"{whole_plan}\n" in text[:cut]:
        assert parsed.results


WORDS = st.sampled_from(
    [
        *("ok 1 a", "not ok 2 b # SKIP", "1..3", "1..0", "KTAP version 1", "TAP version 13"),
        *("# Subtest: s", "Bail out!", "  ---", "  ...", "#  RUN           x ...", "# ok 1 x"),
        *(
            "# selftests: a: b",
            "ok 1 selftests: a: b",
            "[    1.000000] m",
            "ok 1 x[    1.000000] m",
        ),
        *("words", "", "\x1b[31m", "\0", "\r", "\ud800", "# Totals: pass:1 fail:0"),
    ]
)


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(["", "  ", "    ", "\t", "# ", "# # "]), WORDS), max_size=40)
)
def test_no_order_of_lines_makes_it_raise(lines: list[tuple[str, str]]) -> None:
    text = "\n".join(indent + word for indent, word in lines)
    for lenient in (True, False):
        parsed = parse(text, lenient=lenient)
        assert all(r.path[-1] == r.name for r in counted(parsed))
    assert len(parse_log(text, name="x.log").results) <= 200


@settings(deadline=None)
@given(st.text())
def test_no_text_makes_it_raise(text: str) -> None:
    assert parse(text).found in (True, False)


WARN = (Path(__file__).parent / "logs" / "warning-6.19.log").read_text().partition("\n\n")[2]


@pytest.mark.parametrize("prefix", ["mybox# ", "18:56:57 DEBUG| "])
def test_what_a_kernel_reports_behind_a_learned_prefix_is_a_crash(prefix: str) -> None:
    report = [line.partition("] ")[2] for line in WARN.splitlines()]
    lines = ["TAP version 13", "1..1", *report, "ok 1 a"]
    (result,) = parse_log("".join(f"{prefix}{line}\n" for line in lines), name="log").results
    assert (result.name, result.outcome) == ("a", "crash")
    assert result.message.startswith("WARNING in __queue_work (kernel/workqueue.c)")


@pytest.mark.parametrize(
    "prefix",
    [
        "[   12.000001] my-host.example kernel: ",
        "[   12.000001 <    0.000001 >] host kernel: ",
        "Sun 2026-11-29 08:21:21 UTC host kernel: ",
        "1795940481.210001 host kernel: ",
        "[   12.000001 <    0.000001>] ",
        "[  +0.000001] ",
        "[<    0.000001>] ",
        "[Nov29 08:21] ",
        "[Sun Nov 29 08:21:12 2026 <    0.000001>] ",
        "kern  :warn  : 2026-11-29T08:21:12,210001+00:00 ",
        "kern  :warn  : ",
    ],
)
def test_results_and_reports_of_any_dmesg_or_journal_are_read(prefix: str) -> None:
    report = [line.partition("] ")[2] for line in WARN.splitlines()]
    lines = ["KTAP version 1", "1..2", "ok 1 a", *report, "ok 2 b"]
    parsed = parse_log("".join(f"{prefix}{line}\n" for line in lines), name="log")
    assert [(r.name, r.outcome) for r in parsed.results] == [("a", "pass"), ("b", "crash")]


@pytest.mark.parametrize("digits", [10, 18, 19, 30, 5000])
def test_a_plan_of_any_size_is_one(digits: int) -> None:
    parsed = parse_log(f"1..{'9' * digits}\nok 1 a\n", name="log")
    assert exit_code(r.outcome for r in parsed.results) == 3
    assert "missing results" in parsed.problems[0]


def test_a_range_that_a_program_prints_is_no_plan() -> None:
    parsed = parse_log("TAP version 13\nok 1 a\n0..255\nok 2 b\n1..2\n", name="log")
    assert told(parsed, "log") == ["pass a @:2", "pass b @:4"]
    assert parsed.problems == ("line 3: a plan that begins with 0, after results: not one",)


def test_what_is_counted_in_totals_need_not_be_printed() -> None:
    """kcmp_test of the kernel's selftests counts with ksft_inc_pass_cnt(), and prints no result."""
    totals = "# Totals: pass:{} fail:{} xfail:0 xpass:0 skip:1 error:0"
    log = "TAP version 13\n1..4\nok 1 a\nPASS: as expected\n"
    parsed = parse_log(log + totals.format(2, 1), name="log")
    words = "counted in its totals, and not printed"
    assert told(parsed, "log") == [
        "pass a @:3",
        "pass test 2 @:0",
        f"fail test 3 @:0 {words}",
        f"skip test 4 @:0 {words}",
    ]
    for not_so in (totals.format(2, 0), totals.format(0, 3), ""):
        assert exit_code(r.outcome for r in parse_log(log + not_so, name="log").results) == 3
    many = f"1..{10**8}\n" + totals.format(10**8 - 1, 0)
    assert len(parse_log(many, name="log").results) < 20_000


@pytest.mark.parametrize("line", ["#   Failed test {}\n", "#   Failed test {}\nwords\n"])
def test_comments_behind_a_failure_take_time_linear_in_their_number(line: str) -> None:
    def took(count: int) -> float:
        log = "not ok 1 a\n" + "".join(line.format(n) for n in range(count))
        start = time.process_time()
        (result,) = parse(f"{log}ok 2 b\n").results[:1]
        assert result.diagnostics.endswith(f"Failed test {count - 1}")
        return time.process_time() - start

    took(100)
    assert took(60_000) < 20 * took(10_000)


def test_where_number_1_follows_a_second_plan_a_stream_begins() -> None:
    parsed = parse_log("1..3\nok 1 a\n1..2\nok 1 x\nok 2 y\n", name="log")
    missing = "no result came; 1 of 3 did"
    assert told(parsed, "log") == [
        *("pass a @:2", f"error test 2 @:0 {missing}", f"error test 3 @:0 {missing}"),
        *("pass x @:4", "pass y @:5"),
    ]
    assert exit_code(r.outcome for r in parsed.results) == 3


@pytest.mark.parametrize("last", ["", "ok 2 x\nok 3 y\n", "Bail out!\n", "1..4\n"])
def test_another_second_plan_is_told_and_does_not_count(last: str) -> None:
    parsed = parse_log(f"1..3\nok 1 a\n1..2\n{last}", name="log")
    assert parsed.problems[0] == "line 3: a second plan, 1..2; the first counts"
    assert len(parsed.results) == 3


def test_subtests_have_a_second_stream_too() -> None:
    log = "1..1\n  1..3\n  ok 1 a\n  1..2\n  ok 1 x\n  ok 2 y\nok 1 outer\n"
    parsed = parse_log(log, name="log")
    assert [r.status for r in parse(log).results[0].children].count("error") == 2
    assert exit_code(r.outcome for r in parsed.results) == 3


@pytest.mark.parametrize(
    ("log", "expected"),
    [
        ("TAP version 14\nok 1 a\nnot ok b\n", ["pass a", "fail b"]),
        ("TAP version 13\n1..3\nok 1 a\nnot ok\nok 3 c\n", ["pass a", "fail test 2", "pass c"]),
        ("TAP version 14\n1..1\n    1..1\n    not ok b # why\nok 1 s\n", ["fail s/b"]),
        ("TAP version 14\n    not ok b\nok 1 s\n1..1\n", ["fail s/b"]),
        ("TAP version 13\n# TAP version 13\n# not ok b\nok 1 s\n", ["fail s/b"]),
        ("TAP version 13\n1..1\nnot ok # TODO later\n", ["xfail later"]),
    ],
)
def test_a_failure_of_taps_needs_no_number(log: str, expected: list[str]) -> None:
    parsed = parse_log(log, name="log")
    assert [line.partition(" @")[0] for line in told(parsed, "log")] == expected


@pytest.mark.parametrize(
    "log",
    [
        "KTAP version 1\n1..1\nnot ok then\nok 1 a\n",
        "1..1\nnot ok\nok 1 a\n",
        "TAP version 13\n1..1\n# not ok is said here\nok 1 a\n",
        "TAP version 13\n1..1\nnot okay\nnot ok, again\nok\nok then\nok 1 a\n",
    ],
)
def test_words_of_a_program_are_no_results(log: str) -> None:
    assert told(parse_log(log, name="log"), "log")[0].startswith("pass a")
    assert len(parse(log).results) == 1


def test_bail_out_among_subtests_counts_where_no_result_follows() -> None:
    parsed = parse_log("TAP version 14\nok 1 a\n    Bail out! no disk\n", name="log")
    assert told(parsed, "log") == ["pass a @:2", "error test 2 @:0 Bail out! no disk"]
