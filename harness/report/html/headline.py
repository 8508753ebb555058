# SPDX-License-Identifier: GPL-2.0-only
"""What a run comes to in one sentence, and what is missing from its record."""

from collections.abc import Sequence
from dataclasses import dataclass

from harness.report.facts import unknown_kernels, unreadable
from harness.report.stream import JournalIndex
from harness.verdict.outcome import Outcome

ABSENT = 20
"""Planned cases without a result that are named."""
BAD = tuple(o for o in Outcome if not o.good)


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
    missing = _missing(index)
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


def _missing(index: JournalIndex) -> tuple[str, ...]:
    found = []
    absent = 0
    named = []
    for case, kernel in index.unfinished():
        absent += 1
        if absent <= ABSENT:
            named.append(f"{case} on {kernel}")
    if absent:
        more = f" and {absent - ABSENT} more" if absent > ABSENT else ""
        found.append(f"{absent} planned and without a result: {', '.join(named)}{more}.")
    if index.run is None:
        found.append("The journal does not say what run this was.")
    if not index.ended:
        rest = "" if absent else ": cases that were planned may have no result here"
        found.append(f"The run did not come to its end{rest}.")
    if index.damaged:
        found.append(f"{unreadable(index)}.")
    found += [
        f"The journal does not describe the kernel {name}." for name in unknown_kernels(index)
    ]
    return tuple(found)
