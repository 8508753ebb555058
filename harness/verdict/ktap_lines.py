# SPDX-License-Identifier: GPL-2.0-only
"""The lines of a log without what was put before them, and without what broke them apart.

What stands before a line differs from line to line, so each is looked at alone: printk's level,
time and caller, syslog's and logcat's headers, the stamps of CI systems.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from harness.verdict.stamps import CLOCK, CTIME, FULL, HOST, ISO, LEVEL, MINUTE, UNIX
from harness.verdict.stamps import STAMP as TIME
from harness.verdict.text import ANSI, ILLEGAL

LINE_LIMIT = 64 * 1024
"""Characters of a line that are read; the rest of it is dropped, and that is told."""

HELD_LIMIT = 20
"""Messages of the kernel that may stand between the two halves of a line."""

TAG = r"[\w./-]+ [\w./@-]+(?:\[\d+\])?: "
# Who puts it there: GitHub Actions, LAVA, dmesg --time-format iso, rsyslog; journald, whose seconds
# need the tag that follows; syslog and ts(1); logcat -v threadtime and brief; dmesg -x; kunit.py
# --raw_output's own stamp.
FOREIGN = re.compile(
    rf"(?:{ISO} (?:{TAG})?"
    rf"|{FULL} (?:{TAG})?|{UNIX} {TAG}"
    rf"|[A-Z][a-z]{{2}} [ \d]\d {CLOCK} (?:{TAG})?"
    rf"|\d\d-\d\d {CLOCK} +\d+ +\d+ [VDIWEFA] [^:]{{1,64}}: "
    r"|[VDIWEFA]/[^(]{1,64}\( *\d+\): "
    rf"|{LEVEL}(?:{ISO} )?"
    rf"|\[{CLOCK}\] )"
)
# The same where it is the kernel's own mark: what journald and syslog heard of it.
KERNELS = re.compile(r"(?:[A-Z]|\d{4}-).* kernel: $")
# kernel/printk/printk.c: print_syslog, print_time, print_caller; journalctl -o short-monotonic
# adds the host; dmesg has times of its own.
PRINTK = re.compile(
    rf"(?:<\d{{1,3}}>)?(?:{TIME}|{CTIME}|{MINUTE})(?: ?\[ *[TC]\d+\])?(?: {HOST})? ?"
    r"|<\d{1,3}>(?:\[ *[TC]\d+\] ?)?"
)
# netdev's CI: runner.sh puts seconds since the start and since the last line after its ``# ``.
CLOCKED = re.compile(r"# \d+\.\d\d \[\+\d+\.\d\d\](?: |$)")
STAMP = re.compile(r"(?:<\d{1,3}>)?\[ *\d+\.\d{6}\]")
PLAIN = frozenset(" \t#o")
"""No prefix begins with these: most lines of a log need no further look."""
VERSION_AT_END = re.compile(r"K?TAP version \d+$")
RESULT_START = re.compile(r"[ \t]*(?:# )*(?:not )?ok \d+(?=[ \t#]|$)")
PART_OF_RESULT = re.compile(r"[ \t]*(?:# )*(?:n|no|not|(?:not )?ok?|(?:not )?ok \d*) ?")
OTHER_START = re.compile(r"[ \t]*(?:#|K?TAP version \d|\d+\.\.\d|Bail out!)")


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a log.

    Attributes:
        number: from 1, by line feeds.
        shown: without what is not the kernel's own.
        text: without any prefix; indentation is kept.
        stamped: the kernel printed it, or says so.
    """

    number: int
    shown: str
    text: str
    stamped: bool


