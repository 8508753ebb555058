# SPDX-License-Identifier: GPL-2.0-only
"""The matrix of faults: everybody who can be killed, at every stage of a run.

Each cell is a run of six cases whose outcomes are known. At its stage somebody is killed or
interrupted; what has no result then is run by ``kharness resume``; and then every case must have
exactly one result, the right one, in the journal and in junit.xml, and nothing may be left over.
"""

import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import astuple, dataclass, field
from enum import StrEnum
from itertools import product
from pathlib import Path

import pytest
from junitparser import Error as JUnitError
from junitparser import Failure, JUnitXml, Skipped

from harness.cache import cache_root
from harness.host import cpu_count
from harness.report.journal import Journal, read_journal
from harness.verdict.outcome import Outcome, Result
from harness.vm.shelf import roots
from scripts.faults import Process, descendants, judge
from tests.faults.injection import PROPERTY, Figures, leftovers, processes_with, stopped
from tests.judging import COMMAND, kharness, make_project, own_cache

pytestmark = [pytest.mark.guest, pytest.mark.long]

CASES = """
TEST(a_pass) { EXPECT_EQ(1, 1); }
TEST(b_fail) { EXPECT_EQ(1, 2); }
TEST(c_slow)
{
	int fd = ASSERT_OK(open("/dev/kmsg", O_WRONLY));

	EXPECT_OK(write(fd, "<1>in the middle of the case\\n", 29));
	EXPECT_OK(usleep(1200000));
}
TEST(d_crash) { ASSERT_OK(write(ASSERT_OK(open("/proc/sysrq-trigger", O_WRONLY)), "c", 1)); }
TEST(e_skip) { SKIP("it is to be skipped"); }
TEST(f_pass) { EXPECT_EQ(1, 1); }
"""
EXPECTED = {
    "a_pass": Outcome.PASS,
    "b_fail": Outcome.FAIL,
    "c_slow": Outcome.PASS,
    "d_crash": Outcome.CRASH,
    "e_skip": Outcome.SKIP,
    "f_pass": Outcome.PASS,
}
FIRST, SLOW = "a_pass", "c_slow"
MARK = b"in the middle of the case"
COMPILER = """#!/bin/sh
# Says that it is there, and compiles when it is told to.
for word; do test "$word" = /dev/null && exec gcc "$@"; done
echo >>{here}/compiling
read go <{here}/go
exec gcc "$@"
"""
LIMIT_S = 120
"""No run takes so long; one that does hangs."""
GOES_S = 10
"""What a killed controller leaves running must be gone after so long."""
TRIES = 5
"""A stage that was over before its fault could be injected is tried again in a new run."""


class Victim(StrEnum):
    """Who is killed, or interrupted."""

    CONTROLLER = "controller-kill"
    TERM = "controller-term"
    ONCE = "ctrl-c"
    TWICE = "ctrl-c-twice"
    GUEST = "guest-kill"
    BOTH_GUESTS = "guest-kill-twice"
    HANGS = "guest-hangs"
    WORKER = "worker-kill"


class Stage(StrEnum):
    """Where a run is meanwhile."""

    COMPILING = "compiling"
    BOOTING = "template-boots"
    SAVING = "template-is-saved"
    BETWEEN = "between-cases"
    CASE = "in-a-case"
    REPORT = "report-is-written"
    RESUME = "in-a-resume"


GUESTS = (Victim.GUEST, Victim.BOTH_GUESTS, Victim.HANGS)
INTERRUPTED = (Victim.TERM, Victim.ONCE, Victim.TWICE)
IMPOSSIBLE = (
    (GUESTS, (Stage.COMPILING, Stage.REPORT), "no guest lives then"),
    ((Victim.BOTH_GUESTS,), (Stage.BETWEEN,), "a guest without a case costs no case a try"),
    ((Victim.WORKER,), (Stage.REPORT,), "the controller writes reports when workers are gone"),
    ((Victim.WORKER,), (Stage.RESUME,), "a resumed run has no xdist workers"),
)
"""Who cannot be killed when, and why."""


@dataclass(frozen=True)
class Cell:
    """One fault at one stage."""

    victim: Victim
    stage: Stage

    @property
    def impossible(self) -> str:
        """Why there is no such thing; empty when there is."""
        for victims, stages, reason in IMPOSSIBLE:
            if self.victim in victims and self.stage in stages:
                return reason
        return ""

    def __str__(self) -> str:
        return f"{self.victim.value}-{self.stage.value}"


MATRIX = [cell for pair in product(Victim, Stage) if not (cell := Cell(*pair)).impossible]


class StageMissedError(Exception):
    """The run went on before anything could be injected."""


