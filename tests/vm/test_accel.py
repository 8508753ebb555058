# SPDX-License-Identifier: GPL-2.0-only
"""Every way in which KVM is not there: fakes that fail the same way, and this host's own device."""

import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from harness.cache import cache_root
from harness.host import Qemu
from harness.vm.accel import choose_accel, kvm_device_gap
from harness.vm.loop import VmLoop
from harness.vm.qemu import Accel, Launch
from tests.judging import own_cache


@pytest.fixture
def fresh_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KHARNESS_CACHE", str(tmp_path / "cache"))


def fake_qemu(folder: Path, kvm: str) -> Qemu:
    """A QEMU that does ``kvm`` when it is asked for KVM."""
    path = folder / "qemu"
    path.write_text(f"#!/bin/sh\n{kvm}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return Qemu(path, (7, 2), "fake")


def test_missing_device_is_tcg(loop: VmLoop, qemu: Qemu, launch: Launch, tmp_path: Path) -> None:
    choice = loop.run(choose_accel(qemu, launch, device=tmp_path / "kvm"))
    assert choice.accel is Accel.TCG
    assert "does not exist" in choice.reason


@pytest.mark.skipif(os.geteuid() == 0, reason="root may open everything")
def test_forbidden_device_is_tcg(tmp_path: Path) -> None:
    device = tmp_path / "kvm"
    device.touch(0o000)
    assert "permission denied" in kvm_device_gap(device)


def test_forbidden_device_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("harness.vm.accel.os.open", refuse)
    assert "permission denied" in kvm_device_gap(tmp_path)


@pytest.mark.usefixtures("fresh_cache")
@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [
        ("echo 'error: failed to set MSR 0x10a to 0x0' >&2; exit 134", "failed to set MSR"),
        ("echo 'Could not access KVM kernel module' >&2; exit 1", "Could not access KVM"),
        ("exit 1", "QEMU ended"),
    ],
)
def test_qemu_that_ends_is_tcg(
    loop: VmLoop, launch: Launch, tmp_path: Path, behaviour: str, reason: str
) -> None:
    device = tmp_path / "kvm"
    device.touch()
    qemu = fake_qemu(tmp_path, behaviour)
    choice = loop.run(choose_accel(qemu, launch, device=device))
    assert choice.accel is Accel.TCG
    assert reason in choice.reason


@pytest.mark.guest
@pytest.mark.usefixtures("fresh_cache")
@pytest.mark.parametrize(
    ("words", "reason"),
    [
        # A guest that never runs: QEMU is up, its console stays silent.
        ("", "printed nothing"),
        ("KVM internal error. Suberror: 1", "KVM internal error"),
    ],
)
def test_guest_that_does_not_run_is_tcg(
    loop: VmLoop, qemu: Qemu, launch: Launch, tmp_path: Path, words: str, reason: str
) -> None:
    device = tmp_path / "kvm"
    device.touch()
    script = (
        f"echo '{words}' >&2\nfor a; do shift; case $a in kvm) a=tcg;; host) a=qemu64;; esac;"
        ' set -- "$@" "$a"; done\n'
        f'exec {qemu.path} "$@" -S'
    )
    choice = loop.run(choose_accel(fake_qemu(tmp_path, script), launch, device=device))
    assert choice.accel is Accel.TCG
    assert reason in choice.reason


@pytest.mark.guest
@pytest.mark.usefixtures("fresh_cache")
def test_kvm_that_works_is_kvm_and_is_remembered(
    loop: VmLoop, qemu: Qemu, launch: Launch, tmp_path: Path
) -> None:
    device = tmp_path / "kvm"
    device.touch()
    count = tmp_path / "starts"
    script = (
        f"echo x >>{count}\nfor a; do shift; case $a in kvm) a=tcg;; host) a=qemu64;; esac;"
        ' set -- "$@" "$a"; done\n'
        f'exec {qemu.path} "$@"'
    )
    fake = fake_qemu(tmp_path, script)
    for _ in range(2):
        assert loop.run(choose_accel(fake, launch, device=device)).accel is Accel.KVM
    assert count.read_text() == "x\n"


EMULATED = """for a; do shift
case $a in kvm) a=tcg;; host) a=qemu64;; console=*) a=${append-$a};; esac
set -- "$@" "$a"; done
"""
"""Takes KVM out of a script's arguments, and puts $append, if set, into the kernel's place."""


def records() -> list[Path]:
    return list((cache_root() / "accel").glob("*.json"))


