# SPDX-License-Identifier: GPL-2.0-only
"""Builds and installs a kernel tree's selftests in the cache; the tree itself is not written to."""

import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.cache import cache_root, digest, private_folder
from harness.errors import HostError, KernelError, UsageError
from harness.host import cpu_count
from harness.kernels.make import make_failure, make_started
from harness.kernels.mirror import mirror
from harness.kernels.source import Source, open_source
from harness.locks import Lock
from harness.outputs import cannot_write
from harness.suites.kselftest import LIST, NOT_BUILT
from harness.toolchain import find_compiler

PARTS = ("Makefile", "Kbuild", "Kconfig", "scripts/", "include/", "arch/", "usr/", "tools/")
"""What ``make headers`` and the selftests read."""
FORMAT = "2"


@dataclass(frozen=True)
class _Part(Source):
    """The part of a source that the selftests are built of."""

    def files(self) -> Iterator[str]:
        return (name for name in super().files() if name.startswith(PARTS))


def build_selftests(tree: str, targets: Sequence[str], say: Callable[[str], None]) -> Path:
    """The installed folder of a tree's selftests; built when it is not in the cache.

    Where some targets build and others do not, the folder says why in :data:`NOT_BUILT`.

    Args:
        tree: folder of a kernel tree, or another source's spec (``debian:6.12``).
        targets: such as ``pidfd``.
        say: takes a line before a build.

    Raises:
        UsageError: no such source or target.
        KernelError: no target builds.
        HostError: no room, no make, no rsync, no compiler.
    """
    source = open_source(tree)
    for target in targets:
        folder = source.folder / "tools/testing/selftests" / target
        if not (folder / "Makefile").is_file():
            raise UsageError(f"{tree} has no selftests {target}", "see tools/testing/selftests")
    names = sorted(set(targets))
    work = private_folder(private_folder(cache_root() / "selftests") / digest(source.lineage)[:16])
    key = digest(FORMAT, source.identity, find_compiler().version, *names)[:24]
    installed = work / key
    lock = Lock(work / "lock", shared=False)
    lock.acquire()
    try:
        # What did not build is tried again: a library may have come.
        if not (installed / LIST).is_file() or (installed / NOT_BUILT).exists():
            say(f"building the selftests {', '.join(names)} of {tree}")
            _build(source, names, work, installed, lock)
    finally:
        lock.release()
    return installed


def _build(source: Source, names: list[str], work: Path, installed: Path, lock: Lock) -> None:
    if shutil.which("rsync") is None:
        raise HostError("no rsync, which installing selftests takes", "apt-get install rsync")
    part = _Part(**{name: getattr(source, name) for name in source.__dataclass_fields__})
    tree, new = work / "tree", work / f".new-{installed.name}"
    mirror(part, tree, {})
    shutil.rmtree(new, ignore_errors=True)
    make = _Make(tree, work, lock)
    make.run("headers")
    failed: dict[str, str] = {}
    try:
        make.selftests(names, "install", f"INSTALL_PATH={new}")
    except KernelError as error:
        failed = _those_that_fail(make, names)
        good = [name for name in names if name not in failed]
        if not good:
            raise error
        make.selftests(good, "install", f"INSTALL_PATH={new}")
    if not (new / LIST).is_file():
        raise KernelError(f"no test in {', '.join(names)}", f"make's output is in {work}/log")
    if failed:
        (new / NOT_BUILT).write_text(json.dumps(failed))
    shutil.rmtree(installed, ignore_errors=True)
    new.rename(installed)


def _those_that_fail(make: "_Make", names: list[str]) -> dict[str, str]:
    """Why a target does not build, in one line, by its name."""
    failed = {}
    for name in names:
        try:
            make.selftests([name], "all")
        except KernelError as error:
            failed[name] = error.what
    return failed


@dataclass(frozen=True)
class _Make:
    """make in a copy of the tree.

    Attributes:
        tree: the copy.
        work: takes the log.
        lock: of the work folder, held.
    """

    tree: Path
    work: Path
    lock: Lock

    def selftests(self, names: list[str], *words: str) -> None:
        """Makes something of some targets, of which each has to build.

        Raises:
            KernelError: one does not.
        """
        # A target that is skipped unless asked for (bpf, sched_ext) was asked for.
        targets = (f"TARGETS={' '.join(names)}", "FORCE_TARGETS=1", "SKIP_TARGETS=")
        self.run(*targets, *words, folder="tools/testing/selftests")

    def run(self, *words: str, folder: str = "") -> None:
        """Runs make.

        Raises:
            KernelError: it fails.
            HostError: there is no make, or no room.
        """
        log = self.work / "log"
        command = ["make", "-C", str(self.tree / folder), f"-j{cpu_count()}", *words]
        with make_started(command, self.lock) as process:
            assert process.stdout is not None
            said = process.stdout.read()
            status = process.wait()
        try:
            log.write_text(said)
        except OSError as error:
            raise cannot_write(log, error) from error
        if status != 0:
            raise make_failure("the selftests do not build", said.splitlines(), log)
