# SPDX-License-Identifier: GPL-2.0-only
"""Bytes of a guest as text that a terminal and an XML file can take."""

import re

ANSI = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # CSI (ECMA-48, 5.4)
    r"|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?"  # OSC, ended by BEL or ST
    r"|\x1b[PX^_][^\x1b]*(?:\x1b\\)?"  # DCS, SOS, PM, APC
    r"|\x1b[ -/]*[0-~]"  # the rest
)
# A terminal in its cooked mode makes another of each one: one break all the same.
BREAK = re.compile(r"\r+\n?")
# What XML 1.0 allows (section 2.2, Char), less C1 controls, which terminals act upon.
ILLEGAL = re.compile("[^\t\n\x20-\x7e\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

GAP = re.compile(r"^\[\.\.\. \d+ bytes left out \.\.\.\]$", re.MULTILINE)
"""What :func:`gap` makes, in a text."""


def gap(size: int) -> str:
    """The line that stands for bytes which were not kept."""
    return f"[... {size} bytes left out ...]"


def decode(data: bytes) -> str:
    """UTF-8 with what is not UTF-8 as ``\\xNN``; see :func:`clean`."""
    return clean(data.decode("utf-8", "backslashreplace"))


def clean(text: str) -> str:
    """Leaves out terminal sequences and makes every other control character visible (``#x07``)."""
    text = BREAK.sub("\n", ANSI.sub("", text))
    return ILLEGAL.sub(lambda found: f"#x{ord(found[0]):02X}", text)


def one_line(text: str, limit: int = 300) -> str:
    """The text in one line of at most ``limit`` characters."""
    line = " ".join(clean(text).split())
    return line if len(line) <= limit else f"{line[: limit - 3]}..."


def shorten_middle(text: str, limit: int) -> str:
    """At most about ``limit`` characters: the start, a mark that tells what is missing, the end."""
    if len(text) <= limit:
        return text
    half = limit // 2
    return f"{text[:half]}\n[... {len(text) - 2 * half} characters left out ...]\n{text[-half:]}"
