# SPDX-License-Identifier: GPL-2.0-only
"""What a run needs before a guest can start: kernels, case programs, and the files of suites."""

import contextlib
import shlex
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from harness.attempt import guest_path
from harness.cache import file_digest
from harness.cases.case import Case
from harness.config import Settings
from harness.errors import UsageError, names_fit
from harness.kernels.kernel import Kernel
from harness.kernels.spec import resolve_to_boot
from harness.options import RunOptions, judged_by
from harness.report.building import BuildDisplay
from harness.report.journal import Plan
from harness.suites.kunit import KUNIT
from harness.suites.rootfs import read_rootfs
from harness.suites.spec import load_suites
from harness.suites.suite import Suite
from harness.vm.initramfs import File


def command_line(texts: Iterable[str]) -> tuple[str, ...]:
    """The words of what is given for the kernel's command line.

    Raises:
        UsageError: it has a character that cannot stand there.
    """
    words = tuple(word for text in texts for word in text.split())
    if not all(word.isprintable() for word in words):
        raise UsageError("--append has a character that no command line takes")
    return words


class RunInputs:
    """Kernels, programs and files; each is fetched, built or read once, when it is asked for.

    Args:
        options: what the user asked for.
        settings: harness.toml.
        console: shows how far a build is.
        note: takes a line that the user should see once.

    Attributes:
        by_name: the kernels that were resolved so far.
        programs: path in the guest to case program on the host.
        files: further files of the guests, by path in the guest.
    """

    def __init__(
        self,
        options: RunOptions,
        settings: Settings,
        console: Console,
        note: Callable[[str], None],
    ) -> None:
        self._options = options
        self._settings = settings
        self._console = console
        self._note = note
        self.by_name: dict[str, Kernel] = {}
        self.programs: dict[str, Path] = {}
        self.files: dict[str, File] = {}
        self._suites: list[Suite] = []

    @names_fit()
    def kernels(self) -> list[Kernel]:
        """The kernels of the run, each with a name of its own.

        Raises:
            KharnessError: one cannot be had.
        """
        if not self.by_name:
            quiet = self._options.ui in ("", "quiet")
            with contextlib.closing(BuildDisplay(self._console, quiet=quiet)) as display:
                for spec in dict.fromkeys(self._options.kernels or self._settings.run.kernels):
                    kernel = resolve_to_boot(spec, build_tree=self._options.build, progress=display)
                    name, number = kernel.name, 2
                    while name in self.by_name:
                        name, number = f"{kernel.name}-{number}", number + 1
                    self.by_name[name] = self._with_words(replace(kernel, name=name))
        return list(self.by_name.values())

    def _with_words(self, kernel: Kernel) -> Kernel:
        """With what its command line gets; what the user gave with this call stays in `options`."""
        given = self._options.append
        words = command_line((*self._settings.guest.append, *given))
        options = "".join(f"--append {shlex.quote(text)} " for text in given)
        options += judged_by(self._options, self._settings.run)
        return replace(kernel, append=words, options=kernel.options + options)

    def add_programs(self, cases: Sequence[Case]) -> None:
        """Takes the programs of cases.

        Raises:
            UsageError: two would have the same place in a guest.
        """
        for case in cases:
            if case.program is None:
                continue
            other = self.programs.setdefault(guest_path(case), case.program)
            if other != case.program:
                raise UsageError(
                    f"two sources are called {case.classname}", "rename one of the files"
                )

    @names_fit()
    def suites(self) -> list[Case]:
        """The programs of the suites that were asked for; their files are taken.

        Raises:
            KharnessError: a suite is not there, or its programs cannot be built.
        """
        options = self._options
        rootfs = read_rootfs(options.start / options.rootfs) if options.rootfs else None
        found: list[Case] = []
        self._suites = load_suites(options.suites, options.start, rootfs=rootfs, say=self._note)
        for suite in self._suites:
            for path, file in suite.files.items():
                if self.files.setdefault(path, file) != file:
                    raise UsageError(
                        f"two suites have a {path} of their own", "run one of them at a time"
                    )
            place = str(options.rootfs) if options.rootfs else ""
            found += [
                replace(case, call=replace(case.call, rootfs=place)) if case.call else case
                for case in suite.cases
            ]
        found += [KUNIT] if options.kunit else []
        if options.suite_nodes:
            known = {case.node for case in found}
            for node in options.suite_nodes:
                if node not in known:
                    raise UsageError(f"no program {node}", "kharness cases --suite SPEC lists them")
            found = [case for case in found if case.node in options.suite_nodes]
        return found

    def plan(self) -> Plan:
        """What the results hang on: all of a plan but its cases.

        Raises:
            KharnessError: a kernel cannot be had.
        """
        kernels, guest = self.kernels(), self._settings.guest
        inputs = {f"the command line of {k.name}": " ".join(k.append) for k in kernels}
        inputs["the guest's size"] = f"{guest.memory_mib} MiB, {guest.cpus} CPUs"
        inputs |= {f"suite {suite.spec}": suite.digest for suite in self._suites}
        return Plan(
            kernels={kernel.name: kernel.sha256 for kernel in kernels},
            programs={name: file_digest(path) for name, path in self.programs.items()},
            inputs=inputs,
        )
