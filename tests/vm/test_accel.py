# SPDX-License-Identifier: GPL-2.0-only
"""Every way in which KVM is not there: fakes that fail the same way, and this host's own device."""

import os
import stat
from pathlib import Path

import pytest

from harness.host import Qemu
from harness.vm.accel import choose_accel, kvm_device_gap
from harness.vm.loop import VmLoop
from harness.vm.qemu import Accel, Launch


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


@pytest.mark.guest
@pytest.mark.usefixtures("fresh_cache")
def test_this_host_gets_what_works(loop: VmLoop, qemu: Qemu, launch: Launch) -> None:
    choice = loop.run(choose_accel(qemu, launch))
    assert (choice.accel is Accel.TCG) == bool(choice.reason)
    assert "\n" not in choice.reason
