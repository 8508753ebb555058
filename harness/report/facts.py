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


@dataclass(frozen=True)
class Missing:
    """What keeps a run from being called complete; false when nothing does.

    Attributes:
        absent: planned cases without a result, or without one of their subtests'.
        planned: how many were planned.
        more: a sentence for each other thing.
    """

    absent: int
    planned: int
    more: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.absent or self.more)

    def sentences(self) -> tuple[str, ...]:
        """A sentence for each thing."""
        words = f"{self.absent} of {self.planned} cases have no result"
        return (words, *self.more) if self.absent else self.more

    def in_brief(self) -> str:
        """A few words behind a count of results; empty when nothing is missing."""
        if self.absent:
            return f"{self.absent} of {self.planned} have no result"
        return next(iter(self.more), "")


def facts_of(index: JournalIndex) -> Facts:
    """What a report says of the journal."""
    found = index.total
    # A kernel is written twice when its accelerator was known only later: the last counts.
    kernels = {k.name: k for k in index.kernels}
    for name in index.ran_on:
        if name not in kernels:
            first = next(index.results(name))
            kernels[name] = KernelInfo(name, "", "", "", first.accel)
    missing = missing_of(index)
    return Facts(found, kernels, missing.sentences(), _verdict(found, complete=not missing))


def hunted(index: JournalIndex) -> bool:
    """Whether the run looked for flakes: then one is a failure."""
    options = index.run.options if index.run else {}
    return bool(options.get("until_fail") or options.get("for_time")) or (
        int(options.get("repeat") or 1) > 1
    )


def missing_of(index: JournalIndex) -> Missing:
    """What should be in the journal and is not; every report goes by it.

    A damaged line is no lack where the run came to its end with a result of all that was planned,
    as one that was taken up again does: see :func:`notes_of`.
    """
    absent = sum(1 for _ in index.unfinished())
    more = []
    if index.run is None:
        more.append("the journal does not say what run this was")
    if index.damaged and not _has_all(index, absent):
        more.append(_unreadable(index))
    if not index.ended:
        rest = ": cases that were planned may have no result here" if index.planned is None else ""
        more.append(f"the run did not come to its end{rest}")
    elif not absent and not len(index):
        more.append("no case ran")
    described = {k.name for k in index.kernels} | {HOST}
    unknown = sorted(set(index.ran_on) - described)
    more += [f"the journal does not describe the kernel {name}" for name in unknown]
    return Missing(absent, index.planned or 0, tuple(more))


def notes_of(index: JournalIndex) -> list[str]:
    """What a reader should know beside what is missing."""
    spare = index.damaged and _has_all(index, sum(1 for _ in index.unfinished()))
    words = f"{_unreadable(index)}; every case has a result"
    return [*index.notes, *([words] if spare else [])]


def _has_all(index: JournalIndex, absent: int) -> bool:
    return index.ended and index.planned is not None and not absent


def _unreadable(index: JournalIndex) -> str:
    lines = "1 line" if index.damaged == 1 else f"{index.damaged} lines"
    return f"{lines} of the journal could not be read"


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
