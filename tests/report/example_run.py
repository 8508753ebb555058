# SPDX-License-Identifier: GPL-2.0-only
"""Journals of made-up runs, with every outcome and everything that a result can have."""

from dataclasses import replace
from pathlib import Path

from harness.report.journal import NAME, Journal, JournalWriter, KernelInfo, RunInfo
from harness.verdict.outcome import Attempt, Outcome, Result
from harness.verdict.splat import Severity, Splat

KERNELS = [
    KernelInfo("debian-6.12", "debian:6.12", "6.12.1-cloud-amd64", "x86_64", "tcg", "no KVM"),
    KernelInfo("debian-6.1", "debian:6.1", "6.1.2-cloud-amd64", "x86_64", "tcg"),
]
CONSOLE = "\n".join(
    [
        *(f"[    1.{n:06}] line {n}" for n in range(1, 31)),
        "[    2.000000] BUG: KASAN: slab-use-after-free in pidfd_poll+0x5c/0x90",
        "[    2.000001] Call Trace:",
        "[    2.000002]  pidfd_poll+0x5c/0x90",
        "[    2.000003] Disabling lock debugging due to kernel taint",
    ]
)
SPLAT = Splat(
    kind="kasan",
    title="KASAN: slab-use-after-free in pidfd_poll",
    severity=Severity.BUG,
    first=31,
    last=33,
    trace=("pidfd_poll", "do_sys_poll"),
    taint="B",
    decoded=("pidfd_poll  fs/pidfs.c:142", "do_sys_poll  fs/select.c:1010"),
)
DETAIL = """FAIL open.c:11: EXPECT_ERRNO(close(-1), EINVAL)
  expected: -1 EINVAL (Invalid argument)
  got: -1 EBADF (Bad file descriptor)"""


def result(number: int, outcome: Outcome, kernel: str = "debian-6.12", **fields: object) -> Result:
    """One result; ``fields`` replace what it has by itself."""
    name = f"{outcome.value}_{number}"
    made = Result(
        case=f"cases/pidfd/area{number % 3}.c::{name}",
        classname=f"pidfd.area{number % 3}",
        name=name,
        kernel=kernel,
        outcome=outcome,
        message="" if outcome is Outcome.PASS else f"why it is {outcome.value}",
        file=f"cases/pidfd/area{number % 3}.c",
        line=10 + number,
        started=f"2026-01-01T00:{number // 60 % 60:02}:{number % 60:02}.000+00:00",
        duration_s=0.1 + number % 7 / 100,
        stdout=f"KTAP version 1\n1..1\nok 1 {name}\n",
        console_file=f"consoles/{kernel}/pidfd.{name}.log",
        isolation="fork",
        accel="tcg",
        reproduce=f"kharness run --kernel debian:6.12 'cases/pidfd/area{number % 3}.c::{name}'",
        worker=f"gw{number % 2}",
    )
    if outcome is Outcome.CRASH:
        made = replace(
            made,
            console=CONSOLE,
            splats=(SPLAT,),
            evidence={"blocked tasks": "task:open state:D"},
            files={"dump": "dumps/open.elf"},
        )
    if outcome in (Outcome.FAIL, Outcome.FLAKY):
        made = replace(made, detail=DETAIL, message="expected -1 EINVAL, got -1 EBADF")
    if outcome is Outcome.FLAKY:
        first = Attempt(Outcome.FAIL, "first try", DETAIL, worker="gw1", number=1)
        tries = {"tries": "2", "failed": "1", "try": "2"}
        made = replace(made, attempts=(first,), extra=tries)
    return replace(made, **fields)  # type: ignore[arg-type]


def run(day: int = 20, **fields: object) -> RunInfo:
    """A run that started on that day of January."""
    info = RunInfo(f"run-{day}", f"2026-01-{day:02}T00:00:00+00:00", "kharness run", "0.1", "7.2")
    return replace(info, **fields)  # type: ignore[arg-type]


def journal(passes: int = 20, *, day: int = 20, ended: bool = True) -> Journal:
    """A run with each outcome once and some passes, on two kernels."""
    others = [o for o in Outcome if o is not Outcome.PASS]
    results = [result(n, o) for n, o in enumerate(others)]
    for kernel in KERNELS:
        results += [result(100 + n, Outcome.PASS, kernel.name) for n in range(passes)]
    return Journal(run(day), list(KERNELS), results, ended=ended)


def passing(count: int = 20, *, day: int = 20) -> Journal:
    """A run in which nothing failed."""
    results = [result(n, Outcome.PASS) for n in range(count)]
    return Journal(run(day), KERNELS[:1], results, ended=True)


def large(count: int = 20_000) -> Journal:
    """A run of so many results, one in a hundred a failure."""
    results = []
    for n in range(count):
        kernel = KERNELS[n % 2].name
        outcome = Outcome.FAIL if n % 100 == 7 else Outcome.PASS
        made = result(n // 2, outcome, kernel)
        file = f"cases/big/area{n // 400:03}.c"
        results.append(replace(made, case=f"{file}::{made.name}", duration_s=n % 50 / 100))
    return Journal(run(), list(KERNELS), results, ended=True)


def hostile(words: str) -> Journal:
    """A run in which ``words`` stand in every text of a result, the run and the kernels."""
    splat = Splat(words, words, Severity.BUG, 1, 1, (words,), (words,), words, words, (words,))
    attempt = Attempt(Outcome.FAIL, words, words, words, 0.1, words, words, words)
    texts = dict.fromkeys(
        (
            *("case", "classname", "name", "message", "detail", "file", "started", "stdout"),
            *("stderr", "console", "console_file", "isolation", "accel", "reproduce", "worker"),
            "parent",
        ),
        words,
    )
    results = [
        Result(
            kernel=words,
            outcome=outcome,
            splats=(splat,),
            attempts=(attempt,),
            evidence={words: words},
            files={words: words},
            extra={words: words},
            **{**texts, "case": f"{n}{words}"},  # type: ignore[arg-type]
        )
        for n, outcome in enumerate(Outcome)
    ]
    info = RunInfo(words, "2026-01-01T00:00:00+00:00", words, words, words)
    kernel = KernelInfo(words, words, words, words, words, words)
    return Journal(info, [kernel], results, ended=True)


def write_run(folder: Path, journal: Journal, *, exist_ok: bool = False) -> Path:
    """Writes a run folder with a journal in it; gives the folder."""
    folder.mkdir(parents=True, exist_ok=exist_ok)
    with JournalWriter(folder / NAME, durable=False) as writer:
        if journal.run:
            writer.run(journal.run)
        if journal.plan:
            writer.plan(journal.plan)
        for kernel in journal.kernels:
            writer.kernel(kernel)
        for r in journal.results:
            writer.result(r)
        if journal.ended:
            writer.end(0)
    return folder
