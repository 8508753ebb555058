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
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from pathlib import Path

from harness.cache import digest
from harness.cases.case import Abi
from harness.errors import HostError, KernelError, UsageError
from harness.kernels.build import Built, Plan, Progress, build
from harness.kernels.patches import Patch, load_patches
from harness.locks import Lock
from harness.report.compare import new_splats
from harness.subrun import KernelRun, run_on
from harness.verdict.outcome import Outcome, Result


class Fate(StrEnum):
    """What became of a mutant."""

    KILLED = "noticed"
    SURVIVED = "survived"
    INVALID = "not judged"


class How(StrEnum):
    """What noticed it."""

    FAILURE = "failure"
    SPLAT = "splat"
    TIMEOUT = "timeout"
    LOST = "guest lost"
    BOOT = "does not boot"


HOW = {
    Outcome.FAIL: How.FAILURE,
    Outcome.XPASS: How.FAILURE,
    Outcome.CRASH: How.SPLAT,
    Outcome.TIMEOUT: How.TIMEOUT,
    Outcome.ERROR: How.LOST,
}


INCONCLUSIVE = "inconclusive"
"""A case that skips with this word could not be made certain, and says nothing of the kernel."""


@dataclass(frozen=True)
class Witness:
    """A case that noticed a mutant.

    Attributes:
        case: its node id without the kernel; empty for the boot.
        how: what it saw.
        message: in one line.
    """

    case: str
    how: How
    message: str


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
    say: Callable[[str], None] = print


def load_mutants(folder: Path) -> list[tuple[str, Patch]]:
    """The mutants of a folder, by name: every ``*.patch`` below it, one patch each.

    Raises:
        UsageError: there is none, or a file holds more than one patch.
    """
    files = sorted(folder.rglob("*.patch")) if folder.is_dir() else []
    if not files:
        raise UsageError(f"no mutants at {folder}", "give a folder with *.patch files")
    found = []
    for file in files:
        patches = load_patches(file)
        if len(patches) != 1:
            raise UsageError(f"{file} holds {len(patches)} patches", "one defect, one patch")
        name = file.relative_to(folder).with_suffix("").as_posix()
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
        return _mutate(base, mutants, options, progress)
    finally:
        lock.release()


def _mutate(
    base: Plan,
    mutants: Sequence[tuple[str, Patch]],
    options: MutateOptions,
    progress: Progress,
) -> list[Judged]:
    journal = options.folder / "mutants.jsonl"
    earlier = _read(journal)
    known = {judged.key: judged for judged in earlier}
    noticed = {judged.name: [w.case for w in judged.witnesses] for judged in earlier}
    keys = {name: _key(base.with_patches([patch]), options) for name, patch in mutants}
    todo = [(name, patch) for name, patch in mutants if keys[name] not in known]
    if todo:
        reference = _reference(base, options, progress)
    with ThreadPoolExecutor(max_workers=1) as builder:
        upcoming: Future[Built] | None = None
        for n, (name, patch) in enumerate(todo):
            plan = base.with_patches([patch])
            building = upcoming or builder.submit(_build, plan, options, progress)
            built = _wait(building)
            upcoming = None
            if n + 1 < len(todo):
                following = base.with_patches([todo[n + 1][1]])
                upcoming = builder.submit(_build, following, options, progress)
            about = Judged(*(name, patch.name, tuple(patch.paths()), Fate.INVALID), key=keys[name])
            order = _order(reference, noticed.get(name, ()), options)
            judged = _judge(about, built, reference, order, options)
            _append(journal, judged)
            known[judged.key] = judged
            options.say(line(judged))
            if isinstance(built, Built) and not options.keep:
                shutil.rmtree(built.folder, ignore_errors=True)
    return [known[keys[name]] for name, _ in mutants]


def line(judged: Judged) -> str:
    """One line for a person."""
    seen = judged.reason
    if judged.witnesses:
        first = judged.witnesses[0]
        more = f" and {len(judged.witnesses) - 1} more" if len(judged.witnesses) > 1 else ""
        seen = f"{first.how.value}, {first.case or first.message}{more}"
    return f"{judged.fate.value:10} {judged.name}: {judged.title}" + (f" ({seen})" if seen else "")


