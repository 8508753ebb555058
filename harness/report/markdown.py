# SPDX-License-Identifier: GPL-2.0-only
"""A run as Markdown: for a comment on a pull request, and for GITHUB_STEP_SUMMARY.

A comment on GitHub has 65,536 characters at most, a step's summary 1 MiB (GitHub's documentation,
"Workflow commands", "Adding a job summary"). What does not fit is left out and counted.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain

from harness.report.facts import BAD, Facts, counts, evidence, facts_of, title
from harness.report.journal import KernelInfo
from harness.report.markup import code, escaped, fenced
from harness.report.stream import JournalIndex
from harness.verdict.outcome import Outcome, Result

COMMENT_LIMIT = 65_536
FLAKY = (Outcome.FLAKY,)
TAIL = 600
"""Room that is kept for the lines that say what was left out."""
BLOCK_LIMIT = 6_000
"""Characters of evidence of one case, so that a talkative one does not push out the others."""


class _Page:
    """Blocks of text up to a limit; what does not fit is not taken."""

    def __init__(self, limit: int) -> None:
        self._left = limit - TAIL
        self.blocks: list[str] = []

    def add(self, lines: Sequence[str]) -> bool:
        """Takes a block, whole or not at all."""
        block = "\n".join(lines)
        size = len(block.encode()) + 2
        if size > self._left:
            return False
        self._left -= size
        self.blocks.append(block)
        return True

    def need(self, lines: Sequence[str], instead: str) -> None:
        """Takes a block, or a short line that stands for it."""
        if not self.add(lines):
            self.blocks.append(instead)

    def table(
        self,
        heading: str,
        head: Sequence[str],
        rows: Iterable[str],
        count: int,
        share: float = 1.0,
    ) -> None:
        """A table under a heading, with as many of its ``count`` rows as fit.

        Args:
            heading: stays also where not even the head fits.
            head: names of the columns.
            rows: made only as far as they fit.
            count: how many there are.
            share: of the room that is left, so that what comes behind has some.
        """
        lines = [heading, "", f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
        room = int(self._left * share) - 200 - sum(len(line.encode()) + 1 for line in lines)
        for number, row in enumerate(rows):
            room -= len(row.encode()) + 1
            if room < 0:
                lines += ["", f"and {count - number} more"]
                break
            lines.append(row)
        self.need(lines, f"{heading}\n\nand {count} more")


def markdown(index: JournalIndex, limit: int = COMMENT_LIMIT) -> str:
    """The run for people who look at a pull request.

    Args:
        index: of the run's journal.
        limit: bytes of UTF-8, and so characters, that it may have.
    """
    facts = facts_of(index)
    page = _Page(limit)
    page.add([f"## kharness: {escaped(facts.summary())}"])
    for number, words in enumerate(facts.missing):
        if not page.add([f"**Incomplete:** {escaped(words)}"]):
            page.blocks.append(f"**Incomplete:** and {len(facts.missing) - number} more")
            break
    if len(index):
        names = index.ran_on
        classes = index.by_class()
        cells = (_counts(classname, found, names) for classname, found in classes.items())
        page.table("### Cases", ["cases", *map(code, names)], cells, len(classes))
    bad = index.count(outcomes=BAD)
    if bad:
        head = ("case", "kernel", "outcome", "what")
        failed = map(_row, index.results(outcomes=BAD))
        page.table(f"### Not as expected: {bad}", head, failed, bad)
    flaky = index.count(outcomes=FLAKY)
    if flaky:
        head = ("case", "kernel", "attempts", "what")
        tried = map(_flaky_row, index.results(outcomes=FLAKY))
        page.table(f"### Flaky: {flaky}", head, tried, flaky)
    skips = Counter((r.kernel, r.message) for r in index.results(outcomes=(Outcome.SKIP,)))
    if skips:
        whys = (f"| {code(k)} | {count} | {code(why)} |" for (k, why), count in skips.items())
        page.table("### Skipped", ("kernel", "cases", "why"), whys, len(skips))
    _add_where(page, index, facts)
    _add_evidence(
        page, chain(index.results(outcomes=BAD), index.results(outcomes=FLAKY)), bad + flaky
    )
    return "\n\n".join(page.blocks) + "\n"


def _counts(classname: str, found: Mapping[str, Counter[Outcome]], kernels: Sequence[str]) -> str:
    words = [counts(found[name]) if name in found else "" for name in kernels]
    return f"| {' | '.join([code(classname), *words])} |"


def _row(r: Result) -> str:
    cells = [code(r.case), code(r.kernel), r.outcome.value, code(r.message)]
    return f"| {' | '.join(cells)} |"


def _flaky_row(r: Result) -> str:
    tries = ", ".join(a.outcome.value for a in r.attempts)
    what = r.message or next((a.message for a in r.attempts if a.message), "")
    return f"| {' | '.join([code(r.case), code(r.kernel), tries, code(what)])} |"


def _add_where(page: _Page, index: JournalIndex, facts: Facts) -> None:
    head = ("kernel", "spec", "release", "arch", "accelerator")
    kernels = facts.kernels.values()
    page.table("### Where", head, map(_kernel_row, kernels), len(kernels), share=0.5)
    if index.run:
        run = index.run
        known = {"started": run.started, "kharness": run.kharness, "QEMU": run.qemu}
        words = ", ".join([run.id, *(f"{key} {said}" for key, said in known.items() if said)])
        lines = [f"Run {code(words)}", "", f"Command {code(run.command)}"]
        page.need(lines, "What run it is of is in the run folder.")


def _kernel_row(k: KernelInfo) -> str:
    accel = f"{k.accel}: {k.accel_reason}" if k.accel_reason else k.accel
    cells = map(code, (k.name, k.spec, k.release, k.arch, accel))
    return f"| {' | '.join(cells)} |"


def _add_evidence(page: _Page, results: Iterable[Result], count: int) -> None:
    for number, r in enumerate(results):
        text = evidence(r)
        if not text.strip():
            continue
        if len(text) > BLOCK_LIMIT:
            text = f"{text[:BLOCK_LIMIT]}\n[{len(text) - BLOCK_LIMIT} characters left out]"
        summary = f"<summary>{r.outcome.value}: {code(title(r))}</summary>"
        if not page.add(["<details>", summary, "", *fenced(text), "", "</details>"]):
            page.blocks.append(f"Evidence of {count - number} more is in the run folder.")
            return
