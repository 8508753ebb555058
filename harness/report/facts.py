# SPDX-License-Identifier: GPL-2.0-only
"""What every report says of a run: how many of what, what it comes to, and what is missing."""

from collections import Counter
from dataclasses import dataclass

from harness.report.journal import KernelInfo
from harness.report.stream import JournalIndex
from harness.verdict.outcome import HOST, Attempt, Outcome, Result
from harness.verdict.splat import Severity
from harness.verdict.text import clean

BAD = tuple(outcome for outcome in Outcome if not outcome.good)
CONSOLE_LINES = 30


@dataclass(frozen=True)
class Facts:
    """What every report says of a run.

    Attributes:
        found: how many results there are of each outcome.
        kernels: those that cases ran on, by name; a kernel whose line is missing has its name only.
        missing: a sentence for each thing that should be in the journal and is not.
        verdict: ``PASS``, ``FAIL``, ``ERROR`` or ``INCOMPLETE``.
    """

    found: Counter[Outcome]
    kernels: dict[str, KernelInfo]
    missing: tuple[str, ...]
    verdict: str

    def summary(self) -> str:
        """One line: the verdict and the counts."""
        return f"{self.verdict}: {counts(self.found)}"


def facts_of(index: JournalIndex) -> Facts:
    """What a report says of the journal."""
    found = index.total
    # A kernel is written twice when its accelerator was known only later: the last counts.
    kernels = {k.name: k for k in index.kernels}
    for name in index.ran_on:
        if name not in kernels:
            first = next(index.results(name))
            kernels[name] = KernelInfo(name, "", "", "", first.accel)
    missing = tuple(_missing(index))
    return Facts(found, kernels, missing, _verdict(found, complete=not missing))


def lacks(index: JournalIndex) -> str:
    """What keeps a run from being called complete, in a few words; empty when nothing does.

    A damaged line of a run that was taken up again, and has every result now, does not.
    """
    absent = sum(1 for _ in index.unfinished())
    if absent:
        return f"{absent} of {index.planned} have no result"
    if index.ended and index.planned is not None:
        return ""
    return next(iter(_missing(index)), "")


def unreadable(index: JournalIndex) -> str:
    """How much of the journal could not be read; empty when all could."""
    if not index.damaged:
        return ""
    lines = "1 line" if index.damaged == 1 else f"{index.damaged} lines"
    return f"{lines} of the journal could not be read"


def unknown_kernels(index: JournalIndex) -> list[str]:
    """Kernels that results are of, and that the journal does not describe."""
    return sorted(set(index.ran_on) - {k.name for k in index.kernels} - {HOST})


def _missing(index: JournalIndex) -> list[str]:
    said = []
    if index.run is None:
        said.append("the journal does not say what run it is of")
    said += filter(None, [unreadable(index)])
    if not index.ended:
        said.append("the run did not come to its end: cases are missing")
    elif not len(index):
        said.append("no case ran")
    said += [f"nothing is known of the kernel {name}" for name in unknown_kernels(index)]
    return said


def _verdict(found: Counter[Outcome], *, complete: bool) -> str:
    if any(found[outcome] for outcome in BAD if outcome is not Outcome.ERROR):
        return "FAIL"
    if found[Outcome.ERROR]:
        return "ERROR"
    return "PASS" if complete else "INCOMPLETE"


def counts(found: Counter[Outcome]) -> str:
    """``24 pass, 1 skip``, in the order of :class:`Outcome`."""
    return ", ".join(f"{found[o]} {o.value}" for o in Outcome if found[o]) or "no case"


def milliseconds(seconds: float) -> int:
    """A time as an integer; what somebody wrote into a journal may be too much for one: 0."""
    try:
        return round(seconds * 1000)
    except OverflowError:
        return 0


def title(r: Result) -> str:
    """A case and its kernel, as in a node id."""
    return f"{r.case}[{r.kernel}]"


def splat_titles(r: Result) -> list[str]:
    """What the kernel reported, without repetition; what was expected says so."""
    titles = [
        f"{s.title} (expected: {s.expected})" if s.expected else s.title
        for s in r.splats
        if s.severity is not Severity.INFO
    ]
    return list(dict.fromkeys(titles))


def try_name(r: Result, a: Attempt) -> str:
    """``try 2 of 3``; of a journal that does not number its tries ``another try``."""
    return f"try {a.number}{_of_all(r)}" if a.number else "another try"


def own_try(r: Result) -> str:
    """Which try it is that is told in full: ``this is try 1 of 3``; empty when it is not known."""
    number = r.extra.get("try", "")
    if not number:
        return ""
    passed = "it passed in" if r.outcome is Outcome.FLAKY else "this is"
    return f"{passed} try {number}{_of_all(r)}"


def _of_all(r: Result) -> str:
    return f" of {r.extra['tries']}" if "tries" in r.extra else ""


def evidence(r: Result, lines: int = CONSOLE_LINES) -> str:
    """All that helps to understand a result, as text of many lines; cleaned.

    Args:
        r: the result.
        lines: so many of the console's last lines, and of each further piece of evidence.
    """
    parts = [f"at {r.file}:{r.line}"] if r.file and r.line > 0 else []
    parts += [r.detail] if r.detail.strip() else []
    parts += [f"kernel: {words}" for words in splat_titles(r)]
    parts += [own_try(r)] if r.attempts and own_try(r) else []
    for a in r.attempts:
        words = f"{try_name(r, a)}: {a.outcome.value}"
        parts.append(f"{words}: {a.message}" if a.message else words)
        parts += [f"  console file: {a.console_file}"] if a.console_file else []
    for name, text in r.evidence.items():
        parts += [f"{name}:", _tail(text, lines)]
    if r.console.strip():
        parts += ["console:", _tail(r.console, lines)]
    parts += [f"{name}: {path}" for name, path in r.files.items()]
    parts += [f"console file: {r.console_file}"] if r.console_file else []
    parts += [f"reproduce: {r.reproduce}"] if r.reproduce else []
    return clean("\n".join(part.rstrip() for part in parts))


def _tail(text: str, lines: int) -> str:
    found = [line for line in clean(text).splitlines() if line.strip()]
    if len(found) <= lines:
        return "\n".join(found)
    return "\n".join([f"[{len(found) - lines} lines left out]", *found[-lines:]])
