# SPDX-License-Identifier: GPL-2.0-only
"""Every log in logs/ says on top what is to be found in it; then in all the forms logs come in."""

import random
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.verdict.console import LINES_LIMIT, SPLATS_LIMIT, find_splats, worst
from harness.verdict.printk import parse_line, without_colours
from harness.verdict.splat import Severity, Splat
from harness.verdict.text import clean, decode

LOGS = sorted((Path(__file__).parent / "logs").glob("*.log"))
STAMP = re.compile(r"^(?:<\d>)?\[\s*\d+\.\d+\](?:\[\s*[TC]\d+\])? ?")
TIME = re.compile(r"^(?:<\d>)?\[(\s*\d+\.\d+)\](?:\[\s*[TC]\d+\])? ?")
Said = list[tuple[str, str, str]]


def read(path: Path) -> tuple[Said, str]:
    """What a log's head says, and the log."""
    head, _, body = path.read_text("utf-8").partition("\n\n")
    said = re.findall(r"^# title: (.*)\n# kind: (.*)\n# severity: (.*)$", head, re.M)
    assert said or "# none" in head.splitlines(), f"{path.name} says nothing"
    assert "# from: " in head
    return said, body


def found(text: str) -> Said:
    return [(s.title, s.kind, s.severity.value) for s in find_splats(text)]


@pytest.mark.parametrize("path", LOGS, ids=lambda path: path.stem)
def test_a_log_gives_what_it_says(path: Path) -> None:
    said, body = read(path)
    assert found(body) == said


# The forms that lines come in


def bare(line: str) -> str:
    return STAMP.sub("", line)


def stamped(body: str) -> list[str]:
    """The lines with a stamp each, unless the log has lines of programs between them."""
    lines = body.splitlines()
    if any(STAMP.match(line) for line in lines):
        return lines
    return [f"[{100 + n / 1000:12.6f}] {line}" for n, line in enumerate(lines)]


def with_level(line: str) -> str:
    return f"<4>{line}" if STAMP.match(line) else line


def with_caller(line: str) -> str:
    return re.sub(r"^(\[[^]]*\]) ?", r"\1[  T123] ", line) if STAMP.match(line) else line


def in_colour(line: str) -> str:
    return f"\x1b[31m{line[:20]}\x1b[0;1m{line[20:]}\x1b[0m"


def with_noise(line: str) -> str:
    return f"\x00\x07\ufffd{line}\x00" if STAMP.match(line) else line


def as_journald(line: str) -> str:
    return f"Nov 24 12:00:00 host kernel: {bare(line)}" if STAMP.match(line) else line


def as_syslog_iso(line: str) -> str:
    prefix = "2026-11-24T12:00:00.123456+00:00 host kernel: "
    return prefix + line if STAMP.match(line) else line


def as_ctime(line: str) -> str:
    return f"[Tue Nov 24 12:00:00 2026] {bare(line)}" if STAMP.match(line) else line


def as_logread(line: str) -> str:
    return f"Tue Nov 24 12:00:00 2026 kern.warn kernel: {line}" if STAMP.match(line) else line


def as_journald_elsewhere(line: str) -> str:
    return f"lis 24 12:00:00 host kernel: {bare(line)}" if STAMP.match(line) else line


def as_netconsole_syslog(line: str) -> str:
    return f"Nov 24 12:00:00 x 4,1234,5678,-;{bare(line)}" if STAMP.match(line) else line


def as_quoted(line: str) -> str:
    return f"> {line}" if STAMP.match(line) else line


def indented(line: str) -> str:
    return f"      {line}"


def as_huawei(line: str) -> str:
    return re.sub(r"^(\[[^]]*\]) ?", r"\1 [pid:12,cpu0,ringd]", line) if STAMP.match(line) else line


def as_ci(line: str) -> str:
    return f"2026-11-24T12:00:00.1234567Z {line}"


def as_kmsg(line: str) -> str:
    return f"4,1234,5678,-;{bare(line)}" if STAMP.match(line) else line


def as_decoded(line: str) -> str:
    return f"kern  :warn  : {line}" if STAMP.match(line) else line


