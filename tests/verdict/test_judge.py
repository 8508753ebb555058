# SPDX-License-Identifier: GPL-2.0-only
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.verdict.judge import judge
from harness.verdict.outcome import Outcome, Verdict
from harness.verdict.text import clean, decode, one_line, shorten_middle

PASS = b"KTAP version 1\n1..1\nok 1 a\n"
FAIL = (
    b"KTAP version 1\n1..1\n# FAIL open.c:12: EXPECT_ERRNO(f(), EINVAL)\n"
    b"#   expected: -1 EINVAL (Invalid argument)\n#   got: -1 ESRCH (No such process)\nnot ok 1 a\n"
)


def judged(stdout: bytes, status: int = 0, **other: bool) -> Verdict:
    return judge(
        name="a",
        stdout=stdout,
        stderr=b"",
        wait_status=status,
        killed_by_timeout=other.get("killed", False),
        timeout_s=5,
        truncated=False,
    )


def test_pass() -> None:
    assert judged(PASS) == Verdict(Outcome.PASS)


def test_failure_has_place_promise_and_what_came() -> None:
    verdict = judged(FAIL, 1 << 8)
    assert verdict.outcome is Outcome.FAIL
    assert (verdict.file, verdict.line) == ("open.c", 12)
    assert verdict.message == (
        "expected -1 EINVAL (Invalid argument), got -1 ESRCH (No such process)"
        " (open.c:12: EXPECT_ERRNO(f(), EINVAL))"
    )


@pytest.mark.parametrize(
    ("stdout", "status", "outcome", "words"),
    [
        (b"ok 1 a # SKIP no root\n", 4 << 8, Outcome.SKIP, "no root"),
        (b"ok 1 a # skip\n", 4 << 8, Outcome.SKIP, "no reason"),
        (b"not ok 1 a # SKIP x\n", 4 << 8, Outcome.SKIP, "x"),
        (b"not ok 1 a # XFAIL known\n", 2 << 8, Outcome.XFAIL, "known"),
        (b"not ok 1 a\n", 1 << 8, Outcome.FAIL, "without a reason"),
        (PASS, 1 << 8, Outcome.ERROR, "exit 1 means fail"),
        (PASS, 7 << 8, Outcome.ERROR, "exit 7"),
        (FAIL, 0, Outcome.ERROR, "says fail"),
        (b"ok 1 a # SKIP x\n", 0, Outcome.ERROR, "says skip"),
        (b"", 0, Outcome.ERROR, "no result"),
        (b"ok 1 b\n", 0, Outcome.ERROR, "not asked for: b"),
        (PASS + b"ok 2 a\n", 0, Outcome.ERROR, "2 results"),
        (PASS, 11, Outcome.FAIL, "killed by SIGSEGV"),
        (b"# FAIL x.c:1: y\nok 1 a\n", 0, Outcome.FAIL, "it says ok, but"),
        (b"ok 1 a # TIMEOUT\n", 0, Outcome.ERROR, "says fail"),
    ],
)
def test_what_else_there_is(stdout: bytes, status: int, outcome: Outcome, words: str) -> None:
    verdict = judged(stdout, status)
    assert verdict.outcome is outcome
    assert words in verdict.message


def test_timeout_says_what_was_known() -> None:
    verdict = judged(FAIL, 9, killed=True)
    assert verdict.outcome is Outcome.TIMEOUT
    assert "no end after 5 s; before: expected -1 EINVAL" in verdict.message


@given(st.binary(max_size=200), st.integers(0, 0xFFFF), st.booleans())
def test_nothing_is_a_pass_by_chance(noise: bytes, status: int, killed: bool) -> None:
    verdict = judged(noise, status, killed=killed)
    lines = decode(noise).splitlines()
    if verdict.outcome is Outcome.PASS:
        assert status == 0
        assert not killed
        assert any(line.startswith("ok ") and line.split()[2:3] == ["a"] for line in lines)
    else:
        assert verdict.message


@given(st.binary(max_size=300))
def test_decoded_text_harms_nobody(data: bytes) -> None:
    text = decode(data)
    assert not any(ord(c) < 32 and c not in "\n\t" for c in text)
    assert not any(0x7F <= ord(c) < 0xA0 or 0xD800 <= ord(c) < 0xE000 for c in text)
    assert "\n" not in one_line(text)


def test_terminal_sequences_go_and_the_rest_is_shown() -> None:
    assert clean("\x1b[31mred\x1b[0m\x1b]0;title\x07 bell\x07\r\nnext") == "red bell#x07\nnext"


def test_the_middle_goes_first() -> None:
    short = shorten_middle("a" * 500 + "b" * 500, 100)
    assert short.startswith("a" * 50)
    assert short.endswith("b" * 50)
    assert "900 characters" in short
