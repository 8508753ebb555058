# SPDX-License-Identifier: GPL-2.0-only
import asyncio
import errno
import os
import pickle
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.errors import GuestError, HostError, QemuEndedError
from harness.host import Qemu
from harness.vm import machine as module
from harness.vm.console import Console
from harness.vm.loop import VmLoop
from harness.vm.machine import Machine
from harness.vm.qemu import Launch
from tests.judging import guests_of


class Fleeting(dict[str, str]):
    """An environment with a variable that is gone when it is looked at."""

    def __iter__(self) -> Iterator[str]:
        yield "GONE_BY_NOW"
        yield from super().__iter__()

    def keys(self) -> list[str]:  # type: ignore[override]
        return list(self)


@pytest.mark.guest
def test_a_variable_that_goes_away_keeps_no_guest_from_starting(
    loop: VmLoop, qemu: Qemu, launch: Launch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """pytest takes one away in the main thread while guests are started in another."""
    monkeypatch.setattr("harness.vm.machine.os.environ", Fleeting(os.environ))
    machine = loop.run(Machine.start(qemu.path, launch, Console(None)))
    try:
        assert machine.returncode is None
    finally:
        loop.run(machine.close())


@pytest.mark.guest
def test_a_descriptor_for_a_qemu_that_is_gone_is_the_guest_s_end(
    loop: VmLoop, qemu: Qemu, launch: Launch
) -> None:
    """Whoever is killed just then is lost like any other; it is no defect of the harness."""

    async def lose() -> None:
        machine = await Machine.start(qemu.path, launch, Console(None))
        try:
            machine.kill()
            await machine.gone.wait()
            for _ in range(100):  # the connection ends a little later
                with pytest.raises(GuestError, match=r"QEMU is gone \(killed by SIGKILL\)"):
                    await machine.hand_over("state", 2)
                await asyncio.sleep(0)
        finally:
            await machine.close()

    loop.run(lose())


def stand_in(folder: Path, words: str) -> Path:
    """A program in QEMU's place."""
    path = folder / "qemu-system-stand-in"
    path.write_text(f"#!/bin/sh\n{words}\n")
    path.chmod(0o700)
    return path


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def not_started(loop: VmLoop, qemu: Path, launch: Launch) -> None:
    """Tries to start a guest that does not come up."""
    loop.run(asyncio.wait_for(Machine.start(qemu, launch, Console(None)), 30))


@pytest.mark.guest
@pytest.mark.parametrize("reason", [errno.ENOSYS, errno.EPERM, errno.ENFILE])
def test_a_process_that_cannot_be_watched_is_ended_at_once(
    loop: VmLoop,
    launch: Launch,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    reason: int,
) -> None:
    """As on a host, or in a sandbox, without pidfd_open(2)."""

    def refuse(pid: int, flags: int = 0) -> int:
        raise OSError(reason, os.strerror(reason))

    qemu = stand_in(tmp_path, "exec sleep 1000")
    others, before = guests_of(os.getpid()), descriptors()
    with monkeypatch.context() as patched:
        patched.setattr(os, "pidfd_open", refuse)
        with pytest.raises((HostError, OSError), match=os.strerror(reason)):
            not_started(loop, qemu, launch)
    assert guests_of(os.getpid()) == others
    assert descriptors() == before


@pytest.mark.guest
def test_a_start_that_fails_leaves_no_descriptor(
    loop: VmLoop, qemu: Qemu, launch: Launch, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_compiler() -> Path:
        raise HostError("no compiler")

    monkeypatch.setattr(module, "_tether", no_compiler)
    before = descriptors()
    for _ in range(20):
        with pytest.raises(HostError, match="no compiler"):
            not_started(loop, qemu.path, launch)
    assert descriptors() == before


@pytest.mark.guest
@pytest.mark.parametrize(
    ("does", "kind", "says"),
    [
        ("exec sleep 1000", QemuEndedError, "QEMU was started, and does not answer over QMP"),
        ("kill -SEGV $$", QemuEndedError, r"QEMU ended .*\(killed by SIGSEGV\)"),
        ("echo bad option >&2; exit 1", HostError, r"QEMU ended .*\(exit 1: bad option\)"),
    ],
)
def test_a_qemu_that_is_lost_is_told_from_one_that_refuses(
    loop: VmLoop,
    launch: Launch,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    does: str,
    kind: type[HostError],
    says: str,
) -> None:
    """One that hangs, or is killed, says nothing of the kernel: it is booted again."""
    monkeypatch.setattr(module, "QMP_TIMEOUT_S", 2.0)
    with pytest.raises(HostError, match=says) as raised:
        not_started(loop, stand_in(tmp_path, does), launch)
    assert type(raised.value) is kind


STARTS_TWICE = """
import asyncio, pickle, shutil, sys
from harness.cache import cache_root
from harness.errors import HostError
from harness.vm.console import Console
from harness.vm.machine import Machine

with open(sys.argv[1], "rb") as stored:
    qemu, launch = pickle.load(stored)

async def start():
    machine = await Machine.start(qemu, launch, Console(None))
    await machine.close()

asyncio.run(start())
(tether,) = (cache_root() / "programs").glob("*/tether")
if sys.argv[2] == "remove":
    shutil.rmtree(cache_root())
else:
    tether.chmod(0o600)
try:
    asyncio.run(start())
    print("started twice")
except HostError as error:
    print(error)
"""


def starts_twice(folder: Path, qemu: Qemu, launch: Launch, between: str) -> str:
    """With a cache of its own."""
    stored = folder / "launch"
    stored.write_bytes(pickle.dumps((qemu.path, launch)))
    done = subprocess.run(
        [sys.executable, "-c", STARTS_TWICE, str(stored), between],
        env={**os.environ, "KHARNESS_CACHE": str(folder / "cache")},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    return done.stdout + done.stderr


@pytest.mark.guest
def test_a_cache_may_be_removed_between_two_guests(
    tmp_path: Path, qemu: Qemu, launch: Launch
) -> None:
    assert starts_twice(tmp_path, qemu, launch, "remove") == "started twice\n"


@pytest.mark.guest
def test_a_cache_whose_programs_may_not_run_is_named(
    tmp_path: Path, qemu: Qemu, launch: Launch
) -> None:
    """As on a file system that is mounted noexec."""
    said = starts_twice(tmp_path, qemu, launch, "forbid")
    assert said.startswith(f"cannot run {tmp_path / 'cache' / 'programs'}/")
    assert "/tether: Permission denied: set KHARNESS_CACHE" in said
    assert "QEMU" not in said
