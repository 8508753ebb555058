# SPDX-License-Identifier: GPL-2.0-only
"""One run: which kernels, where its folder is, guests started ahead, results taken and reported."""

import asyncio
import contextlib
import os
import shlex
import sys
import time
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from rich.console import Console

from harness import __version__
from harness.cache import private_folder
from harness.cases.case import Case
from harness.config import Settings, load_settings
from harness.errors import ExitCode, HostError, KharnessError, UsageError
from harness.host import cpu_count, find_qemu
from harness.kernels.kernel import Kernel
from harness.kernels.spec import resolve
from harness.report.building import BuildDisplay
from harness.report.journal import JournalWriter, KernelInfo, RunInfo, read_journal
from harness.report.junit import write_junit
from harness.report.terminal import Display, exit_code, print_summary
from harness.runner import Isolation, KernelRunner, RunnerSettings, guest_path
from harness.verdict.outcome import Result
from harness.vm.guest import BootLimits
from harness.vm.loop import VmLoop
from harness.vm.qemu import Shape

LOOK_AHEAD = 4
"""Cases per guest at a time that are started before their turn, so that a slow one stops nobody."""


@dataclass(frozen=True)
class RunOptions:
    """What the user asked for; None and empty leave it to harness.toml.

    Attributes:
        start: folder that the run was started in.
        worker: name of the xdist worker, empty in the controller.
        build: build what is a kernel tree.
        ui: ``normal``, ``quiet`` or ``verbose`` for kharness's own display, empty for pytest's.
    """

    start: Path
    kernels: tuple[str, ...] = ()
    accel: str | None = None
    isolate: str | None = None
    timeout_s: float | None = None
    jobs: str | None = None
    junit: Path | None = None
    run_dir: Path | None = None
    config: Path | None = None
    worker: str = ""
    build: bool = False
    ui: str = ""