@dataclass
class Place:
    """A project, and a cache that only its runs use, so that what is left over is theirs."""

    project: Path
    environment: dict[str, str]
    cache: Path
    shelves: tuple[Path, ...] = ()
    journal: bytes = b""
    """Of a run that came to its end."""

    def run(self, *words: str) -> "subprocess.CompletedProcess[str]":
        return kharness(self.project, *words, env=self.environment)

    def drop_templates(self) -> None:
        assert self.run("cache", "prune").returncode == 0


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    top = tmp_path_factory.mktemp("matrix")
    environment = own_cache(top / "cache", cache_root() / "kernels")
    (top / "tmp").mkdir()
    environment["TMPDIR"] = str(top / "tmp")
    project = make_project(top / "p", CASES, "timeout_s = 10\nboot_timeout_s = 20\n")
    here = Place(project, environment, top / "cache")
    done = here.run("run", "-n", "1", "--run-dir", "whole")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KHARNESS_CACHE", str(top / "cache"))
        here.shelves = tuple(roots())
    assert done.returncode == 1, done.stdout + done.stderr
    here.journal = (project / "whole" / "journal.jsonl").read_bytes()
    yield here
    here.drop_templates()


@dataclass
class Running:
    """A run that goes on, and what is seen of it."""

    cell: Cell
    place: Place
    folder: Path
    scratch: Path
    process: "subprocess.Popen[bytes]"
    known: set[Path] = field(default_factory=set)
    hit: set[int] = field(default_factory=set)
    marks: int = 0
    booted: int = 0
    compilations: int = 0
    faults: int = 0

    def said(self) -> str:
        return (self.scratch / "said").read_text("utf-8", "replace")

    def journal(self) -> Journal:
        return read_journal(self.folder / "journal.jsonl")

    def below(self) -> list[Process]:
        return descendants(self.process.pid)

    def guests(self) -> list[Process]:
        return [p for p in self.below() if p.is_guest]

    # Stages

    def now(self, stage: Stage) -> bool:
        """Whether the run is at a stage, as far as can be seen from outside."""
        looks: dict[Stage, Callable[[], bool]] = {
            Stage.COMPILING: lambda: self._lines("compiling") > self.compilations,
            Stage.BOOTING: lambda: self._boot_console() > self.booted and not self._states(),
            Stage.SAVING: lambda: bool(self._states() - self.known),
            Stage.BETWEEN: self._is_between,
            Stage.CASE: lambda: self._case_marks() > self.marks,
            Stage.REPORT: self._is_reporting,
            Stage.RESUME: lambda: self._case_marks() > self.marks,
        }
        return looks[stage]()

    def keep_in_mind(self) -> None:
        """What is there now is of before."""
        self.known = self._states()
        self.marks, self.booted = self._case_marks(), self._boot_console()

    def _lines(self, name: str) -> int:
        path = self.scratch / name
        return path.read_bytes().count(b"\n") if path.exists() else 0

    def _consoles(self, pattern: str) -> list[bytes]:
        return [path.read_bytes() for path in (self.folder / "consoles").rglob(pattern)]

    def _boot_console(self) -> int:
        return sum(map(len, self._consoles("boot-*.log")))

    def _case_marks(self) -> int:
        return sum(console.count(MARK) for console in self._consoles(f"*{SLOW}*.log"))

    def _states(self) -> set[Path]:
        return {p for shelf in self.place.shelves for p in shelf.glob("*.new.*/state")}

    def _lines_of(self, kind: bytes) -> int:
        path = self.folder / "journal.jsonl"
        return path.read_bytes().count(b'\n{"kind": "%s"' % kind) if path.exists() else 0

    def _is_between(self) -> bool:
        if self.cell.victim in GUESTS:
            # One guest runs a case; the one beside it waits for the next case.
            return self._case_marks() > self.marks and len(self.guests()) > 1
        done = self._lines_of(b"result")
        if self.cell.victim is Victim.WORKER:
            # The workers do not go by the journal: one has a case, or is between two of them.
            return 0 < done < len(EXPECTED)
        return done > 0 and not self._case_marks()

    def _is_reporting(self) -> bool:
        return bool(self._lines_of(b"end")) and not (self.folder / "report.html").exists()

    # Faults

    def wait_for(self, condition: Callable[[], bool]) -> None:
        """Until something is seen; the wait between two looks is for the end of the run."""
        for _ in range(LIMIT_S * 500):
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(0.002)
                raise StageMissedError
            if condition():
                return
        raise AssertionError(f"not reached:\n{self.said()}")

    def wait(self) -> int:
        try:
            return self.process.wait(LIMIT_S)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"the run hangs:\n{self.said()}") from None

    def inject(self) -> None:
        """Waits for the stage, and does to the victim what the cell says."""
        self._inject_once()
        if self.cell.victim is Victim.BOTH_GUESTS:
            self._inject_once()
        if self.cell.victim is Victim.TWICE:
            with suppress(StageMissedError):
                self.wait_for(lambda: "interrupted:" in self.said())
                self._send(self.process.pid, signal.SIGINT)

    def _inject_once(self) -> None:
        while True:
            self.wait_for(lambda: self.now(self.cell.stage))
            with stopped(self.process.pid), ExitStack() as others:
                for worker in [p for p in self.below() if p.is_worker]:
                    others.enter_context(stopped(worker.pid))
                if not self.now(self.cell.stage):
                    continue
                victim = self._victim()
                if victim:
                    self._send(victim, self._signal())
                    self.keep_in_mind()
                    return

    def _send(self, pid: int, number: signal.Signals) -> None:
        self.faults += 1
        self.hit.add(pid)
        os.kill(pid, number)

    def _victim(self) -> int:
        """Process id of the victim, 0 when it is not there any more."""
        if self.cell.victim is Victim.WORKER:
            return self._busy_worker()
        if self.cell.victim in GUESTS:
            guests = [guest for guest in self.guests() if guest.pid not in self.hit]
            # The guest of the case is older than the one that waits for the next case.
            at = -1 if self.cell.stage is Stage.BETWEEN else 0
            return guests[at].pid if guests else 0
        return self.process.pid

    def _busy_worker(self) -> int:
        """The worker that compiles, or has a guest; between cases any of them."""
        below = self.below()
        workers = [p.pid for p in below if p.is_worker]
        busy = [p.parent for p in below if p.parent in workers]
        if self.cell.stage is Stage.BETWEEN:
            busy += workers
        return busy[0] if busy else 0

    def _signal(self) -> signal.Signals:
        return {
            Victim.TERM: signal.SIGTERM,
            Victim.ONCE: signal.SIGINT,
            Victim.TWICE: signal.SIGINT,
            Victim.HANGS: signal.SIGSTOP,
        }.get(self.cell.victim, signal.SIGKILL)

    def compile_on(self) -> None:
        """From now on the compiler does its work."""
        if self.cell.stage is Stage.COMPILING:
            # Open for both, so that nobody waits for the other end; it lives as long as the test.
            fd = os.open(self.scratch / "go", os.O_RDWR)
            os.write(fd, b"\n" * 100)


