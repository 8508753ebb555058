# SPDX-License-Identifier: GPL-2.0-only
"""The catalogue: what each case checks, where that is promised, and since when."""

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

from rich.table import Table

from harness.cases.case import Case, Needs
from harness.cases.elf import Feature


def since(needs: Needs) -> str:
    """First kernel version of mainline that a case can run on: ``6.9``, or ``never``."""
    versions = [needs.kernel] if needs.kernel else []
    for _, version in needs.probes:
        if version is None:
            return "never"
        versions.append(version)
    return ".".join(map(str, max(versions))) if versions else ""


def wants(needs: Needs) -> str:
    """What else a case needs, in words."""
    words = [name for name, _ in needs.probes]
    words += needs.options
    words += ["root"] if needs.root else []
    words += [f"{needs.cpus} CPUs"] if needs.cpus > 1 else []
    words += [f"{needs.memory_mib} MiB"] if needs.memory_mib else []
    words += [f"a {needs.isolate} of its own"] if needs.isolate else []
    return ", ".join(words)


def table(cases: Sequence[Case]) -> Table:
    """For a terminal: one row a case."""
    shown = Table("case", "checks", "promised by", "since", "needs", "limit", box=None)
    for case in cases:
        limit = f"{case.timeout_s:g} s" if case.timeout_s else ""
        shown.add_row(
            *(case.node, case.description, case.promised, since(case.needs)),
            *(wants(case.needs), limit + (" (slow)" if case.slow else "")),
        )
    return shown


def markdown(cases: Sequence[Case], features: Sequence[Feature]) -> str:
    """The page that docs/cases.md is."""
    files = len({case.source for case in cases})
    out = ["# Cases", "", f"{len(cases)} cases in {files} files. Made by `make catalogue`.", ""]
    out += ["## Features", "", "Probed in the guest and checked against the kernel's version.", ""]
    out += ["| feature | in mainline since | by |", "|---|---|---|"]
    for feature in sorted(set(features), key=lambda f: f.name):
        version = ".".join(map(str, feature.since)) if feature.since else "never"
        out.append(f"| {feature.name} | {version} | {_cell(feature.source)} |")
    for source, group in groupby(cases, key=lambda case: case.source):
        out += ["", f"## {source.as_posix()}", "", _subject(source), ""]
        out += ["| case | checks | promised by | since | needs |", "|---|---|---|---|---|"]
        out += [_row(case) for case in group]
    return "\n".join(out) + "\n"


def _row(case: Case) -> str:
    cells = [case.name, case.description, case.promised, since(case.needs), wants(case.needs)]
    return "| " + " | ".join(_cell(cell) for cell in cells) + " |"


def _cell(text: str) -> str:
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("<", "\\<").replace("*", "\\*")


def _subject(source: Path) -> str:
    """The comment that a C file begins with, as one line."""
    text = source.read_text("utf-8", "replace") if source.is_file() else ""
    _, _, comment = text.partition("/*")
    lines = [line.strip().removeprefix("*").strip() for line in comment.split("*/")[0].splitlines()]
    first = "\n".join(lines).strip().split("\n\n")[0]
    return _cell(" ".join(first.split()))
