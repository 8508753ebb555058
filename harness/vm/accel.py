# SPDX-License-Identifier: GPL-2.0-only
"""Which accelerator: KVM only after a guest has really come up with it.

/dev/kvm may be missing, may be forbidden, may open and yet never run a guest. Each of these leads
to TCG within seconds, with one line that says why. What QEMU says is remembered for this boot of
the host, this QEMU and this kernel; a guest that QEMU says is running, and that is silent, for an
hour, since a host that has too much to do looks the same. A QEMU that was killed says nothing.
"""

import json
import math
import os
import time
from dataclasses import dataclass, replace
from pathlib import Path

from harness.cache import cache_root, digest, locked, private_folder, replacing
from harness.errors import HostError, KernelError, QemuEndedError
from harness.host import Qemu, boot_id
from harness.vm.console import Console
from harness.vm.guest import LOOK_S, BootLimits, Guest, NoProgress, kvm_complaint
from harness.vm.machine import Machine
from harness.vm.qemu import Accel, Launch

KVM_DEVICE = Path("/dev/kvm")
LOOKS = 80
"""A guest is silent when it has printed nothing at so many looks, 50 ms apart: 4 s.

A kernel under a KVM that works prints its first line within a second. Looks are counted, since
clocks go on while a host, or this process, is stopped.
"""
ALWAYS_S = math.inf
SILENCE_COUNTS_S = 3600.0
"""A guest that was silent is believed to be for so long."""


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
    found = await _try_kvm(qemu, replace(launch, accel=Accel.KVM), limits)
    if found.counts_s > 0:
        with locked(record), replacing(record) as temporary:
            temporary.write_text(
                json.dumps(
                    {
                        "accel": found.choice.accel.value,
                        "reason": found.choice.reason,
                        "until": time.time() + found.counts_s,
                    }
                )
            )
    return found.choice


@dataclass(frozen=True)
class _Found:
    """What came of trying KVM, and for how many seconds that counts."""

    choice: AccelChoice
    counts_s: float


async def _try_kvm(qemu: Qemu, launch: Launch, limits: BootLimits | None) -> _Found:
    console = Console(None)
    looks = 0
    words = ""

    def stuck(machine: Machine) -> bool:
        nonlocal looks, words
        looks += 1
        words = kvm_complaint(machine.stderr())
        return bool(words) or (console.total == 0 and looks >= LOOKS)

    try:
        guest = await Guest.boot(qemu.path, launch, console, limits, stuck)
    except NoProgress as seen:
        if words:
            return _not(words, ALWAYS_S)
        why = f"a guest printed nothing in {LOOKS * LOOK_S:.0f} s"
        return _not(why, SILENCE_COUNTS_S if seen.status == "running" else 0)
    except HostError as error:
        words = kvm_complaint(error.detail)
        if words or isinstance(error, QemuEndedError):
            return _not(words or error.what, ALWAYS_S if words else 0)
        last = (error.detail.splitlines() or [error.what])[-1].strip()
        return _not(last, ALWAYS_S if "kvm" in error.detail.lower() else 0)
    except KernelError as error:
        return _Found(AccelChoice(Accel.KVM), ALWAYS_S) if console.total else _not(error.what, 0)
    await guest.close()
    return _Found(AccelChoice(Accel.KVM), ALWAYS_S)


def _not(why: str, counts_s: float) -> _Found:
    return _Found(AccelChoice(Accel.TCG, f"KVM does not run guests here: {why}"), counts_s)


def _read(record: Path) -> AccelChoice | None:
    try:
        data = json.loads(record.read_text())
        if time.time() > data["until"]:
            return None
        return AccelChoice(Accel(data["accel"]), str(data["reason"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
