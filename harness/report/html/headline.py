# SPDX-License-Identifier: GPL-2.0-only
"""What a run comes to in one sentence, and what is missing from its record."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

from harness.report.facts import BAD, Missing, missing_of
from harness.report.stream import JournalIndex
from harness.verdict.outcome import Outcome

ABSENT = 20
"""Planned cases without a result that are named."""


@dataclass(frozen=True)
class Headline:
    """The verdict.

    Attributes:
        state: ``pass``, ``fail``, ``error``, ``incomplete`` or ``empty``; how it is shown.
        word: ``PASS``, ``FAIL`` ...
        sentence: the rest of it.
        missing: what the journal lacks, a sentence each; empty when it is whole.
    """

    state: str
    word: str
    sentence: str
    missing: tuple[str, ...]


def headline(index: JournalIndex) -> Headline:
    """The verdict over the last result of each case on each kernel.

    A record that is not whole is never called a pass.
    """
    missing = _sentences(index, missing_of(index))
    counts, total = index.total, len(index)
    bad = sum(counts[o] for o in BAD)
    if bad:
        only_errors = bad == counts[Outcome.ERROR]
        state = "error" if only_errors else "fail"
        where = _where([k for k in index.ran_on if any(index.counts[k][o] for o in BAD)])
        kinds = ", ".join(f"{counts[o]} {o.value}" for o in BAD if counts[o])
        verb = "could not be judged" if only_errors else "failed"
        so_far = " so far" if missing else ""
        flaky = f", {counts[Outcome.FLAKY]} flaky" if counts[Outcome.FLAKY] else ""
        return Headline(
            state,
            state.upper(),
            f"{bad} of {total} {verb} on {where}{so_far} ({kinds}){flaky}",
            missing,
        )
    if not total:
        return Headline("empty", "NO RESULT", "no case has a result", missing)
    where = _where(index.ran_on)
    kinds = ", ".join(f"{counts[o]} {o.value}" for o in Outcome if counts[o])
    if missing:
        return Headline(
            "incomplete", "INCOMPLETE", f"nothing failed so far on {where} ({kinds})", missing
        )
    if counts[Outcome.SKIP] == total:
        return Headline("empty", "NOTHING TESTED", f"all {total} were skipped on {where}", missing)
    return Headline("pass", "PASS", f"none of {total} failed on {where} ({kinds})", missing)


def _where(kernels: Sequence[str]) -> str:
    return kernels[0] if len(kernels) == 1 else f"{len(kernels)} kernels"


def _sentences(index: JournalIndex, missing: Missing) -> tuple[str, ...]:
    """What is missing, the first cases by name."""
    found = []
    if missing.absent:
        named = [f"{case} on {kernel}" for case, kernel in islice(index.unfinished(), ABSENT)]
        more = f" and {missing.absent - ABSENT} more" if missing.absent > ABSENT else ""
        found.append(f"{missing.absent} planned and without a result: {', '.join(named)}{more}.")
    return (*found, *(f"{words[:1].upper()}{words[1:]}." for words in missing.more))