def as_decoded_without_time(line: str) -> str:
    return f"kern  :warn  : {bare(line)}" if STAMP.match(line) else line


def as_decoded_iso(line: str) -> str:
    prefix = "kern  :warn  : 2026-11-29T08:21:12,210001+00:00 "
    return prefix + bare(line) if STAMP.match(line) else line


def as_since(line: str) -> str:
    return f"[  +0.000001] {bare(line)}" if STAMP.match(line) else line


def as_minute(line: str) -> str:
    return f"[Nov29 08:21] {bare(line)}" if STAMP.match(line) else line


def as_delta(line: str) -> str:
    return f"[<    0.000001>] {bare(line)}" if STAMP.match(line) else line


def as_time_and_delta(line: str) -> str:
    return TIME.sub(r"[\1 <    0.000001>] ", line)


def as_ctime_and_delta(line: str) -> str:
    prefix = "[Sun Nov 29 08:21:12 2026 <    0.000001>] "
    return prefix + bare(line) if STAMP.match(line) else line


def as_short_monotonic(line: str) -> str:
    return TIME.sub(r"[\1] my-host.example kernel: ", line)


def as_short_delta(line: str) -> str:
    return TIME.sub(r"[\1 <    0.000001 >] host kernel: ", line)


def as_short_full(line: str) -> str:
    prefix = "Sun 2026-11-29 08:21:21 UTC host kernel: "
    return prefix + bare(line) if STAMP.match(line) else line


def as_short_unix(line: str) -> str:
    return f"1795940481.210001 host kernel: {bare(line)}" if STAMP.match(line) else line


FORMS: tuple[Callable[[str], str], ...] = (
    *(with_level, with_caller, in_colour, with_noise, as_journald, as_syslog_iso),
    *(as_ctime, as_ci, as_kmsg, as_decoded),
    *(as_logread, as_journald_elsewhere, as_quoted, indented, as_huawei),
    as_netconsole_syslog,
    # Of dmesg: -x -t, -x --time-format iso, -e, -e where a minute begins, --time-format delta, -d,
    # -T -d. Of journalctl -o.
    *(as_decoded_without_time, as_decoded_iso, as_since, as_minute, as_delta, as_time_and_delta),
    *(as_ctime_and_delta, as_short_monotonic, as_short_delta, as_short_full, as_short_unix),
)


CALLERS_MATTER = ("two-cpus-callers", "break-lost")


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.__name__)
@pytest.mark.parametrize(
    "path", [p for p in LOGS if p.stem not in CALLERS_MATTER], ids=lambda path: path.stem
)
def test_whatever_stands_before_the_lines(path: Path, form: Callable[[str], str]) -> None:
    said, body = read(path)
    assert found("\n".join(map(form, stamped(body)))) == said


@pytest.mark.parametrize("path", LOGS, ids=lambda path: path.stem)
def test_carriage_returns_change_nothing(path: Path) -> None:
    said, body = read(path)
    assert found(body.replace("\n", "\r\n")) == said
    assert found(decode(body.replace("\n", "\r\r\n").encode())) == said


@pytest.mark.parametrize(
    "path",
    [p for p in LOGS if p.stem not in ("healthy-programs", *CALLERS_MATTER)],
    ids=lambda path: path.stem,
)
def test_kernels_that_print_no_time(path: Path) -> None:
    said, body = read(path)
    assert found("\n".join(bare(line) for line in body.splitlines())) == said


@pytest.mark.parametrize("path", LOGS, ids=lambda path: path.stem)
def test_one_bug_has_one_title(path: Path) -> None:
    """Other addresses, pids, CPUs and offsets: the same titles."""
    said, body = read(path)
    draw = random.Random(path.stem)

    def other_hex(match: re.Match[str]) -> str:
        return "".join(draw.choice("0123456789abcdef") for _ in match[0])

    text = re.sub(r"(?<=ffff)[0-9a-f]{12}\b", other_hex, body)
    text = re.sub(r"(?<=PID: )\d+", lambda _: str(draw.randrange(2, 99999)), text)
    text = re.sub(r"(?<=CPU: )\d+|(?<=CPU#)\d+", lambda _: str(draw.randrange(64)), text)
    # 0x0 stays: no call returns there, and s390's traps may end a function.
    text = re.sub(r"(?<=\+0x)(?!0/)[0-9a-f]+(?=/0x)", lambda _: f"{draw.randrange(1, 15):x}", text)
    assert [s.title for s in find_splats(text)] == [title for title, _, _ in said]