def start(cell: Cell, place: Place, scratch: Path, number: int) -> Running:
    """Starts the run of a cell; its stage is still to come."""
    folder = place.project / f"{cell}-{number}"
    environment = dict(place.environment)
    words = [*COMMAND, "run", "-n", "1", "-v", "--run-dir", str(folder)]
    if cell.victim is Victim.WORKER:
        words = [sys.executable, "-m", "pytest", "cases", "-n", "2", "-p", "no:cacheprovider"]
        words += ["--run-dir", str(folder), f"--basetemp={scratch}/pytest"]
    if cell.stage is Stage.COMPILING:
        os.mkfifo(scratch / "go")
        (scratch / "cc").write_text(COMPILER.format(here=scratch))
        (scratch / "cc").chmod(0o700)
        environment["CC"] = str(scratch / "cc")
    if cell.stage in (Stage.BOOTING, Stage.SAVING):
        place.drop_templates()
    if cell.stage is Stage.RESUME:
        words = [*COMMAND, "resume", "-v", str(folder)]
        lines = place.journal.splitlines(keepends=True)
        folder.mkdir(mode=0o700)
        done = next(n for n, line in enumerate(lines) if line.startswith(b'{"kind": "result"'))
        # One result is there, and half of another.
        (folder / "journal.jsonl").write_bytes(b"".join(lines[: done + 1]) + lines[done + 1][:99])
    with (scratch / "said").open("wb") as said:
        # Signals are ignored when the tests run in the background of a shell.
        process = subprocess.Popen(
            ["env", "--default-signal=INT,TERM,HUP", *words],
            cwd=place.project,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
        )
    return Running(cell, place, folder, scratch, process)


def inject(cell: Cell, place: Place, tmp_path: Path) -> Running:
    """A run of the cell that has ended, by itself or not, with its faults injected."""
    for number in range(TRIES):
        scratch = tmp_path / str(number)
        scratch.mkdir()
        running = start(cell, place, scratch, number)
        try:
            running.inject()
            running.compile_on()
            running.wait()
        except StageMissedError:
            continue
        finally:
            if running.process.poll() is None:
                running.process.kill()
                running.process.wait()
        return running
    raise AssertionError(f"the stage was over before it was seen, {TRIES} times")


