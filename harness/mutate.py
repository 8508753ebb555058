# SPDX-License-Identifier: GPL-2.0-only
"""Whether the cases notice defects: a kernel for each mutant, the cases on it, and what saw it.

A mutant is a patch with one defect. What a mutant came to is written down before the next is
begun, so that a run that was interrupted goes on where it stopped. The next mutant is built while
the cases run on this one.
"""

import json
import os
import shutil
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from functools import cached_property
from pathlib import Path

from harness.builder import Builder
from harness.cache import digest
from harness.cases.case import Abi
from harness.errors import HostError, KernelError, UsageError
from harness.kernels.build import Built, Plan, Progress, build_held
from harness.kernels.held import Held, remove_unheld
from harness.kernels.patches import Patch, load_patches
from harness.locks import Lock
from harness.subrun import KernelRun, run_on
from harness.verdict.outcome import Result
from harness.witness import How, Witness, in_doubt, witnesses

JOURNAL = "mutants.jsonl"
BASE = "base"
"""The run on the kernel without a defect."""
SCORES = ("score.json", "score.md", "score.xml")
"""What is made of the journal (:mod:`harness.report.mutants`)."""
COMPAT32 = ("--abi", Abi.COMPAT32.value)
"""What nobody noticed may be in what only 32-bit programs run through.

They are skipped where compiler or kernel have none."""


class Fate(StrEnum):
    """What became of a mutant."""

    KILLED = "noticed"
    SURVIVED = "survived"
    INVALID = "not judged"


@dataclass(frozen=True)
class Judged:
    """A mutant and what it came to.

    Attributes:
        name: of its file, without the suffix.
        title: the patch's subject.
        files: that it touches.
        fate: whether it was noticed.
        witnesses: what noticed it; the first one alone when the run stops at that.
        reason: why it could not be judged.
        detail: the evidence of that.
        build_s: seconds to build it.
        run_s: seconds that its cases took.
        key: of the kernel, the cases and the way it was judged.
    """

    name: str
    title: str
    files: tuple[str, ...]
    fate: Fate
    witnesses: tuple[Witness, ...] = ()
    reason: str = ""
    detail: str = ""
    build_s: float = 0.0
    run_s: float = 0.0
    key: str = ""


@dataclass(frozen=True)
class MutateOptions:
    """How mutants are judged.

    Attributes:
        folder: gets the journal and a run folder for each mutant.
        cases: paths or node ids; those of harness.toml when empty and without ``suites``.
        suites: suites of others; of these, what fails without a defect is left out.
        suite: digest of the cases: judged anew when it changes.
        all_cases: run every case on each mutant, instead of stopping at the first that notices.
        run_options: passed on to ``kharness run``.
        jobs: jobs of make; None for as many as CPUs.
        keep: keep the mutants' kernels in the cache.
        fresh: forget what was judged before.
        say: takes lines that a person should see.
    """

    folder: Path
    cases: tuple[str, ...] = ()
    suites: tuple[str, ...] = ()
    suite: str = ""
    all_cases: bool = False
    run_options: tuple[str, ...] = ()
    jobs: int | None = None
    keep: bool = False
    fresh: bool = False
    say: Callable[[str], None] = print


def load_mutants(folder: Path) -> list[tuple[str, Patch]]:
    """The mutants of a folder, by name: every ``*.patch`` below it, one patch each.

    Raises:
        UsageError: there is none, a file holds more than one patch, or two would have one folder.
    """
    files = sorted(folder.rglob("*.patch")) if folder.is_dir() else []
    if not files:
        raise UsageError(f"no mutants at {folder}", "give a folder with *.patch files")
    found, folders = [], set(_folders_of(BASE))
    for file in files:
        patches = load_patches(file)
        if len(patches) != 1:
            raise UsageError(f"{file} holds {len(patches)} patches", "one defect, one patch")
        name = file.relative_to(folder).with_suffix("").as_posix()
        own = set(_folders_of(name))
        if taken := folders & own:
            raise UsageError(f"{file}: the folder {min(taken)} is another run's", "rename it")
        folders |= own
        found.append((name, patches[0]))
    return found


def mutate(
    base: Plan,
    mutants: Sequence[tuple[str, Patch]],
    options: MutateOptions,
    progress: Progress,
) -> list[Judged]:
    """Judges mutants, in the order given; what an earlier call has judged is not done again.

    Args:
        base: the kernel without a defect; its cases must all pass.
        mutants: name and patch.
        options: how.
        progress: is told how far builds are.

    Raises:
        KernelError: the base does not build or boot, or cases fail on it.
        HostError: the host could not run the cases.
        UsageError: another call works in the folder.
    """
    lock = Lock(options.folder / "lock", shared=False)
    if not lock.acquire(wait=False):
        raise UsageError(
            f"another kharness mutate works in {options.folder}", "wait, or give another --out"
        )
    try:
        if options.fresh:
            _forget(options)
        return _mutate(base, mutants, options, progress)
    finally:
        lock.release()


