# SPDX-License-Identifier: GPL-2.0-only
"""Lines of a console: what stands before a kernel's message, and what is noise in it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from harness.verdict.stamps import (
    CLOCK,
    CTIME,
    DAY,
    FULL,
    HOST,
    ISO,
    LEVEL,
    MINUTE,
    MONTH,
    STAMP,
    UNIX,
)
from harness.verdict.text import ANSI

LOST_BREAK = re.compile(rf"(?<=\S)\s*(?=(?:<\d{{1,3}}>)?{STAMP} ?)")
"""A message begins within a line: the break before it was lost."""
RETURNS = re.compile(r"(?<!\r)\r+\n")
"""A break as a terminal may have it. No carriage return within a run of them begins one, or a long
run without a line feed takes the square of its length.
"""
NOISE = re.compile(r"[^\t\x20-\x7e\xa0-\U0010ffff]+|\ufffd+|#x(?:[01][0-9A-F]|7F)|\\x[0-9a-f]{2}")
"""Control characters, also as harness.verdict.text shows them, and what is not UTF-8."""

# Each takes one thing from the front of a line. (is it the kernel's own, pattern)
PREFIXES: tuple[tuple[bool, re.Pattern[str]], ...] = tuple(
    (kernel, re.compile(pattern))
    for kernel, pattern in (
        (True, r"<\d{1,3}>"),
        (True, rf"{STAMP}(?: {HOST})? ?"),  # journalctl -o short-monotonic has the host
        (True, r"\[\s{0,8}(?P<caller>[TC]\d{1,10})\] ?"),
        (True, r"\d{1,3},\d+,\d+,[-c](?:,caller=(?P<caller>[TC]\d+))?;"),  # /dev/kmsg
        (True, rf"(?:kern|user) *: *[a-z]+ *: *(?=[\[<])|(?=kern|user){LEVEL}"),
        (True, rf"(?:{CTIME}|{MINUTE}) "),
        (True, rf"(?:{DAY} )?{MONTH} +\d{{1,2}} {CLOCK} (?:\S+ )?kernel: ?"),  # syslog, journald
        (True, rf"(?:{ISO}|{FULL}|{UNIX}) (?:\S+ )?kernel: ?"),
        # OpenWrt's logread; journalctl in the words of other languages ("set 03", "9月 03").
        (True, rf"{DAY} {MONTH} +\d{{1,2}} {CLOCK} \d{{4}} kern\.[a-z]+ kernel: ?"),
        (True, rf"\w{{2,8}}\.? +\d{{1,2}} {CLOCK} (?:\S+ )?kernel: ?"),
        (True, r"\[(?P<caller>pid:\d{1,8}),cpu\d{1,4},[^\]]{1,24}\]"),  # Huawei
        (False, rf"(?:{DAY} )?{MONTH} +\d{{1,2}} {CLOCK} \S+ (?=\d{{1,3}},\d+,\d+,)"),  # netconsole
        # Indented, and quoted as in mails.
        (False, rf"(?:\s|>)+(?=(?:<\d{{1,3}}>)?{STAMP}|\[{DAY} {MONTH} )"),
        (False, rf"{ISO} "),  # dmesg --time-format iso, and what CI systems put before lines
        (False, rf"\[{CLOCK}\] "),
        (True, r"kernel: ?(?=\[|BUG|WARNING|INFO)"),
        (False, r"\(\d\)\[\d+:[^\]]{1,20}\] ?"),  # Android: CPU, pid and name
        (False, r"\[\d: {0,16}[^\]:]{1,20}: {0,8}\d+\] ?"),
        (False, r"\(XEN\) (?=\[)"),
        (False, r"[\w-]{1,20} login: (?=\[)"),
    )
)
TIME = re.compile(r"\[\s*(\d{1,9}\.\d{1,9})")
STAMPED = re.compile(
    rf"{STAMP}|{CTIME} |{MINUTE} |^(?=kern|user){LEVEL}|(?:^|\s)kernel: |\b\d{{1,3}},\d+,\d+,[-c]",
    re.M,
)


@dataclass(frozen=True, slots=True)
class Line:
    """A message of a kernel, or another line of its console.

    Attributes:
        number: line in the console, from 1.
        raw: the line as it stands there, without noise.
        text: without what printk and those who store it put before it.
        caller: ``T77`` or ``C1`` where the kernel says who printed it (CONFIG_PRINTK_CALLER).
        kernel: something stands before it that only the kernel's lines have.
        time_s: printk's time in seconds, or None.
    """

    number: int
    raw: str
    text: str
    caller: str
    kernel: bool
    time_s: float | None


def is_stamped(text: str) -> bool:
    """True when the kernel's lines in this console have something before them."""
    found = STAMPED.finditer(text)
    return next(found, None) is not None and next(found, None) is not None


def without_colours(text: str) -> str:
    """Line breaks as one kind, no terminal sequences; as many lines as before."""
    if "\r" in text:
        text = RETURNS.sub("\n", text).replace("\r", " ")
    return ANSI.sub("", text) if "\x1b" in text else text


def parse_line(number: int, raw: str) -> Iterator[Line]:
    """The messages in one line of a console: mostly one, more where breaks were lost."""
    raw = NOISE.sub("", raw).rstrip()
    start = 0
    for found in LOST_BREAK.finditer(raw):
        short = found.start() - start <= LONGEST_PREFIX
        if short and PREFIX_ONLY.match(raw, start, found.start()):
            continue
        yield _line(number, raw[start : found.start()])
        start = found.end()
    yield _line(number, raw[start:])


LONGEST = 4096
"""Characters of a message that are looked at; printk's own limit is 1024 (PRINTKRB_RECORD_MAX)."""
LONGEST_PREFIX = 256
"""Characters before a time that may be no message; a host's name has 64 (HOST_NAME_MAX)."""
# Atomic: what the words of a prefix can be told apart in two ways is told apart once.
PREFIX_ONLY = re.compile(
    rf"(?>(?:<\d{{1,3}}>|(?:{ISO}|{FULL}|{UNIX})\s*|\[{CLOCK}\]\s*|\S+ kernel:\s*"
    rf"|(?:{DAY} )?{MONTH} .{{1,60}}kernel:\s*"
    r"|(?:kern|user) *: *[a-z]+ *: *|[\w-]{1,20} login:|\(XEN\)|kernel:|>\s*)*)\s*$"
)


def _line(number: int, raw: str) -> Line:
    raw = raw[:LONGEST]
    at, kernel, caller = 0, False, ""
    for _ in range(6):
        for own, pattern in PREFIXES:
            found = pattern.match(raw, at)
            if found:
                kernel = kernel or own
                caller = caller or (found.groupdict().get("caller") or "")
                at = found.end()
                break
        else:
            break
    time = TIME.search(raw, 0, at) if at else None
    return Line(number, raw, raw[at:], caller, kernel, float(time[1]) if time else None)
