# SPDX-License-Identifier: GPL-2.0-only
"""One run: what is asked of it by pytest's plugins, and how its parts hold together."""

import contextlib
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from datetime import date
from pathlib import Path

from rich.console import Console

from harness.again import run_again
from harness.ahead import Ahead
from harness.cases.case import Case
from harness.choice import new_seed
from harness.config import Settings, load_settings, nearest
from harness.config_paths import node_from
from harness.descriptors import guests_within_limit
from harness.errors import ExitCode, KharnessError, UsageError
from harness.host import cpu_count
from harness.kernels.kernel import Kernel
from harness.last_failed import LastFailed, last_failed
from harness.options import RunOptions, as_asked, parse_abis, parse_jobs
from harness.outputs import Failures
from harness.report.journal import NAME, Plan
from harness.report.stream import JournalIndex
from harness.report.terminal import Display, exit_code
from harness.resume import Earlier, read_run, resume_command, what_changed
from harness.run_end import (
    print_end,
    print_interrupted,
    tell_of_unmet,
    write_run_folder,
)
from harness.run_folder import RunFolder
from harness.run_guests import RunGuests
from harness.run_inputs import RunInputs
from harness.run_reports import RunReports
from harness.runner import KernelRunner
from harness.taken import Taken
from harness.turns import Here, Turns
from harness.verdict.known_failures import KnownFailure, known_failure_of, notes_on
from harness.verdict.outcome import HOST, Result
from harness.vm.loop import VmLoop


