# SPDX-License-Identifier: GPL-2.0-only
"""Blocks of YAML behind a result: ``  ---``, lines of YAML, ``  ...`` (TAP 13 and 14).

A block may quote what looks like a result, so its end is looked for before anything in it is
believed. What cannot be of it, since it stands further left or since the kernel printed it in
between, belongs to the test that runs. A block that does not end ends before whatever looks like
KTAP.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from harness.verdict.ktap_lines import Line, LineStream
from harness.verdict.ktap_rules import COLUMNS, SPACES, Comment, column_of, parse_line

AHEAD_LIMIT = 10_000
"""Lines of a block in which its end is looked for."""


@dataclass(frozen=True)
class Block:
    """Lines behind a result.

    Attributes:
        yaml: those of the block.
        others: those in between that are not.
    """

    yaml: tuple[str, ...]
    others: tuple[Line, ...]


def parse_block(lines: LineStream, column: int, *, lenient: bool) -> Block | None:
    """Takes the block that begins with the next line; None where none does.

    Args:
        lines: of the log, behind a result.
        column: the result's; a block stands further right.
        lenient: blocks may stand in comments.
    """
    opening = lines.peek()
    if opening is None or "---" not in opening.text:
        return None
    prefix = (COLUMNS if lenient else SPACES).match(opening.text)
    assert prefix is not None
    if opening.text[prefix.end() :] != "---" or column_of(prefix[0]) <= column:
        return None
    lines.pop()
    ahead = list(_ahead(lines, opening, prefix[0], lenient=lenient))
    if ahead and ahead[-1].text == f"{prefix[0]}...":
        ahead.pop()
    else:
        whole = len(ahead)
        for number, line in enumerate(ahead):
            if _is_ktap(line, lenient=lenient):
                whole = number
                break
        lines.back(ahead[whole:])
        ahead = ahead[:whole]
    inside = [_is_inside(line, opening, prefix[0]) for line in ahead]
    return Block(
        tuple(line.text for line, own in zip(ahead, inside, strict=True) if own),
        tuple(line for line, own in zip(ahead, inside, strict=True) if not own),
    )


def _ahead(lines: LineStream, opening: Line, prefix: str, *, lenient: bool) -> Iterator[Line]:
    """Takes lines up to the block's end, or to the first that no block can have."""
    for _ in range(AHEAD_LIMIT):
        line = lines.peek()
        if line is None:
            return
        inside = _is_inside(line, opening, prefix)
        if not inside and parse_line(line.text, lenient=lenient):
            return
        yield lines.pop()
        if inside and line.text == f"{prefix}...":
            return


def _is_inside(line: Line, opening: Line, prefix: str) -> bool:
    if line.stamped and not opening.stamped:
        return False
    return line.text.startswith(prefix) or not line.text.strip(" \t#")


def _is_ktap(line: Line, *, lenient: bool) -> bool:
    token = parse_line(line.text, lenient=lenient)
    return token is not None and not isinstance(token, Comment)