class LineStream:
    """The lines of a log, to look at and to take.

    Args:
        text: the log.
        lenient: take prefixes away and mend lines; False leaves them as they are.
    """

    def __init__(self, text: str, *, lenient: bool = True) -> None:
        self.cut = 0
        lines = self._split(text)
        self._lines = _unglued(_mended(lines)) if lenient else lines
        self._lenient = lenient
        self._back: list[Line] = []
        self._next = next(self._lines, None)

    def peek(self) -> Line | None:
        """The next line, which stays; None at the end."""
        return self._next

    def pop(self) -> Line:
        """Takes the next line.

        Raises:
            EOFError: there is none.
        """
        line = self._next
        if line is None:
            raise EOFError
        self._next = self._back.pop() if self._back else next(self._lines, None)
        return line

    def back(self, lines: Sequence[Line]) -> None:
        """Gives lines back that were taken last, in the log's order."""
        if not lines:
            return
        if self._next is not None:
            self._back.append(self._next)
        self._back += reversed(lines)
        self._next = self._back.pop()

    def _split(self, text: str) -> Iterator[Line]:
        start, number = 0, 0
        while start < len(text):
            end = text.find("\n", start)
            end = len(text) if end < 0 else end
            number += 1
            for piece in text[start : min(end, start + LINE_LIMIT)].split("\r"):
                if piece or "\r" not in text[start:end]:
                    yield self._line(number, piece)
            self.cut += end - start > LINE_LIMIT
            start = end + 1

    def _line(self, number: int, text: str) -> Line:
        if not text.isprintable():
            text = ILLEGAL.sub(_visible, ANSI.sub("", text))
        text = text.rstrip()
        if not self._lenient or not text:
            return Line(number, text, text, False)
        if text[0] in PLAIN:
            clocked = CLOCKED.match(text) if text[2:3].isdigit() else None
            return Line(number, text, f"# {text[clocked.end() :]}" if clocked else text, False)
        foreign = FOREIGN.match(text)
        rest = text[foreign.end() :] if foreign else text
        kernels = foreign is not None and KERNELS.match(foreign[0]) is not None
        printk = PRINTK.match(rest)
        bare = rest[printk.end() :] if printk else rest
        return Line(number, text if kernels else rest, bare, kernels or printk is not None)


def _visible(found: re.Match[str]) -> str:
    """A serial line begins with NULs at times: they say nothing."""
    return "" if found[0] == "\0" else f"#x{ord(found[0]):02X}"


def _mended(lines: Iterator[Line]) -> Iterator[Line]:
    """Puts a result together that a message of the kernel broke in two.

    ``ok 1 na[   12.345678] the message`` and, after it, ``me``. The message comes first.
    """
    held: Line | None = None
    waited = 0
    for line in lines:
        if held is not None:
            waited += 1
            if line.stamped and waited <= HELD_LIMIT:
                yield line
                continue
            whole = held.text + line.text
            complete = not line.text or _starts(line.text)
            if not complete and RESULT_START.match(whole):
                yield Line(held.number, whole, whole, False)
                held = None
                continue
            yield held
            held = None
        stamp = None if line.stamped or "[" not in line.text else STAMP.search(line.text, 1)
        result = stamp and RESULT_START.match(line.text)
        if stamp is None or (line.text.lstrip().startswith("#") and not result):
            yield line
            continue
        head, message = line.text[: stamp.start()], line.text[stamp.start() :]
        printk = PRINTK.match(message)
        bare = message[printk.end() :] if printk else message
        broken = Line(line.number, head, head, False)
        if result or PART_OF_RESULT.fullmatch(head):
            held, waited = broken, 0
        else:
            yield broken
        yield Line(line.number, message, bare, True)
    if held is not None:
        yield held


def _starts(text: str) -> bool:
    return bool(RESULT_START.match(text) or OTHER_START.match(text))


# A program that ends without a line feed: runner.sh's own line follows on the same one.
GLUED = re.compile(r"(?:not ok|ok) \d+ selftests: ")


def _unglued(lines: Iterator[Line]) -> Iterator[Line]:
    """Takes apart what should be two lines, and learns a prefix that nobody knows.

    ``Successok 1 selftests: dir: prog``; ``mybox# KTAP version 1``, where further lines that begin
    with ``mybox# `` lose it, and with ``18:56:57 DEBUG| KTAP version 1`` those that begin with
    another time.
    """
    learned: re.Pattern[str] | None = None
    for line in lines:
        text = line.text
        known = learned.match(text) if learned else None
        if known:
            line = _without(line, known.end())  # noqa: PLW2901
            text = line.text
        if "selftests: " in text:
            glued = GLUED.search(text)
            if glued and text[: glued.start()].strip(" \t"):
                head = text[: glued.start()]
                yield Line(line.number, head, head, line.stamped)
                yield Line(line.number, line.shown, text[glued.start() :], line.stamped)
                continue
        version = VERSION_AT_END.search(text) if "TAP version " in text else None
        if version and not text.lstrip().startswith("#") and text[: version.start()].strip():
            learned = _alike(text[: version.start()])
            yield _without(line, version.start())
            continue
        yield line


def _without(line: Line, prefix: int) -> Line:
    """The line without so many characters of its text."""
    text = line.text[prefix:]
    before = line.shown.removesuffix(line.text)
    return Line(line.number, text if before == line.shown else before + text, text, line.stamped)


def _alike(prefix: str) -> re.Pattern[str]:
    """Prefixes that differ in their numbers only; without its last blanks, as on an empty line."""
    words = re.sub(r"\d+", "0", prefix)
    pattern = re.escape(words.rstrip()).replace("0", r"\d+")
    blanks = len(words) - len(words.rstrip())
    return re.compile(f"{pattern}(?:[ \t]{{{blanks}}}|$)")