@pytest.mark.guest
@pytest.mark.usefixtures("fresh_cache")
@pytest.mark.parametrize(
    "ends",
    [
        # Whoever ends a run may hit its QEMU first: the system for want of memory, or a CI.
        "kill -KILL $$",
        "kill -TERM $$",
        "echo 'cannot set up guest memory: Cannot allocate memory' >&2; exit 1",
    ],
)
def test_a_qemu_that_says_nothing_of_kvm_is_asked_again(
    loop: VmLoop, qemu: Qemu, launch: Launch, tmp_path: Path, ends: str
) -> None:
    device = tmp_path / "kvm"
    device.touch()
    fake = fake_qemu(
        tmp_path,
        f'if mkdir {tmp_path}/once 2>/dev/null; then {ends}; fi\n{EMULATED}exec {qemu.path} "$@"',
    )
    choice = loop.run(choose_accel(fake, launch, device=device))
    assert (choice.accel, bool(choice.reason)) == (Accel.TCG, True)
    assert records() == []
    assert loop.run(choose_accel(fake, launch, device=device)).accel is Accel.KVM
    assert len(records()) == 1


@pytest.mark.usefixtures("fresh_cache")
@pytest.mark.parametrize(
    "words", ["Could not access KVM kernel module", "error: failed to set MSR 0x10a to 0x0"]
)
def test_what_qemu_says_of_kvm_is_remembered(
    loop: VmLoop, launch: Launch, tmp_path: Path, words: str
) -> None:
    device = tmp_path / "kvm"
    device.touch()
    fake = fake_qemu(tmp_path, f"echo x >>{tmp_path}/starts; echo '{words}' >&2; exit 1")
    for _ in range(2):
        assert words in loop.run(choose_accel(fake, launch, device=device)).reason
    assert (tmp_path / "starts").read_text() == "x\n"


@pytest.mark.guest
@pytest.mark.usefixtures("fresh_cache")
def test_silence_is_believed_for_an_hour(
    loop: VmLoop, qemu: Qemu, launch: Launch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    device = tmp_path / "kvm"
    device.touch()
    script = f"echo x >>{tmp_path}/starts; append='panic=0 rdinit=/no/init init=/no/init'\n"
    script += f'{EMULATED}exec {qemu.path} "$@"'
    fake = fake_qemu(tmp_path, script)
    for _ in range(2):
        choice = loop.run(choose_accel(fake, launch, device=device))
        assert "printed nothing" in choice.reason
    assert (tmp_path / "starts").read_text() == "x\n"
    now = time.time()
    monkeypatch.setattr("harness.vm.accel.time.time", lambda: now + 3700)
    loop.run(choose_accel(fake, launch, device=device))
    assert (tmp_path / "starts").read_text() == "x\nx\n"


PROBE = """
import sys
from pathlib import Path
from harness.host import Qemu
from harness.kernels.spec import resolve
from harness.vm.accel import choose_accel
from harness.vm.archives import store_initramfs
from harness.vm.loop import VmLoop
from harness.vm.qemu import Accel, Launch, channel_for
kernel = resolve(sys.argv[1])
launch = Launch(kernel, store_initramfs({}), Accel.TCG, channel_for(kernel))
with VmLoop() as loop:
    qemu = Qemu(Path(sys.argv[2]), (7, 2), "fake")
    loop.run(choose_accel(qemu, launch, device=Path(sys.argv[3])))
"""


@pytest.mark.guest
def test_a_probe_that_is_killed_in_the_middle_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = own_cache(tmp_path / "cache", cache_root() / "kernels")
    monkeypatch.setenv("KHARNESS_CACHE", str(tmp_path / "cache"))
    device = tmp_path / "kvm"
    device.touch()
    # In QEMU's place is a program that does nothing; the pipe says that it runs.
    os.mkfifo(tmp_path / "runs")
    fake = fake_qemu(tmp_path, f"echo >{tmp_path}/runs; exec sleep 1000")
    command = [sys.executable, "-c", PROBE, "debian:6.12", str(fake.path), str(device)]
    with subprocess.Popen(command, env=environment) as prober:
        (tmp_path / "runs").read_text()
        prober.kill()
        assert prober.wait() == -signal.SIGKILL
    assert records() == []


@pytest.mark.guest
@pytest.mark.usefixtures("fresh_cache")
def test_this_host_gets_what_works(loop: VmLoop, qemu: Qemu, launch: Launch) -> None:
    choice = loop.run(choose_accel(qemu, launch))
    assert (choice.accel is Accel.TCG) == bool(choice.reason)
    assert "\n" not in choice.reason
