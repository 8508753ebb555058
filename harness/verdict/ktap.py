# SPDX-License-Identifier: GPL-2.0-only
"""Reads any KTAP or TAP log: a tree of results, and what is wrong with the log.

Source of the grammar: Documentation/dev-tools/ktap.rst of Linux 6.12 (KTAP 1), and the TAP 13 and
14 specifications. What is accepted beyond them, and why, is in docs/ktap.md. ``ktap_lines`` takes
prefixes off lines, ``ktap_rules`` says what a line is, ``ktap_yaml`` reads blocks of YAML, and
``ktap_tree`` puts the tree together.
"""

from harness.verdict.ktap_lines import LineStream
from harness.verdict.ktap_log import BAD, KtapLog, KtapResult, Status, counted
from harness.verdict.ktap_rules import Comment, ResultLine, parse_line, parse_unnumbered
from harness.verdict.ktap_tree import Builder
from harness.verdict.ktap_yaml import parse_block


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
        if (token is None or isinstance(token, Comment)) and "not ok" in line.text:
            failed = parse_unnumbered(line.text, lenient=lenient)
            token = failed if failed and builder.reads_tap(failed.column) else token
        if token is None:
            builder.other(line)
            continue
        builder.take(token, line)
        if isinstance(token, ResultLine):
            block = parse_block(lines, token.column, lenient=lenient)
            if block:
                builder.yaml(block.yaml)
                for other in block.others:
                    builder.other(other)
    if lines.cut:
        builder.problem(f"{lines.cut} lines were too long to be read whole")
    return builder.finish()


__all__ = ["BAD", "KtapLog", "KtapResult", "Status", "counted", "parse"]