def what_is_shown_is_there(running: Running) -> None:
    """junit.xml says what the journal says, of every case once; what did not run did not pass."""
    journal = running.journal()
    results = {r.name: r.outcome for r in journal.results}
    missing = {case.rpartition("::")[2] for case, _ in journal.missing()}
    shown = {}
    for suite in JUnitXml.fromfile(str(running.folder / "junit.xml")):
        for case in suite:
            assert case.name not in shown
            shown[case.name] = tuple(type(entry) for entry in case.result)
    assert sorted(shown) == sorted({*results, *missing})
    for name, entries in shown.items():
        if name in missing:
            assert entries in ((JUnitError,), (Skipped,)), name
            continue
        good = {Outcome.PASS: (), Outcome.SKIP: (Skipped,)}.get(results[name])
        bad = entries in ((Failure,), (JUnitError,))
        assert entries == good if good is not None else bad, name
    assert (running.folder / "report.html").is_file()


def nothing_is_left_running(running: Running) -> None:
    """Whoever ended by himself left nobody; who was killed has nobody after a moment."""
    patience = GOES_S if running.cell.victim is Victim.CONTROLLER else 0
    if running.cell.stage is Stage.COMPILING:
        patience = GOES_S  # what a killed compiler had started ends by itself
    while left := processes_with(str(running.place.cache)):
        assert patience > 0, [(p.pid, p.name) for p in left]
        fd = None
        with suppress(ProcessLookupError):
            fd = os.pidfd_open(left[0].pid)
        if fd is not None:
            select.select([fd], [], [], 1)
            os.close(fd)
        patience -= 1


def its_end(running: Running) -> None:
    """Exit code, words and reports are as they should be when this ended the run."""
    cell, said, code = running.cell, running.said(), running.process.returncode
    has_journal = (running.folder / "journal.jsonl").exists()
    assert "Traceback" not in said, said
    if cell.victim is Victim.CONTROLLER:
        assert code == -signal.SIGKILL
        if has_journal:
            told = running.place.run("report", str(running.folder))
            codes = (0,) if running.journal().ended else (1, 2)
            assert told.returncode in codes, told.stdout + told.stderr
            what_is_shown_is_there(running)
    elif cell.victim in INTERRUPTED:
        assert code == 2, (code, said)
        if has_journal:
            what_is_shown_is_there(running)
    else:
        assert code == 1, (code, said)
        assert running.journal().ended
        what_is_shown_is_there(running)


def finish(running: Running) -> None:
    """Runs what has no result, and only that."""
    before = running.journal().results if running.folder.exists() else []
    if running.cell.victim not in (Victim.CONTROLLER, *INTERRUPTED):
        assert running.journal().missing() == []
        if running.cell.victim is Victim.WORKER:
            # What a dead process left goes with the next run.
            assert running.place.run("run", "-k", FIRST).returncode == 0
        return
    words = ["resume", str(running.folder)]
    if not running.folder.exists():
        words = ["run", "-n", "1", "--run-dir", str(running.folder)]
    done = running.place.run(*words)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    after = running.journal()
    assert after.results[: len(before)] == before
    assert after.ended
    assert after.missing() == []
    what_is_shown_is_there(running)


@pytest.mark.parametrize("cell", MATRIX, ids=str)
def test_every_case_has_its_one_right_result(
    place: Place, cell: Cell, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    if cell.victim in GUESTS and cell.stage is Stage.BETWEEN and cpu_count() < 2:
        pytest.skip("with one CPU no guest is made ahead of its case")
    running = inject(cell, place, tmp_path)
    nothing_is_left_running(running)
    its_end(running)
    finish(running)

    # While the template is made each of the two kills costs another case its first try.
    costs_a_case = cell.victim is Victim.BOTH_GUESTS and cell.stage in (Stage.CASE, Stage.RESUME)

    def lost_both(result: Result) -> bool:
        return costs_a_case and result.name == SLOW

    results = running.journal().results
    judged = judge(results, EXPECTED, lost_both)
    figures = Figures.of(running.faults, len(EXPECTED), judged)
    record_property(PROPERTY, " ".join(map(str, astuple(figures))))
    assert judged.wrong == ()
    assert figures == Figures(running.faults, len(EXPECTED))
    errors = [r for r in results if r.outcome is Outcome.ERROR]
    assert len(errors) == (1 if costs_a_case else 0)
    for error in errors:
        assert "(twice)" in error.message
        assert "lost" in error.detail
    nothing_is_left_running(running)
    assert leftovers([place.cache, *place.shelves, running.folder]) == []
    assert list(Path(place.environment["TMPDIR"]).iterdir()) == []


@pytest.mark.parametrize("cell", [Cell(*pair) for pair in product(Victim, Stage)], ids=str)
def test_what_the_matrix_leaves_out_has_its_reason(cell: Cell) -> None:
    assert (cell in MATRIX) is not bool(cell.impossible)
