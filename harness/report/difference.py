# SPDX-License-Identifier: GPL-2.0-only
"""A comparison as people and programs read it: text, Markdown, JSON, JUnit."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from harness.outputs import write_whole
from harness.report.compare import WORSE, Change, Comparison, Difference, Judgement
from harness.report.journal import Journal
from harness.report.junit import junit_text
from harness.report.markup import escaped, fenced
from harness.verdict.outcome import Outcome, Result
from harness.verdict.text import clean, one_line

FORMAT = 1
FILES = ("difference.xml", "difference.md", "difference.json")
LISTED = 50
CONSOLE_LINES = 30
STYLES = {
    Judgement.NOT_WORSE: "bold green",
    Judgement.WORSE: "bold red",
    Judgement.UNJUDGED: "bold yellow",
}
OUTCOMES = {
    Change.BROKEN: Outcome.FAIL,
    Change.NEWLY_FAILING: Outcome.FAIL,
    Change.NEW_SPLAT: Outcome.CRASH,
    Change.UNJUDGED: Outcome.ERROR,
    Change.UNSTABLE: Outcome.ERROR,
    Change.STILL_FAILING: Outcome.XFAIL,
}
"""What a difference is in JUnit; the others are passes."""


@dataclass(frozen=True)
class Report:
    """What is reported: the whole, and with ``--each`` what every patch changed.

    Attributes:
        whole: from the base to the last patch.
        steps: name of each patch and what it changed, in order.
    """

    whole: Comparison
    steps: tuple[tuple[str, Comparison], ...] = ()

    @property
    def judgement(self) -> Judgement:
        """Worse when the whole or a single patch is."""
        all_ = [self.whole.judgement, *(c.judgement for _, c in self.steps)]
        if Judgement.WORSE in all_:
            return Judgement.WORSE
        return Judgement.UNJUDGED if Judgement.UNJUDGED in all_ else Judgement.NOT_WORSE

    def verdict(self) -> str:
        """One line."""
        counts = [
            f"{len(found)} {change.value}" for change in Change if (found := self.whole.of(change))
        ]
        counts.append(f"{self.whole.same} unchanged")
        name = {
            Judgement.NOT_WORSE: "NOT WORSE",
            Judgement.WORSE: "WORSE",
            Judgement.UNJUDGED: "NO JUDGEMENT",
        }[self.judgement]
        return f"{name}: {', '.join(counts)} ({self.whole.base} to {self.whole.head})"

    def culprits(self) -> list[tuple[str, Comparison]]:
        """The patches that made something worse."""
        return [(name, c) for name, c in self.steps if c.judgement is Judgement.WORSE]


def print_report(console: Console, report: Report) -> None:
    """Prints differences, worst first, and the verdict."""
    for name, comparison in report.steps:
        style = STYLES[comparison.judgement]
        judged = f"{comparison.judgement.words:12} "
        console.print(Text(judged, style=style).append(clean(name), style="default"))
    for change in Change:
        found = report.whole.of(change)
        if not found:
            continue
        console.print(Text(f"{change.value}: {len(found)}", style="bold"))
        for d in found[:LISTED]:
            console.print(Text(f"  {clean(d.title)}: {one_line(d.words)}".replace(" : ", " ")))
            if d.change in WORSE:
                for line in _evidence(d):
                    console.print(Text(f"    {line}", style="dim"))
        if len(found) > LISTED:
            console.print(f"  and {len(found) - LISTED} more")
    for name, comparison in report.culprits():
        first = comparison.differences[0]
        words = f"broken by: {clean(name)}: {clean(first.title)} {one_line(first.words)}"
        console.print(Text(words, style="bold red"))
    for words in report.whole.incomplete:
        console.print(Text(clean(words), style="yellow"))
    console.print(Text(report.verdict(), style=STYLES[report.judgement]))


def _evidence(d: Difference) -> list[str]:
    if d.head is None:
        return clean(d.detail).splitlines()
    lines = [f"at {clean(d.head.file)}:{d.head.line}"] if d.head.line else []
    lines += clean(d.head.detail).splitlines()
    if d.head.reproduce:
        lines.append(f"reproduce: {clean(d.head.reproduce)}")
    return lines


def write_reports(report: Report, folder: Path) -> list[Path]:
    """Writes ``difference.xml``, ``.md`` and ``.json``; returns their paths.

    Raises:
        HostError: they cannot be written.
    """
    texts = (
        *(difference_junit(report), markdown(report)),
        json.dumps(to_json(report), indent=1) + "\n",
    )
    for name, text in zip(FILES, texts, strict=True):
        write_whole(folder / name, [text])
    return [folder / name for name in FILES]


def to_json(report: Report) -> dict[str, Any]:
    """The report for programs; ``format`` changes when a field changes its meaning."""
    return {
        "format": FORMAT,
        "judgement": report.judgement.name.lower(),
        "exit_code": int(report.judgement),
        **_comparison_json(report.whole),
        "patches": [
            {"patch": name, "judgement": c.judgement.name.lower(), **_comparison_json(c)}
            for name, c in report.steps
        ],
    }


def _comparison_json(comparison: Comparison) -> dict[str, Any]:
    return {
        "base": comparison.base,
        "head": comparison.head,
        "same": comparison.same,
        "incomplete": list(comparison.incomplete),
        "differences": [
            {
                "change": d.change.name.lower(),
                "case": d.case,
                "kernel": known.kernel if (known := d.head or d.base) else "",
                "words": d.words,
                "base": d.base.outcome.value if d.base else None,
                "head": d.head.outcome.value if d.head else None,
                "base_s": d.base.duration_s if d.base else None,
                "head_s": d.head.duration_s if d.head else None,
                "file": d.head.file if d.head else "",
                "line": d.head.line if d.head else 0,
                "reproduce": d.head.reproduce if d.head else "",
                "detail": d.detail,
            }
            for d in comparison.differences
        ],
    }


def markdown(report: Report) -> str:
    """The report for a pull request."""
    out = [f"## {escaped(report.verdict())}", ""]
    for words in report.whole.incomplete:
        out += [escaped(words), ""]
    if report.steps:
        out += ["| patch | judgement | worst |", "|---|---|---|"]
        for name, c in report.steps:
            first = c.differences[0] if c.differences else None
            worst = f"{first.change.value}: {first.title}" if first else "nothing changed"
            out.append(f"| {escaped(name)} | {c.judgement.words} | {escaped(worst)} |")
        out.append("")
    for change in Change:
        found = report.whole.of(change)
        if not found:
            continue
        out += [f"### {change.value}: {len(found)}", "", "| case | what |", "|---|---|"]
        out += [f"| {escaped(d.title or '-')} | {escaped(d.words)} |" for d in found[:LISTED]]
        out += [f"| ... | {len(found) - LISTED} more |"] if len(found) > LISTED else []
        out.append("")
        for d in found[:LISTED]:
            if change in WORSE:
                out += _details(d)
    return "\n".join(out).rstrip() + "\n"


def _details(d: Difference) -> list[str]:
    text = _evidence(d)
    console = clean(d.head.console).splitlines() if d.head else []
    if console:
        text += ["console:", *console[-CONSOLE_LINES:]]
    summary = f"<summary>{escaped(d.title or d.change.value)}</summary>"
    return ["<details>", summary, "", *fenced("\n".join(text)), "", "</details>", ""]


def difference_junit(report: Report) -> str:
    """The report as JUnit: a suite for the whole, and one for each patch."""
    pairs = [(f"{report.whole.base} to {report.whole.head}", report.whole), *report.steps]
    results: list[Result] = []
    for number, (name, comparison) in enumerate(pairs):
        suite = one_line(name if number == 0 else f"{number}. {name}")
        results += [_as_result(d, suite) for d in comparison.differences]
        if comparison.same:
            passed = f"{comparison.same} cases without a difference"
            results.append(Result(passed, "unchanged", passed, suite, Outcome.PASS))
    return junit_text(Journal(results=results, ended=True))


def _as_result(d: Difference, suite: str) -> Result:
    known = d.head or d.base
    name = known.name if known else d.change.value
    return Result(
        case=d.title or f"{d.change.value}: {d.words}",
        classname=known.classname if known else "kernel",
        name=f"{name}[{d.kernel}]" if d.kernel else name,
        kernel=suite,
        outcome=OUTCOMES.get(d.change, Outcome.PASS),
        message=f"{d.change.value}: {d.words}",
        detail="\n".join(_evidence(d)),
        file=known.file if known else "",
        line=known.line if known else 0,
        duration_s=known.duration_s if known else 0.0,
        stdout=f"{d.change.value}: {d.words}",
        console=d.head.console if d.head else "",
        reproduce=d.head.reproduce if d.head else "",
    )
