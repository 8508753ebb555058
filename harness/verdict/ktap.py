# SPDX-License-Identifier: GPL-2.0-only
"""Reads any KTAP or TAP log: a tree of results, and what is wrong with the log.

Source of the grammar: Documentation/dev-tools/ktap.rst of Linux 6.12 (KTAP 1), and the TAP 13 and
14 specifications. What is accepted beyond them, and why, is in docs/ktap.md. ``ktap_lines`` takes
prefixes off lines, ``ktap_rules`` says what a line is, ``ktap_tree`` puts the tree together.
"""

from harness.verdict.ktap_lines import LineStream
from harness.verdict.ktap_log import BAD, KtapLog, KtapResult, Status, counted
from harness.verdict.ktap_rules import ResultLine, parse_line
from harness.verdict.ktap_tree import Builder


def parse(text: str, *, lenient: bool = True) -> KtapLog:
    """Reads a log; never raises, and takes time linear in its length.

    Args:
        text: the log, decoded; prefixes, terminal sequences and carriage returns may be in it.
        lenient: take TAP inside comments as subtests (as kselftest's runner prints it), prefixes
            away, and lines apart that were glued together; False reads what the specification
            allows, and nothing else.
    """
    lines = LineStream(text, lenient=lenient)
    builder = Builder()
    while lines.peek() is not None:
        line = lines.pop()
        token = parse_line(line.text, lenient=lenient)
        if token is None:
            builder.other(line)
            continue
        builder.take(token, line)
        if isinstance(token, ResultLine):
            _parse_yaml(lines, builder, token.column)
    if lines.cut:
        builder.problem(f"{lines.cut} lines were too long to be read whole")
    return builder.finish()


def _parse_yaml(lines: LineStream, builder: Builder, column: int) -> None:
    """``  ---``, lines of YAML, ``  ...``: diagnostics of the result before it (TAP 13 and 14).

    A block that is never closed ends before the next result.
    """
    line = lines.peek()
    if line is None or line.text.lstrip(" \t#") != "---":
        return
    lines.pop()
    block: list[str] = []
    while (line := lines.peek()) is not None:
        token = parse_line(line.text)
        if isinstance(token, ResultLine) and token.column <= column:
            break
        lines.pop()
        if line.text.lstrip(" \t#") == "...":
            break
        block.append(line.text)
    builder.yaml(block)


__all__ = ["BAD", "KtapLog", "KtapResult", "Status", "counted", "parse"]