def _mutate(
    base: Plan,
    mutants: Sequence[tuple[str, Patch]],
    options: MutateOptions,
    progress: Progress,
) -> list[Judged]:
    journal = options.folder / JOURNAL
    # A host that could not run the cases may be able to now.
    earlier = [judged for judged in _read(journal) if judged.fate is not Fate.INVALID]
    known = {judged.key: judged for judged in earlier}
    noticed = {judged.name: [w.case for w in judged.witnesses] for judged in earlier}
    keys = {name: _key(base.with_patches([patch]), options) for name, patch in mutants}
    todo = [(name, patch) for name, patch in mutants if keys[name] not in known]
    plans = [base.with_patches([patch]) for _, patch in todo]
    with ExitStack() as stack:
        if todo:
            built, held = build_held(base, jobs=options.jobs, progress=progress)
            stack.enter_context(held)
            reference = Reference(base.name, built.folder, options)
        builder = stack.enter_context(Builder(options.jobs, progress))
        for n, (name, patch) in enumerate(todo):
            if n == 0:
                builder.begin(plans[0])
            about = Judged(*(name, patch.name, tuple(patch.paths()), Fate.INVALID), key=keys[name])
            mutant = _taken(builder)
            if n + 1 < len(todo):
                builder.begin(plans[n + 1])
            if isinstance(mutant, KernelError):
                judged = replace(about, reason=mutant.what, detail=mutant.detail)
            else:
                built, held = mutant
                with held:
                    judged = _judge(about, built, reference, noticed.get(name, ()), options)
            _append(journal, judged)
            known[judged.key] = judged
            options.say(line(judged))
            if not isinstance(mutant, KernelError) and not options.keep:
                remove_unheld(built.folder)
    return [known[keys[name]] for name, _ in mutants]


def line(judged: Judged) -> str:
    """One line for a person."""
    seen = judged.reason
    if judged.witnesses:
        first = judged.witnesses[0]
        more = f" and {len(judged.witnesses) - 1} more" if len(judged.witnesses) > 1 else ""
        seen = f"{first.how.value}, {first.case or first.message}{more}"
    return f"{judged.fate.value:10} {judged.name}: {judged.title}" + (f" ({seen})" if seen else "")


def _taken(builder: Builder) -> tuple[Built, Held] | KernelError:
    try:
        return builder.take()
    except KernelError as error:
        return error


class Reference:
    """The cases on the kernel without a defect.

    Args:
        name: of the kernel.
        image: its folder.
        options: how mutants are judged.

    Raises:
        KernelError: it does not boot, or cases fail on it.
        HostError: the host could not run the cases.
    """

    def __init__(self, name: str, image: Path, options: MutateOptions) -> None:
        self._name = name
        self._image = image
        self._options = options
        options.say(f"{name}: the cases without a defect")
        self.native = self._run(BASE, ())
        bad = [r for r in self.native.results if not r.outcome.good]
        left_out = _left_out(self.native)
        programs = sum(not r.parent for r in self.native.results)
        if bad and not (options.suites and len(left_out) < programs):
            raise KernelError(
                f"{len(bad)} cases fail on {name} without a defect, such as {bad[0].case}",
                f"see {options.folder / f'{BASE}.log'}",
                bad[0].message,
            )
        self._say_left_out(self.native)

    @cached_property
    def compat32(self) -> KernelRun:
        """The same for 32-bit programs: run once, when the first mutant needs it.

        Raises:
            KernelError: it does not boot.
            HostError: the host could not run the cases.
        """
        ran = self._run(_folders_of(BASE)[1], COMPAT32)
        self._say_left_out(ran)
        return ran

    def _run(self, folder: str, more: Sequence[str]) -> KernelRun:
        ran = _run(self._image, folder, self._options, more)
        if ran.broken:
            raise KernelError(f"{self._name} cannot be judged by: {ran.broken}", detail=ran.detail)
        return ran

    def _say_left_out(self, ran: KernelRun) -> None:
        for node in _left_out(ran):
            self._options.say(f"left out, it fails without a defect: {node}")


def _left_out(reference: KernelRun) -> list[str]:
    """Programs that fail without a defect, themselves or a subtest of theirs."""
    bad = [r.parent or r.case for r in reference.results if not r.outcome.good]
    return list(dict.fromkeys(bad))


def _run(
    image: Path,
    name: str,
    options: MutateOptions,
    more: Sequence[str],
    cases: Sequence[str] | None = None,
) -> KernelRun:
    folder = options.folder / _folder_name(name)
    shutil.rmtree(folder, ignore_errors=True)
    suites = [f"--suite={spec}" for spec in options.suites]
    words = (*suites, *options.run_options, *more)
    return run_on(image, folder, options.cases if cases is None else cases, words)


