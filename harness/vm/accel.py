# SPDX-License-Identifier: GPL-2.0-only
"""Which accelerator: KVM only after a guest has really come up with it.

/dev/kvm may be missing, may be forbidden, may open and yet never run a guest. Each of these leads
to TCG within seconds, with one line that says why. What was found is remembered for this boot of
the host, this QEMU and this kernel.
"""

import json
import os
import time
from dataclasses import dataclass, replace
from pathlib import Path

from harness.cache import cache_root, digest, locked, private_folder, replacing
from harness.errors import HostError, KernelError
from harness.host import Qemu, boot_id
from harness.vm.console import Console
from harness.vm.guest import BootLimits, Guest, NoProgress, kvm_complaint
from harness.vm.machine import Machine
from harness.vm.qemu import Accel, Launch

KVM_DEVICE = Path("/dev/kvm")
FIRST_BYTE_S = 4.0
"""A kernel under a KVM that works prints its first line within a second."""


@dataclass(frozen=True)
class AccelChoice:
    """The accelerator and, in one line, why it is not KVM (empty when it is, or was asked for)."""

    accel: Accel
    reason: str = ""


def kvm_device_gap(device: Path = KVM_DEVICE) -> str:
    """Why the KVM device cannot be used at all, or an empty string when it opens."""
    try:
        os.close(os.open(device, os.O_RDWR | os.O_CLOEXEC))
    except FileNotFoundError:
        return f"no KVM: {device} does not exist"
    except PermissionError:
        return f"no KVM: permission denied on {device} (join the group kvm)"
    except OSError as error:
        return f"no KVM: {device}: {error.strerror}"
    return ""


async def choose_accel(
    qemu: Qemu, launch: Launch, *, device: Path = KVM_DEVICE, limits: BootLimits | None = None
) -> AccelChoice:
    """Finds out whether ``launch`` comes up with KVM; the accelerator in it is not looked at.

    A kernel that KVM runs but that does not come up by itself is not KVM's fault: the choice is
    KVM, and the boot that follows says what is wrong with it.

    Args:
        qemu: which QEMU.
        launch: the guest.
        device: the KVM device.
        limits: bounds of the boot that is tried.
    """
    gap = kvm_device_gap(device)
    if gap:
        return AccelChoice(Accel.TCG, gap)
    key = digest(boot_id(), qemu.version_text, str(qemu.path), launch.kernel.sha256, str(device))
    record = cache_root() / "accel" / f"{key[:32]}.json"
    known = _read(record)
    if known:
        return known
    private_folder(record.parent)
    choice = await _try_kvm(qemu, replace(launch, accel=Accel.KVM), limits)
    with locked(record), replacing(record) as temporary:
        temporary.write_text(json.dumps({"accel": choice.accel.value, "reason": choice.reason}))
    return choice


async def _try_kvm(qemu: Qemu, launch: Launch, limits: BootLimits | None) -> AccelChoice:
    console = Console(None)
    deadline = time.monotonic() + FIRST_BYTE_S

    def stuck(machine: Machine) -> bool:
        return bool(kvm_complaint(machine.stderr())) or (
            console.total == 0 and time.monotonic() > deadline
        )

    seen: list[Machine] = []

    def watch(machine: Machine) -> bool:
        seen[:] = [machine]
        return stuck(machine)

    try:
        guest = await Guest.boot(qemu.path, launch, console, limits, watch)
    except NoProgress:
        why = kvm_complaint(seen[0].stderr()) if seen else ""
        why = why or f"a guest printed nothing in {FIRST_BYTE_S:.0f} s"
        return AccelChoice(Accel.TCG, f"KVM does not run guests here: {why}")
    except HostError as error:
        lines = error.detail.splitlines()
        why = kvm_complaint(error.detail) or (lines[-1].strip() if lines else error.what)
        return AccelChoice(Accel.TCG, f"KVM does not run guests here: {why}")
    except KernelError as error:
        if console.total:
            return AccelChoice(Accel.KVM)
        return AccelChoice(Accel.TCG, f"KVM does not run guests here: {error.what}")
    await guest.close()
    return AccelChoice(Accel.KVM)


def _read(record: Path) -> AccelChoice | None:
    try:
        data = json.loads(record.read_text())
        return AccelChoice(Accel(data["accel"]), str(data["reason"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