# What a splat is made of

OOPS = (Path(__file__).parent / "logs" / "arm64-null-6.1.log").read_text().partition("\n\n")[2]
KASAN = (Path(__file__).parent / "logs" / "kasan-oob-4.19.log").read_text().partition("\n\n")[2]
WARN = (Path(__file__).parent / "logs" / "warning-6.19.log").read_text().partition("\n\n")[2]


def test_a_splat_has_place_lines_trace_and_taint() -> None:
    (splat,) = find_splats("[   10.0] all is well\n" * 3 + WARN + "[   20.0] usb 1-1: new device\n")
    assert (splat.first, splat.last) == (4, 15)
    assert "\n".join(splat.lines) + "\n" == WARN
    assert splat.trace == ("queue_work_on", "foo_init")
    assert splat.taint == "GO"


def test_lines_of_others_are_no_part_of_a_report() -> None:
    lines = WARN.splitlines(keepends=True)
    lines.insert(7, "[    3.210006] usb 1-1: new high-speed USB device number 2\n")
    lines.insert(9, "ok 1 a_line_of_a_program\n")
    (splat,) = find_splats("".join(lines))
    assert "".join(f"{line}\n" for line in splat.lines) == WARN


REGISTERS = re.compile(
    r"^\W{0,12}(?:IP: |[A-Za-z]\w{0,8}(?: GPRS)?(?:-\d\d)? {0,4}[:= ] ?(?:0x|\[<)?[0-9a-f]{8,16}\b)"
)
"""What of a report looks like registers, on any architecture."""


@pytest.mark.parametrize("path", LOGS, ids=lambda path: path.stem)
def test_a_report_has_all_of_its_registers(path: Path) -> None:
    _, body = read(path)
    lines = without_colours(body).split("\n")
    for splat in find_splats(body):
        within = [
            line
            for number in range(splat.first, splat.last + 1)
            for line in parse_line(number, lines[number - 1])
        ]
        dumped = [clean(line.raw) for line in within if REGISTERS.match(line.text)]
        assert [line for line in dumped if line not in splat.lines] == []


@pytest.mark.parametrize(
    "registers",
    [
        "RBP: ffffb1c2c0217ed8 R08: 0000000000000000 R09: ffffffff9d8a5d28",  # x86-64
        "EBP: c1f5bf2c ESP: c1f5bf24",
        "xPSR: 61000000",  # arm without an MMU
        "User GPRS: 0000000000000000 000003ff0000aa11 000003ffa1234567 0000000000000001",  # s390
        "PSR: 404010c4 PC: f0012344 NPC: f0012348 Y: 00000000    Not tainted",  # sparc
        "DEAR: 00000000c0de0000 ESR: 0000000000000000",  # powerpc
        "ea: c0104a2c estatus: 00000003",  # nios2
        "orig_a0: 0x00000000",  # csky
        "IP: pipe_release+0x25/0xc0",
    ],
)
def test_registers_of_any_architecture_are_of_the_report(registers: str) -> None:
    lines = WARN.splitlines()
    lines.insert(5, f"[    3.210004] {registers}")
    (splat,) = find_splats("\n".join(lines))
    assert list(splat.lines) == lines


@pytest.mark.parametrize("before", ["." * 5000, "50%\r" * 1250], ids=["dots", "progress"])
def test_a_message_that_stands_behind_a_long_line_is_found(before: str) -> None:
    said = [("Kernel panic - not syncing: foo", "panic", "fatal")]
    assert found(f"{before}[   12.000000] Kernel panic - not syncing: foo\n") == said
    assert found(decode(f"{before}[   12.0] Kernel panic - not syncing: foo\n".encode())) == said