def _build(plan: Plan, options: MutateOptions, progress: Progress) -> Built:
    return build(plan, jobs=options.jobs, progress=progress)


def _wait(building: Future[Built]) -> Built | KernelError:
    try:
        return building.result()
    except KernelError as error:
        return error


def _reference(base: Plan, options: MutateOptions, progress: Progress) -> KernelRun:
    """The cases on the base: a suite that fails there notices nothing."""
    options.say(f"{base.name}: the cases without a defect")
    built = build(base, jobs=options.jobs, progress=progress)
    ran = _run(built.folder, "base", options, ())
    if ran.broken:
        raise KernelError(f"{base.name} cannot be judged by: {ran.broken}", detail=ran.detail)
    bad = [r for r in ran.results if not r.outcome.good]
    if bad and options.suites:
        left_out = _left_out(ran)
        if len(left_out) < sum(not r.parent for r in ran.results):
            for node in left_out:
                options.say(f"left out, it fails without a defect: {node}")
            return ran
    if bad:
        raise KernelError(
            f"{len(bad)} cases fail on {base.name} without a defect, such as {bad[0].case}",
            f"see {options.folder / 'base.log'}",
            bad[0].message,
        )
    return ran


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
    folder = options.folder / name.replace("/", "-")
    shutil.rmtree(folder, ignore_errors=True)
    suites = [f"--suite={spec}" for spec in options.suites]
    words = (*suites, *options.run_options, *more)
    return run_on(image, folder, options.cases if cases is None else cases, words)


def _judge(
    about: Judged,
    built: Built | KernelError,
    reference: KernelRun,
    cases: Sequence[str] | None,
    options: MutateOptions,
) -> Judged:
    if isinstance(built, KernelError):
        return replace(about, reason=built.what, detail=built.detail)
    try:
        more = () if options.all_cases else ("-x",)
        ran = _run(built.folder, about.name, options, more, cases)
        witnesses = _witnesses(ran, reference)
        if not witnesses and not options.suites:
            witnesses = _as_32_bit(about, built, reference, options)
    except HostError as error:
        return replace(about, reason=error.what, build_s=built.seconds)
    return replace(
        about,
        fate=Fate.KILLED if witnesses else Fate.SURVIVED,
        witnesses=tuple(witnesses),
        build_s=round(built.seconds, 1),
        run_s=round(sum(r.duration_s for r in ran.results), 1),
    )


def _as_32_bit(
    about: Judged, built: Built, reference: KernelRun, options: MutateOptions
) -> list[Witness]:
    """What nobody noticed may be in what only 32-bit programs run through.

    A case that fails so counts where it does not without the defect. It is skipped where compiler
    or kernel have no 32-bit programs.
    """
    abi = ("--abi", Abi.COMPAT32.value)
    more = abi if options.all_cases else (*abi, "-x")
    ran = _run(built.folder, f"{about.name}.32", options, more)
    bad = [r for r in ran.results if not r.outcome.good]
    if not bad:
        return []
    assert reference.image is not None
    base = _run(reference.image, "base.32", options, abi, [r.case for r in bad])
    good = {r.case for r in base.results if r.outcome.good}
    return [Witness(r.case, HOW[r.outcome], r.message) for r in bad if r.case in good]


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


def _witnesses(ran: KernelRun, reference: KernelRun) -> list[Witness]:
    if ran.broken:
        return [Witness("", How.BOOT, ran.broken)]
    splats = new_splats(reference.boot, ran.boot)
    found = [Witness("", How.SPLAT, f"while booting: {title}") for title in splats]
    before = {r.case: r for r in reference.results}
    return found + [w for r in ran.results if (w := _witness(r, before.get(r.case)))]


def _witness(result: Result, before: Result | None) -> Witness | None:
    """A case that fails; or one that says it cannot run here, where it could without the defect."""
    if not result.outcome.good:
        return Witness(result.case, HOW[result.outcome], result.message)
    skipped = result.outcome is Outcome.SKIP and not result.message.startswith(INCONCLUSIVE)
    if skipped and before and before.outcome is Outcome.PASS:
        return Witness(result.case, How.FAILURE, f"skipped here only: {result.message}")
    return None


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
    # A host that could not run the cases may be able to now.
    return [judged for judged in found if judged.fate is not Fate.INVALID]
