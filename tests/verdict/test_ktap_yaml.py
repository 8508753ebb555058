# SPDX-License-Identifier: GPL-2.0-only
"""A block of YAML behind a result hides nothing that is not of it."""

import time

import pytest

from harness.parse import parse_log
from harness.report.terminal import exit_code
from harness.verdict.ktap import parse
from tests.verdict.test_ktap_blame import CRASHED, DMESG_T, PLAIN, STAMPED, SYSLOG


def outcomes(log: str) -> list[tuple[str, str]]:
    """Outcome and name of each result."""
    return [(r.outcome.value, r.name) for r in parse_log(log, name="x.log").results]


@pytest.mark.parametrize("report", [STAMPED, PLAIN, DMESG_T, SYSLOG])
@pytest.mark.parametrize("end", ["  ...\n", ""])
def test_a_report_in_a_block_is_found(report: str, end: str) -> None:
    log = f"TAP version 13\n1..2\nok 1 a\n  ---\n  duration_ms: 1\n{report}{end}ok 2 b\n"
    parsed = parse_log(log, name="x.log")
    assert [(r.outcome.value, r.message) for r in parsed.results] == [
        *(("pass", ""), ("crash", CRASHED)),
    ]


def test_a_report_in_a_log_that_is_stamped_all_through_is_found() -> None:
    lines = ["TAP version 13", "1..2", "ok 1 a", "  ---", "  message: x"]
    log = "".join(f"[    0.500000] {line}\n" for line in lines) + STAMPED
    log += "[    2.000000]   ...\n[    2.100000] ok 2 b\n"
    assert outcomes(log) == [("pass", "a"), ("crash", "b")]


def test_what_stands_behind_a_report_is_of_the_block_again() -> None:
    log = f"1..2\nnot ok 1 a\n  ---\n  duration_ms: 1500\n{STAMPED}  message: why\n  ...\nok 2 b\n"
    first, second = parse(log).results
    assert (first.duration_s, first.reason) == (1.5, "why")
    assert second.output == STAMPED.rstrip()


def test_a_block_without_end_hides_no_bail_out_and_no_plan() -> None:
    log = "TAP version 13\nok 1 a\n  ---\n  x: 1\n"
    for last in ("Bail out! boom\n", "  Bail out! boom\n", "1..3\n"):
        assert exit_code(r.outcome for r in parse_log(log + last, name="x").results) == 3, last


def test_a_block_stands_further_right_than_its_result() -> None:
    assert [r.status for r in parse("ok 1 a\n---\nfoo\n1..3\n").results] == [
        *("pass", "error", "error"),
    ]
    log = "# ok 1 x\n# ---\n#   not ok 1 y\n# ok 2 z\nok 1 selftests: a: b\n"
    assert ("fail", "y") in outcomes(log)


@pytest.mark.parametrize("further", ["    ", "  "])
def test_a_block_without_end_hides_no_result_that_is_further_right(further: str) -> None:
    log = f"TAP version 14\nok 1 a\n  ---\n  x: 1\n{further}not ok 1 inner\nok 2 b\n1..2\n"
    assert ("fail", "inner") in outcomes(log)


def test_a_block_with_its_end_may_quote_a_log() -> None:
    log = "TAP version 14\n1..2\nok 1 a\n  ---\n  output: |\n    TAP version 14\n    1..2\n"
    log += "    not ok 1 quoted\n    Bail out!\n  # a comment\n\n  ...\nok 2 b\n"
    assert outcomes(log) == [("pass", "a"), ("pass", "b")]
    deep = "TAP version 14\n1..1\n    1..1\n    ok 1 a\n      ---\n      output: |\n"
    deep += "        not ok 1 quoted\n      ...\nok 1 b\n"
    assert outcomes(deep) == [("pass", "a")]


def test_the_strict_reader_takes_no_block_out_of_comments() -> None:
    log = "TAP version 13\n1..2\nok 1 a\n#   ---\n# x\n#   ...\nok 2 b\n"
    assert parse(log, lenient=False).results[1].diagnostics.count("\n") == 2


@pytest.mark.parametrize(
    "lines",
    [
        lambda n: "not ok 1 a\n  ---\n" + "  message: |\n" * n,
        lambda n: "ok 1 a\n  ---\n" * n,
        lambda n: "ok 1 a\n  ---\n" + "  ok 1 a\n    ---\n" * n,
        lambda n: "ok 1 a\n  ---\n" + "  x\nx\n" * n,
    ],
)
def test_blocks_take_time_linear_in_their_length(lines: object) -> None:
    assert callable(lines)

    def took(count: int) -> float:
        log = lines(count)
        start = time.process_time()
        parse(log)
        return time.process_time() - start

    took(100)
    assert took(40_000) < 30 * took(5_000)
