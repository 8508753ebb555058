# SPDX-License-Identifier: GPL-2.0-only
"""The folder of a run, and the journal in it: made when they are first needed, written in order."""

import contextlib
import errno
import os
import shlex
import sys
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from harness import __version__
from harness.cache import owned, private_folder
from harness.errors import HostError, UsageError, names_fit
from harness.host import find_qemu
from harness.kernels.kernel import Kernel
from harness.options import RunOptions
from harness.report.journal import NAME, JournalWriter, KernelInfo, Plan, RunInfo
from harness.resume import Earlier
from harness.verdict.outcome import Result
from harness.vm.shelf import sweep_leftovers

GIVE_ANOTHER = "give another --run-dir"


class RunFolder:
    """A run's folder. A worker of xdist knows where it is; only the controller writes the journal.

    Args:
        options: what the user asked for.
        runs: folder of all runs, as harness.toml has it.
        seed: of every random choice.
        asked: what was asked for, as it goes into the journal.
        earlier: the run as it was left, when it is taken up again.
    """

    def __init__(
        self,
        options: RunOptions,
        runs: str,
        seed: int,
        asked: dict[str, object],
        earlier: Earlier | None,
    ) -> None:
        self._options = options
        self._runs = runs
        self._seed = seed
        self._asked = asked
        self._earlier = earlier
        self._path = options.run_dir.absolute() if options.run_dir else None
        self._journal: JournalWriter | None = None
        self._kernels: set[str] = set()

    @property
    def is_open(self) -> bool:
        """There is a journal, and it is this process that writes it."""
        return self._journal is not None

    @property
    def path(self) -> Path:
        """Where it is, whether it has been made or not."""
        if self._path is None:
            stamp = datetime.now().strftime("%Y%m%d-%H%M%S")
            self._path = self._options.start / self._runs / f"{stamp}-{os.getpid()}"
        return self._path

    @names_fit()
    def check(self) -> None:
        """Looks at the folder that was asked for, before anything is written into it.

        Raises:
            UsageError: it holds another run, or anything else.
        """
        if self._earlier or self._options.run_dir is None:
            return
        try:
            names = sorted(path.name for path in self.path.iterdir())
        except OSError as error:
            if error.errno == errno.ENAMETOOLONG:
                raise
            return  # it is not there, or says why when it is made
        if NAME in names:
            raise self._taken()
        # Names with a dot are .gitkeep, and what a run left that was killed before its journal.
        seen = [name for name in names if not name.startswith(".")]
        if seen:
            raise UsageError(f"{self.path} is not empty: it has {seen[0]}", GIVE_ANOTHER)

    def _taken(self) -> UsageError:
        return UsageError(f"{self.path} holds a run already", f"{GIVE_ANOTHER}, or kharness resume")

    def open(self) -> Path:
        """Makes it, unless that was done.

        Raises:
            HostError: it cannot be made.
            UsageError: the folder that was asked for holds another run.
        """
        if self._journal is not None:
            return self.path
        sweep_leftovers([self.path.parent, self.path])
        if self._earlier:
            self._journal = JournalWriter(self.path / NAME)
            self._journal.resume(_now(), _command())
            return self.path
        if (self.path / NAME).exists():
            raise self._taken()
        try:
            private_folder(self.path)
        except OSError as error:
            raise HostError(f"cannot make the run folder {self.path}: {error.strerror}") from error
        self._journal = JournalWriter(self.path / NAME)
        self._journal.run(
            RunInfo(
                id=self.path.name,
                started=_now(),
                command=_command(),
                kharness=__version__,
                qemu=find_qemu().version_text,
                seed=self._seed,
                shuffled=self._options.shuffle,
                start=str(self._options.start),
                options=self._asked,
            )
        )
        if self._options.run_dir is None:
            self._link_latest()
        return self.path

    def _link_latest(self) -> None:
        with contextlib.suppress(OSError):
            link = self.path.parent / owned(".latest-")
            link.symlink_to(self.path.name)
            link.replace(self.path.parent / "latest")

    # The journal

    def plan(self, keys: Sequence[tuple[str, str]], inputs: Plan) -> None:
        """What is to run, unless the journal has it from an earlier start.

        Args:
            keys: node id and kernel, in order.
            inputs: everything of the plan but the cases.

        Raises:
            HostError: it cannot be written.
        """
        if self._journal is None or (self._earlier and self._earlier.plan is not None):
            return
        done = self._earlier.done if self._earlier else frozenset()
        here = set(keys)
        before = (key for key in sorted(done) if key not in here)
        self._journal.plan(replace(inputs, cases=(*before, *keys)))

    def result(self, result: Result, kernel: Kernel | None) -> None:
        """A result, and before the first one of a kernel what is known of that.

        Raises:
            HostError: it cannot be written.
        """
        assert self._journal is not None
        if kernel is not None and kernel.name not in self._kernels:
            self._journal.kernel(
                KernelInfo(
                    *(kernel.name, kernel.spec, kernel.release, kernel.arch.value),
                    *(result.accel, result.extra.get("accel_reason", "")),
                )
            )
            if result.accel:
                self._kernels.add(kernel.name)
        self._journal.result(result)

    def close(self, notes: Iterable[str], code: int | None) -> None:
        """Ends the journal.

        Args:
            notes: what a reader should know.
            code: the exit code of a run that came to its end.

        Raises:
            HostError: it cannot be written.
        """
        assert self._journal is not None
        for text in notes:
            self._journal.note(text)
        if code is not None:
            self._journal.end(code)
        self._journal.close()


def _now() -> str:
    return datetime.now().astimezone().isoformat(timespec="seconds")


def _command() -> str:
    return shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]])