def _folder_name(name: str) -> str:
    return name.replace("/", "-")


def _folders_of(name: str) -> tuple[str, str]:
    """Of the runs of a mutant: of the programs as they are, and of those for 32 bits."""
    folder = _folder_name(name)
    return folder, f"{folder}.32"


def _judge(
    about: Judged,
    built: Built,
    reference: Reference,
    noticed: Sequence[str],
    options: MutateOptions,
) -> Judged:
    look = _Look(built.folder, about.name, noticed, options)
    about = replace(about, build_s=round(built.seconds, 1))
    try:
        look.at("", reference.native, ())
        if not look.seen and not options.suites:
            look.at(".32", reference.compat32, COMPAT32)
    except (HostError, KernelError) as error:
        return replace(about, reason=error.what)
    about = replace(about, witnesses=tuple(look.seen), run_s=round(look.run_s, 1))
    if look.doubt and not look.seen:
        return replace(
            about, reason=f"{look.doubt.case}: {look.doubt.message}", detail=look.doubt.detail
        )
    return replace(about, fate=Fate.KILLED if look.seen else Fate.SURVIVED)


@dataclass
class _Look:
    """Runs cases on a mutant, and keeps what noticed it.

    Attributes:
        image: the mutant's kernel.
        name: of the mutant.
        noticed: cases that noticed it before.
        options: how mutants are judged.
        seen: what noticed it.
        doubt: a case that the host kept from telling.
        run_s: seconds that cases took.
    """

    image: Path
    name: str
    noticed: Sequence[str]
    options: MutateOptions
    seen: list[Witness] = field(default_factory=list)
    doubt: Result | None = None
    run_s: float = 0.0

    def at(self, suffix: str, reference: KernelRun, more: Sequence[str]) -> None:
        """Runs what passes without the defect.

        Args:
            suffix: of the run folder's name.
            reference: the same without the defect.
            more: options of the run.
        """
        cases = _order(reference, self.noticed, self.options)
        if cases is not None and not cases:
            return
        # An error ends a run as well, and who notices may come behind it.
        for ending in [()] if self.options.all_cases else [("-x",), ()]:
            folder = f"{self.name}{suffix}"
            ran = _run(self.image, folder, self.options, (*more, *ending), cases)
            self.run_s += sum(r.duration_s for r in ran.results)
            self.seen += witnesses(ran, reference)
            error = in_doubt(ran)
            if self.seen or not error:
                return
        self.doubt = self.doubt or error


def _order(
    reference: KernelRun, noticed: Sequence[str], options: MutateOptions
) -> list[str] | None:
    """What is run on a mutant: all that was asked for, but for what fails without a defect.

    Where the first case to notice ends it, those go first that noticed this mutant before, then
    those that take the least time.
    """
    left_out = _left_out(reference)
    if options.all_cases and not left_out:
        return None
    ran = [r for r in reference.results if not r.parent and r.case not in left_out]
    if not options.all_cases:
        ran.sort(key=lambda r: (not any(n.startswith(r.case) for n in noticed), r.duration_s))
    return [r.case for r in ran]


def _key(plan: Plan, options: MutateOptions) -> str:
    how = "all" if options.all_cases else "first"
    what = (*options.cases, *options.suites, *options.run_options)
    return digest(plan.key, options.suite, how, *what)[:32]


def _append(journal: Path, judged: Judged) -> None:
    try:
        with journal.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(asdict(judged)) + "\n")
            stream.flush()
            os.fsync(stream.fileno())
    except OSError as error:
        raise HostError(f"cannot write {journal}: {error.strerror}", "make room there") from error


def _read(journal: Path) -> list[Judged]:
    """What was judged; a line that a power cut left half written is nothing."""
    if not journal.is_file():
        return []
    found = []
    for text in journal.read_text("utf-8", "replace").splitlines():
        try:
            raw = json.loads(text)
            raw["fate"] = Fate(raw["fate"])
            raw["files"] = tuple(raw["files"])
            raw["witnesses"] = tuple(
                Witness(w["case"], How(w["how"]), w["message"]) for w in raw["witnesses"]
            )
            found.append(Judged(**raw))
        except (ValueError, KeyError, TypeError):
            continue
    return found


def _forget(options: MutateOptions) -> None:
    """Removes what earlier calls left in the folder, and nothing that they did not make."""
    for name in (BASE, *(judged.name for judged in _read(options.folder / JOURNAL))):
        for folder in _folders_of(name):
            shutil.rmtree(options.folder / folder, ignore_errors=True)
            (options.folder / f"{folder}.log").unlink(missing_ok=True)
    for name in (JOURNAL, *SCORES):
        (options.folder / name).unlink(missing_ok=True)
