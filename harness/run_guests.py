# SPDX-License-Identifier: GPL-2.0-only
"""The guests of a run: the loop that owns them, and a runner for each kernel."""

import contextlib
from collections.abc import Callable
from pathlib import Path

from harness.config import Settings
from harness.descriptors import make_room_for
from harness.host import cpu_count, find_qemu
from harness.judging import Warn
from harness.kernels.kernel import Kernel
from harness.options import RunOptions
from harness.run_inputs import RunInputs
from harness.runner import KernelRunner
from harness.runner_settings import Isolation, RunnerSettings
from harness.vm.admission import Admission
from harness.vm.dump import DumpPolicy
from harness.vm.guest import BootLimits
from harness.vm.loop import VmLoop
from harness.vm.qemu import Shape


class RunGuests:
    """Makes the loop and the runners when they are first needed.

    Args:
        options: what the user asked for.
        settings: harness.toml.
        inputs: kernels, programs and files.
        folder: gives the run folder, and makes it.
        seed: of every random choice.
        jobs: guests at a time.
        note: takes a line that the user should see once.
    """

    def __init__(
        self,
        options: RunOptions,
        settings: Settings,
        inputs: RunInputs,
        *,
        folder: Callable[[], Path],
        seed: int,
        jobs: int,
        note: Callable[[str], None],
    ) -> None:
        self._options = options
        self._settings = settings
        self._inputs = inputs
        self._folder = folder
        self._seed = seed
        self._jobs = jobs
        self._note = note
        self._loop: VmLoop | None = None
        self._admission: Admission | None = None
        self._runners: dict[str, KernelRunner] = {}

    def loop(self) -> VmLoop:
        """The loop in which all of them live."""
        if self._loop is None:
            make_room_for(self._jobs)
            self._loop = VmLoop()
        return self._loop

    def runner(self, name: str) -> KernelRunner:
        """The runner of a kernel that was resolved."""
        if name not in self._runners:
            kernel, inputs = self._inputs.by_name[name], self._inputs
            self._admission = self._admission or Admission()
            self._runners[name] = KernelRunner(
                *(kernel, inputs.programs, self._settings_for(kernel), self._note),
                files=inputs.files,
                admission=self._admission,
            )
        return self._runners[name]

    def _settings_for(self, kernel: Kernel) -> RunnerSettings:
        options, section, folder = self._options, self._settings.run, self._folder()
        return RunnerSettings(
            qemu=find_qemu(kernel.arch.value),
            accel=options.accel or section.accel,
            isolation=Isolation(options.isolate or section.isolate),
            timeout_s=options.timeout_s or section.timeout_s,
            limits=BootLimits(total_s=section.boot_timeout_s, silence_s=section.boot_timeout_s / 2),
            shape=Shape(self._settings.guest.cpus, self._settings.guest.memory_mib),
            consoles=folder / "consoles",
            worker=options.worker or "main",
            ahead=not options.worker and self._jobs < cpu_count(),
            cache_limit_mib=self._settings.cache.limit_mib,
            settle_s=section.settle_s if options.settle_s is None else options.settle_s,
            expect=tuple(e.expectation() for e in self._settings.expect_splat),
            warn=Warn(options.warn or section.warn),
            dumps=DumpPolicy(
                when=options.dump or section.dump,
                folder=folder / "dumps",
                number=section.dump_limit,
                limit_mib=section.dump_limit_mib,
            ),
            timeout_factor=options.timeout_factor,
            seed=self._seed,
        )

    def close(self) -> None:
        """Gives up what still runs, and drops every guest."""
        if self._loop is None:
            return
        self._loop.give_up()
        with contextlib.suppress(Exception):
            self._loop.run(self._close_runners())
        self._loop.close()
        self._loop = None

    async def _close_runners(self) -> None:
        for runner in self._runners.values():
            await runner.close()
