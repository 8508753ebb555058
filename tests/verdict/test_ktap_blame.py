# SPDX-License-Identifier: GPL-2.0-only
"""What the kernel reported belongs to the test that ran when the report began."""

import pytest

from harness.parse import parse_log
from harness.report.terminal import exit_code
from harness.verdict.console import SPLATS_LIMIT, find_splats

MESSAGES = (
    "------------[ cut here ]------------",
    "WARNING: CPU: 0 PID: 57 at lib/ring.c:30 ring_push+0x12/0x40",
    "Modules linked in:",
    "CPU: 0 PID: 57 Comm: ring Not tainted 6.12.0 #1",
    "RIP: 0010:ring_push+0x12/0x40",
    "Call Trace:",
    " <TASK>",
    " ring_fill+0x33/0x90",
    " </TASK>",
    "---[ end trace 0000000000000000 ]---",
)
STAMPED = "".join(f"[    1.{n:06}] {line}\n" for n, line in enumerate(MESSAGES))
PLAIN = "".join(f"{line}\n" for line in MESSAGES)
DMESG_T = "".join(f"[Mon Nov 24 12:00:00 2025] {line}\n" for line in MESSAGES)
SYSLOG = "".join(f"Nov 24 12:00:00 host kernel: {line}\n" for line in MESSAGES)
RSYSLOG = "".join(f"2025-11-24T12:00:00+01:00 host kernel: {line}\n" for line in MESSAGES)
TITLE = "WARNING in ring_push (lib/ring.c)"
CRASHED = f"{TITLE} (it says pass)"
KASAN = "[    2.000000] BUG: KASAN: slab-out-of-bounds in ring_push+0x12/0x40\n"


def outcomes(log: str) -> list[tuple[str, str, str]]:
    """Outcome, name and message of each result."""
    parsed = parse_log(log, name="x.log")
    return [(r.outcome.value, r.name, r.message) for r in parsed.results]


@pytest.mark.parametrize("report", [STAMPED, PLAIN, SYSLOG])
def test_between_the_last_subtest_and_its_parents_result_the_parent_runs(report: str) -> None:
    log = f"TAP version 13\n1..1\n# TAP version 13\n# 1..1\n# ok 1 x\n{report}ok 1 a: b\n"
    assert outcomes(log) == [("pass", "x", ""), ("crash", "a: b", CRASHED)]
    kunit = f"KTAP version 1\n1..1\n    1..1\n    ok 1 x\n{report}ok 1 suite\n"
    assert outcomes(kunit) == [("pass", "x", ""), ("crash", "suite", CRASHED)]


def test_a_checker_that_reports_there_counts_too() -> None:
    log = f"KTAP version 1\n1..1\n    1..1\n    ok 1 x\n{KASAN}ok 1 suite\n"
    assert [(outcome, name) for outcome, name, _ in outcomes(log)] == [
        ("pass", "x"),
        ("crash", "suite"),
    ]


@pytest.mark.parametrize("report", [STAMPED, PLAIN])
@pytest.mark.parametrize("cut", [2, 3, 6])
def test_a_report_that_results_interrupt_is_one(report: str, cut: int) -> None:
    lines = report.splitlines(keepends=True)
    log = ["1..3\n", *lines[:cut], "ok 1 a\n", *lines[cut:], "ok 2 b\n", "ok 3 c\n"]
    parsed = parse_log("".join(log), name="x.log")
    assert [r.outcome.value for r in parsed.results] == ["crash", "pass", "pass"]
    (splat,) = parsed.results[0].splats
    assert splat.title == TITLE
    assert splat.trace[:1] == ("ring_fill",)
    assert parsed.results[0].console == report.rstrip()
    assert (splat.first, splat.last) == (1, len(lines))


def test_reports_are_where_the_console_of_their_test_has_them() -> None:
    log = f"1..3\nok 1 a\n[    0.500000] eth0: up\nwords\n{STAMPED}ok 2 b\n{STAMPED}ok 3 c\n"
    _, b, c = parse_log(log, name="x.log").results
    assert (b.splats[0].first, b.splats[0].last, b.stdout) == (2, 11, "words")
    assert (c.splats[0].first, c.splats[0].last, c.stdout) == (1, 10, "")


@pytest.mark.parametrize(
    "words",
    [
        *("Oops: that file is missing: x", "Oops", "kernel BUG at foo", "worker started [#1]"),
        "Internal error: no such thing",
    ],
)
def test_in_a_log_with_stamps_a_programs_words_are_none_of_the_kernels(words: str) -> None:
    log = f"1..2\n[    1.000000] a\n[    1.100000] b\nok 1 a\n{words}\nok 2 b\n"
    assert outcomes(log) == [("pass", "a", ""), ("pass", "b", "")]
    kunit = f"[    1.000000] 1..2\n[    1.100000] ok 1 a\n{words}\n[    1.200000] ok 2 b\n"
    assert outcomes(kunit) == [("pass", "a", ""), ("pass", "b", "")]


@pytest.mark.parametrize("report", [PLAIN, DMESG_T, SYSLOG, RSYSLOG])
@pytest.mark.parametrize(
    "before", ["<LAVA_SIGNAL_STARTTC x>", "[    1.000000] x", "<6>x", "2025-11-24T12:00:00Z x"]
)
def test_no_line_beside_it_hides_a_report(report: str, before: str) -> None:
    log = f"TAP version 13\n1..1\n{before}\n{report}ok 1 a\n"
    assert outcomes(log) == [("crash", "a", CRASHED)]


def test_a_console_is_searched_as_splats_searches_it() -> None:
    log = f"{STAMPED}KTAP version 1\n1..2\n{STAMPED}ok 1 a\n{STAMPED}ok 2 b\n{STAMPED}"
    parsed = parse_log(log, name="x.log")
    found = [splat for r in parsed.results for splat in r.splats]
    assert len(found) + len(parsed.problems) == len(find_splats(log)) == 4
    assert [r.name for r in parsed.results] == ["a", "b", "after the last test"]


def test_however_many_reports_there_are_each_test_has_its_own() -> None:
    tests = 2 * SPLATS_LIMIT
    log = f"1..{tests}\n" + "".join(f"{STAMPED}ok {n} t{n}\n" for n in range(1, tests + 1))
    assert {outcome for outcome, _, _ in outcomes(log)} == {"crash"}
    (only,) = parse_log(f"1..1\n{STAMPED * tests}ok 1 t\n", name="x.log").results
    assert len(only.splats) == SPLATS_LIMIT + 1
    assert only.splats[-1].title == f"{SPLATS_LIMIT} more reports"


def test_a_report_for_which_no_test_is_kept_is_not_lost() -> None:
    log = f"KTAP version 1\n1..1\n    1..1\n    ok 1 x\n{STAMPED}"
    parsed = parse_log(log, name="x.log")
    assert exit_code(r.outcome for r in parsed.results) == 1