def test_reports_of_two_cpus_are_told_apart_by_caller() -> None:
    one = [with_caller(line) for line in OOPS.splitlines()]
    two = [with_caller(line).replace("T123", " T77") for line in KASAN.splitlines()]
    two = [STAMP.sub("[   20.000001][   T77] ", line) for line in two]
    draw = random.Random(7)
    mixed: list[str] = []
    while one or two:
        mixed.append((one if (draw.random() < 0.5 and one) or not two else two).pop(0))
    assert sorted(found("\n".join(mixed))) == sorted(found(OOPS) + found(KASAN))
    assert {len(s.lines) for s in find_splats("\n".join(mixed))} == {
        len(find_splats(OOPS)[0].lines),
        len(find_splats(KASAN)[0].lines),
    }


def test_each_of_several_reports_is_found() -> None:
    assert found(OOPS + KASAN + WARN) == found(OOPS) + found(KASAN) + found(WARN)


@pytest.mark.parametrize(
    ("log", "title"),
    [
        ("hung-task", "INFO: task hung in ring_open"),
        ("lkdtm-exception", "BUG: KASAN: null-ptr-deref in lkdtm_EXCEPTION"),
        ("panic-no-root", "Kernel panic - not syncing: VFS: Unable to mount root fs"),
        ("two-cpus-callers", "BUG: KASAN: slab-use-after-free in pidfd_poll"),
    ],
)
def test_a_verdict_is_about_the_root_of_the_trouble(log: str, title: str) -> None:
    _, body = read(Path(__file__).parent / "logs" / f"{log}.log")
    splat = worst(find_splats(body))
    assert splat is not None
    assert splat.title.startswith(title)


def test_what_was_expected_or_is_for_information_is_no_verdict() -> None:
    info = Splat("oom", "Out of memory", Severity.INFO, 1, 1)
    expected = Splat("oops", "x", Severity.FATAL, 2, 2, expected="so it is")
    assert worst([info, expected]) is None


# Anything a guest may print


@settings(deadline=None)
@given(st.text(max_size=400))
def test_any_text_is_read(text: str) -> None:
    assert len(find_splats(text)) <= SPLATS_LIMIT + 1


@settings(deadline=None)
@given(
    st.lists(st.sampled_from([*OOPS.splitlines(), *KASAN.splitlines(), *WARN.splitlines(), "x"]))
)
def test_any_order_of_lines_is_read(lines: list[str]) -> None:
    for splat in find_splats("\n".join(lines)):
        assert 1 <= splat.first <= splat.last <= len(lines)
        assert splat.title
        assert len(splat.lines) <= LINES_LIMIT + 1


@settings(deadline=None)
@given(st.integers(0, len(OOPS)), st.text(max_size=20))
def test_a_damaged_log_is_read(at: int, noise: str) -> None:
    for splat in find_splats(OOPS[:at] + noise + OOPS[at:]):
        assert splat.lines


@pytest.mark.parametrize("unit", ["a", "[<00000000>] ", "[<ffffffff81000000>] ", "0x1 ", " "])
def test_a_line_that_is_nearly_a_frame_ends(unit: str) -> None:
    """Each of these once took as many steps as two to the power of its units."""
    line = f"[    3.210005] {unit * (4000 // len(unit))}!\n"
    (splat,) = find_splats(WARN.replace("[    3.210012]", line + "[    3.210012]"))
    assert splat.title == find_splats(WARN)[0].title


def test_a_flood_is_bounded_and_says_so() -> None:
    splats = find_splats(WARN * (SPLATS_LIMIT + 50))
    assert len(splats) == SPLATS_LIMIT + 1
    assert splats[-1].title == "50 more reports"
    endless = "".join(f"[    3.2] \u0020ring_{n}+0x1/0x2\n" for n in range(5000))
    (splat,) = find_splats(WARN.replace("[    3.210012]", endless + "[    3.210012]"))
    assert len(splat.lines) == LINES_LIMIT + 1
    assert "more lines" in splat.lines[-1]