class Run:
    """A run. Nothing is fetched, made or started before it is needed.

    Of results it keeps outcomes (:mod:`harness.taken`); all else of them is in the journal.

    Args:
        options: what the user asked for.

    Attributes:
        options: as given.
        settings: harness.toml.
        seed: of every random choice.
        abis: that programs are made for.
        earlier: the run as it was left, when it is taken up again.
        jobs: guests at a time: as asked, else one for each CPU.
        last_failed: what failed in the latest run, when only that is wanted.
        taken: which cases have a result.
        problem: what keeps the run from going on.
        notes: lines that the user should see, each once.
        display: shows progress; None where pytest does.
        console: where it prints.
        python_plan: node id and kernel of the Python tests that are to run.

    Raises:
        UsageError: harness.toml is wrong, an option is, or a report cannot be written where it is
            wanted.
    """

    def __init__(self, options: RunOptions) -> None:
        self.options = options
        self.settings: Settings = load_settings(options.config, options.start)
        self._reports = RunReports(
            options.formats, self.settings.report, options.start, options.junit_flavour
        )
        self.problem: KharnessError | None = None
        self.seed = new_seed() if options.seed is None else options.seed
        jobs_wanted = parse_jobs(options.jobs) or cpu_count()
        self.abis = parse_abis(options.abi) if options.abi else self.settings.run.abi
        self.earlier: Earlier | None = None
        if options.resume and options.run_dir and not options.worker:
            self.earlier = read_run(options.run_dir.absolute())
        wanted = options.last_failed
        self.last_failed: LastFailed | None = None
        if wanted is not None:
            self.last_failed = last_failed(Path(wanted) if wanted else None)
        self.taken = Taken(self.earlier.outcomes if self.earlier else None)
        self._began = time.monotonic()
        self.notes: list[str] = []
        self.python_plan: list[tuple[str, str]] = []
        self._finished = False
        self._guard = contextlib.ExitStack()
        self._today = date.today()
        self._known = [entry.known_failure() for entry in self.settings.expect]
        file = options.config or nearest(options.start)
        self._known_in = (file.parent if file else options.start).absolute()
        self._found: list[tuple[str, str]] = []
        quiet, verbose = options.ui == "quiet", options.ui == "verbose"
        # pytest puts another file in sys.stdout while a test runs, and notes come at any time.
        self.console = Console(highlight=False, soft_wrap=True, file=sys.__stdout__)
        self.display = Display(self.console, quiet=quiet, verbose=verbose) if options.ui else None
        self.jobs = 1 if options.worker else self._jobs_of(jobs_wanted)
        self._inputs = RunInputs(options, self.settings, self.console, self.note)
        section = self.settings.run
        asked = as_asked(options, section, self.abis, self.seed)
        self._folder = RunFolder(options, section.folder, self.seed, asked, self.earlier)
        if not options.worker:
            self._folder.check()
            self._reports.check(self._folder.path, junit=options.junit, html=options.html)
        self._guests = RunGuests(
            *(options, self.settings, self._inputs),
            folder=self.folder,
            seed=self.seed,
            jobs=self.jobs,
            note=self.note,
        )
        self._turns = Turns(self.jobs, options.rules, self.known_failure)
        self._ahead = Ahead(self._begin, self.jobs)

    # What is to be run

    def kernels(self) -> list[Kernel]:
        """See :meth:`harness.run_inputs.RunInputs.kernels`."""
        return self._inputs.kernels()

    def add_programs(self, cases: Sequence[Case]) -> None:
        """See :meth:`harness.run_inputs.RunInputs.add_programs`."""
        self._inputs.add_programs(cases)

    def suites(self) -> list[Case]:
        """See :meth:`harness.run_inputs.RunInputs.suites`."""
        return self._inputs.suites()

    def found(self, cases: list[tuple[str, str]]) -> None:
        """Node id and kernel of everything that was found, selected or not."""
        self._found = cases

    def plan(self, cases: list[tuple[Case, str]]) -> None:
        """What will be asked for, in order; guests are started ahead of it.

        Raises:
            KharnessError: the journal cannot be written, or what a run is to go on with changed.
        """
        self._ahead.plan(cases)
        keys = [*self.python_plan, *self._ahead.keys]
        self.taken.plan(keys)
        if keys and not self.options.worker:
            self.keep_plan(keys)
        if self.display:
            self.display.start(len(cases) + len(self.python_plan))

    def keep_plan(self, keys: list[tuple[str, str]]) -> None:
        """Puts into the journal what is to run, by node id and kernel.

        Raises:
            KharnessError: see :meth:`plan`.
        """
        earlier = self.earlier.plan if self.earlier else None
        # Tests without a guest need no kernel, and perhaps there is none to be had.
        needed = earlier.kernels if earlier else {kernel for _, kernel in keys} - {HOST}
        inputs = self._inputs.plan() if needed else Plan()
        if earlier is not None and not self.options.force:
            changed = what_changed(earlier, inputs)
            if changed:
                raise UsageError(
                    f"{self.options.run_dir} cannot be finished: {changed} not the same any more",
                    "start a new run, or --force",
                )
        self.folder()
        self._folder.plan(keys, inputs)

    def _jobs_of(self, wanted: int) -> int:
        """Guests at a time, as far as descriptors go; memory is admitted guest by guest."""
        jobs = guests_within_limit(wanted)
        if jobs < wanted:
            guests = "1 guest" if jobs == 1 else f"{jobs} guests"
            self.note(f"{guests} at a time, not {wanted}: too few open files (ulimit -Hn)")
        return jobs

    # Running

    def result(self, case: Case, kernel: str) -> Result:
        """The result of one case on one kernel; waits for it.

        Raises:
            KeyboardInterrupt: the run was interrupted before the case began.
        """
        ahead = not self.options.worker and not self.options.rules.hunts
        return self._ahead.result(case, kernel, ahead=ahead)

    def stop_soon(self) -> int:
        """No case is begun any more; returns how many run and have to end."""
        return self._turns.stop()

    def guests_of(self, kernel: str) -> tuple[VmLoop, KernelRunner]:
        """Where Python tests get their guests."""
        return self._guests.loop(), self._guests.runner(kernel)

    def _begin(self, case: Case, kernel: str) -> "Future[Result]":
        loop, runner = self.guests_of(kernel)
        return loop.start(self._turns.take(runner, case, self._cases))

    def python_turn(self, once: Here, node: str, kernel: Kernel | None) -> tuple[Result, Result]:
        """A Python test with all its tries: see :meth:`harness.turns.Turns.take_here`."""
        return self._turns.take_here(once, node, kernel, self._cases)

    @property
    def _cases(self) -> int:
        return len(self._ahead) + len(self.python_plan)

    def known_failure(self, node: str, kernel: Kernel | None) -> KnownFailure | None:
        """What harness.toml expects of a case; without a kernel: of a test without a guest."""
        if not self._known:
            return None
        name, version = (kernel.name, kernel.version) if kernel else (HOST, ())
        return known_failure_of(self._known, self._known_as(node), name, version, self._today)

    def _known_as(self, node: str) -> str:
        """What harness.toml calls a case."""
        return node_from(self._known_in, node, self.options.start.absolute())

    def once_more(self, lost: Result) -> Result:
        """The result of a case whose xdist worker died, tried again in a process of its own."""
        specs = [kernel.spec for kernel in self.kernels() if kernel.name == lost.kernel]
        section = self.settings.run
        options = [
            *("--accel", self.options.accel or section.accel),
            *("--isolate", self.options.isolate or section.isolate),
            *("--timeout", str(self.options.timeout_s or section.timeout_s)),
            *("--abi", ",".join(abi.value for abi in self.abis)),
            *(f"--append={words}" for words in self.options.append),
            *(f"--suite={spec}" for spec in self.options.suites),
            *((f"--rootfs={self.options.rootfs}",) if self.options.rootfs else ()),
            *(("--kunit",) if self.options.kunit else ()),
            *(("--config", str(self.options.config)) if self.options.config else ()),
        ]
        folder = self.folder() / "again"
        number = sum(1 for _ in folder.iterdir()) + 1 if folder.is_dir() else 1
        return run_again(lost, specs[0], options, folder / str(number))

    # Results

    @property
    def place(self) -> Path:
        """Where the run folder is, or will be."""
        return self._folder.path

    def folder(self) -> Path:
        """The run folder, made when it is first needed.

        Raises:
            HostError: it cannot be made.
            UsageError: the folder that was asked for holds another run.
        """
        if not self.options.worker and not self._folder.is_open:
            self._folder.open()
            self._reports.guard(self._guard)
        return self._folder.path

    def take(self, result: Result) -> None:
        """Takes a result: journal first, then the display. In the controller only."""
        self.folder()
        self._folder.result(result, self._inputs.by_name.get(result.kernel))
        self.taken.take((result.case, result.kernel), result.outcome)
        if self.display:
            self.display.result(result)

    def has_result(self, node: str, kernel: str) -> bool:
        """Whether a case on a kernel has its result already."""
        return self.taken.has((node, kernel))

    def note(self, text: str) -> None:
        """A line that the user should see once."""
        if text not in self.notes:
            self.notes.append(text)
            if self.display:
                self.display.note(text)

    # The end

    def finish(
        self,
        *,
        interrupted: bool = False,
        wait: Callable[[], bool] = lambda: False,
    ) -> ExitCode:
        """Writes the reports and prints the summary; returns the run's exit code.

        Args:
            interrupted: the run did not come to its end.
            wait: whether to wait for cases that run; when it says no, they are given up.
        """
        if self._finished:
            return ExitCode.OK
        self._finished = True
        if interrupted:
            self._turns.stop()
            for result in self._ahead.rest(wait):
                self.take(result)
        return self._tell_the_end(interrupted=interrupted)

    def _tell_the_end(self, *, interrupted: bool) -> ExitCode:
        if self.display:
            self.display.stop()
        self._note_known_failures()
        code = exit_code(self.taken.outcomes, hunting=self.options.rules.hunts)
        if self.problem is not None:
            code = self.problem.exit_code
        if interrupted:
            code = ExitCode.INTERRUPTED
        if self._folder.is_open:
            whole = self.problem is None and (not interrupted or self._has_all)
            self._folder.close(self.notes, code if whole else None)
            with JournalIndex.open(self._folder.path / NAME) as index:
                self._report(index, interrupted=interrupted)
        else:
            self._guard.close()
        return code

    @property
    def _has_all(self) -> bool:
        """Nothing is missing, though the run was interrupted: it was when it ended anyway."""
        return bool(self.taken.planned) and not self.taken.missing and not self.options.rules.hunts

    def _report(self, index: JournalIndex, *, interrupted: bool) -> None:
        folder, options = self._folder.path, self.options
        failures = Failures()
        with failures.kept():
            write_run_folder(index, folder, options, self.settings)
        if self.display:
            tell_of_unmet(index, self._inputs.by_name.values(), self.settings, self.note)
            print_end(
                *(self.console, index, folder),
                began=self._began,
                hunting=options.rules.hunts,
                seed=self.seed,
            )
            if interrupted:
                # Who takes a run up again may be in another folder than it was started in.
                here = None if options.resume else options.start
                print_interrupted(self.console, self.taken, resume_command(folder, here))
        self._guard.close()
        with failures.kept():
            self._reports.write(index, folder)
        if not self.display:
            # pytest prints failures after this.
            self._reports.guard(self._guard)
        failures.tell()

    def _note_known_failures(self) -> None:
        if not self._known or not self._inputs.by_name:
            return
        found = self._found or list(self.taken.keys())
        cases = [(self._known_as(node), kernel) for node, kernel in found]
        versions: dict[str, tuple[int, ...]] = {k.name: k.version for k in self.kernels()}
        options, run = self.options, self.settings.run
        whole = not options.kernels and set(options.suites) == set(run.suites)
        whole = whole and set(options.nodes) == set(run.paths(options.start))
        for text in notes_on(self._known, cases, versions, self._today, whole=whole):
            self.note(text)

    def close(self) -> None:
        """Drops every guest."""
        self._guard.close()
        self._guests.close()