class Run:
    """A run. Nothing is fetched, made or started before it is needed.

    Args:
        options: what the user asked for.

    Raises:
        UsageError: harness.toml is wrong, or an option is.
    """

    def __init__(self, options: RunOptions) -> None:
        self.options = options
        self.settings: Settings = load_settings(options.config, options.start)
        self.problem: KharnessError | None = None
        self.results: list[Result] = []
        self._jobs_wanted = _jobs(options.jobs)
        self._kernels: dict[str, Kernel] = {}
        self._programs: dict[str, Path] = {}
        self._loop: VmLoop | None = None
        self._runners: dict[str, KernelRunner] = {}
        self._slots: asyncio.Semaphore | None = None
        self._plan: list[tuple[Case, str]] = []
        self._places: dict[tuple[str, str], int] = {}
        self._started: dict[tuple[str, str], Future[Result]] = {}
        self._next = 0
        self._journal: JournalWriter | None = None
        self._journalled_kernels: set[str] = set()
        self._folder = options.run_dir.absolute() if options.run_dir else None
        self._start = time.monotonic()
        self.notes: list[str] = []
        self._finished = False
        quiet, verbose = options.ui == "quiet", options.ui == "verbose"
        # pytest puts another file in sys.stdout while a test runs, and notes come at any time.
        self.console = Console(highlight=False, soft_wrap=True, file=sys.__stdout__)
        self.display = Display(self.console, quiet=quiet, verbose=verbose) if options.ui else None

    # What is to be run

    def kernels(self) -> list[Kernel]:
        """The kernels of the run, resolved once.

        Raises:
            KharnessError: one cannot be had, or two have the same name.
        """
        if not self._kernels:
            with BuildDisplay(self.console, quiet=self.options.ui in ("", "quiet")) as display:
                for spec in dict.fromkeys(self.options.kernels or self.settings.run.kernels):
                    kernel = resolve(spec, build_tree=self.options.build, progress=display)
                    name, number = kernel.name, 2
                    while name in self._kernels:
                        name, number = f"{kernel.name}-{number}", number + 1
                    self._kernels[name] = replace(kernel, name=name)
        return list(self._kernels.values())

    def add_programs(self, cases: Sequence[Case]) -> None:
        """Programs that the guests need."""
        for case in cases:
            other = self._programs.setdefault(guest_path(case), case.program)
            if other != case.program:
                raise UsageError(
                    f"two sources are called {case.classname}", "rename one of the files"
                )

    def plan(self, cases: list[tuple[Case, str]]) -> None:
        """What will be asked for, in order; guests are started ahead of it."""
        self._plan = cases
        self._places = {(case.node, kernel): n for n, (case, kernel) in enumerate(cases)}
        if self.display:
            self.display.start(len(cases))

    @property
    def jobs(self) -> int:
        """Guests at a time: as asked, else one for each CPU. Memory is admitted guest by guest."""
        if self.options.worker:
            return 1
        return self._jobs_wanted or cpu_count()

    # Running

    def result(self, case: Case, kernel: str) -> Result:
        """The result of one case on one kernel; waits for it."""
        key = (case.node, kernel)
        if key not in self._started:
            self._begin(case, kernel)
        if not self.options.worker:
            self._look_ahead(key)
        return self._started.pop(key).result()

    def _look_ahead(self, key: tuple[str, str]) -> None:
        at = self._places.get(key)
        if at is None:
            return
        self._next = max(self._next, at + 1)
        while self._next < len(self._plan) and len(self._started) < LOOK_AHEAD * self.jobs:
            case, kernel = self._plan[self._next]
            if (case.node, kernel) not in self._started:
                self._begin(case, kernel)
            self._next += 1

    def _begin(self, case: Case, kernel: str) -> None:
        loop = self._vm_loop()
        runner = self._runner(kernel)
        self._started[case.node, kernel] = loop.start(self._in_turn(runner, case))

    async def _in_turn(self, runner: KernelRunner, case: Case) -> Result:
        if self._slots is None:
            self._slots = asyncio.Semaphore(self.jobs)
        runner.queued += 1
        await self._slots.acquire()
        runner.queued -= 1
        try:
            return await runner.run(case)
        finally:
            self._slots.release()

    def _vm_loop(self) -> VmLoop:
        if self._loop is None:
            self._loop = VmLoop()
            self._loop.__enter__()
        return self._loop

    def _runner(self, name: str) -> KernelRunner:
        if name not in self._runners:
            kernel = self._kernels[name]
            section = self.settings.run
            settings = RunnerSettings(
                qemu=find_qemu(kernel.arch.value),
                accel=self.options.accel or section.accel,
                isolation=Isolation(self.options.isolate or section.isolate),
                timeout_s=self.options.timeout_s or section.timeout_s,
                limits=BootLimits(
                    total_s=section.boot_timeout_s, silence_s=section.boot_timeout_s / 2
                ),
                shape=Shape(self.settings.guest.cpus, self.settings.guest.memory_mib),
                consoles=self.folder() / "consoles",
                worker=self.options.worker or "main",
                ahead=not self.options.worker and self.jobs < cpu_count(),
                cache_limit_mib=self.settings.cache.limit_mib,
            )
            self._runners[name] = KernelRunner(kernel, self._programs, settings, self.note)
        return self._runners[name]

    # Results

    def folder(self) -> Path:
        """The run folder, made when it is first needed.

        Raises:
            HostError: it cannot be made.
            UsageError: the folder that was asked for holds another run.
        """
        if self._folder is None:
            base = self.options.start / self.settings.run.folder
            stamp = datetime.now().strftime("%Y%m%d-%H%M%S")
            self._folder = base / f"{stamp}-{os.getpid()}"
        if not self.options.worker and self._journal is None:
            self._open_folder(self._folder)
        return self._folder

    def _open_folder(self, folder: Path) -> None:
        if (folder / "journal.jsonl").exists():
            raise UsageError(f"{folder} holds a run already", "give another --run-dir")
        try:
            private_folder(folder)
        except OSError as error:
            raise HostError(f"cannot make the run folder {folder}: {error.strerror}") from error
        self._journal = JournalWriter(folder / "journal.jsonl")
        self._journal.run(
            RunInfo(
                id=folder.name,
                started=datetime.now().astimezone().isoformat(timespec="seconds"),
                command=shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]]),
                kharness=__version__,
                qemu=find_qemu().version_text,
            )
        )
        if self.options.run_dir is None:
            latest = folder.parent / "latest"
            with contextlib.suppress(OSError):
                temporary = folder.parent / f".latest-{os.getpid()}"
                temporary.symlink_to(folder.name)
                temporary.replace(latest)

    def take(self, result: Result) -> None:
        """Takes a result: journal first, then the display. In the controller only."""
        self.folder()
        assert self._journal is not None
        if result.kernel not in self._journalled_kernels and result.kernel in self._kernels:
            kernel = self._kernels[result.kernel]
            reason = result.extra.get("accel_reason", "")
            self._journal.kernel(
                KernelInfo(
                    *(kernel.name, kernel.spec, kernel.release, kernel.arch.value),
                    *(result.accel, reason),
                )
            )
            if result.accel:
                self._journalled_kernels.add(result.kernel)
        self._journal.result(result)
        self.results.append(result)
        if self.display:
            self.display.result(result)

    def note(self, text: str) -> None:
        """A line that the user should see once."""
        if text not in self.notes:
            self.notes.append(text)
            if self.display:
                self.display.note(text)

    def finish(self, *, interrupted: bool = False) -> ExitCode:
        """Writes the reports and prints the summary; returns the run's exit code."""
        if self._finished:
            return ExitCode.OK
        self._finished = True
        if self.display:
            self.display.stop()
        code = exit_code(self.results)
        if self.problem is not None:
            code = self.problem.exit_code
        if interrupted:
            code = ExitCode.INTERRUPTED
        if self._journal is not None and self._folder is not None:
            if not interrupted:
                self._journal.end(code)
            self._journal.close()
            self._report(self._folder)
        if self.display:
            elapsed = time.monotonic() - self._start
            if self.results:
                print_summary(self.console, self.results, self._folder, elapsed_s=elapsed)
        return code

    def _report(self, folder: Path) -> None:
        journal = read_journal(folder / "journal.jsonl")
        write_junit(journal, folder / "junit.xml")
        if self.options.junit:
            write_junit(journal, self.options.start / self.options.junit)

    def close(self) -> None:
        """Drops every guest."""
        if self._loop is None:
            return
        for future in self._started.values():
            future.cancel()
        with contextlib.suppress(Exception):
            self._loop.run(self._close_runners())
        self._loop.close()
        self._loop = None

    async def _close_runners(self) -> None:
        for runner in self._runners.values():
            await runner.close()


def _jobs(text: str | None) -> int | None:
    if text is None or text == "auto":
        return None
    if not text.isdigit() or int(text) < 1:
        raise UsageError(f"-n {text}: a number of guests, or auto")
    return int(text)
