# SPDX-License-Identifier: GPL-2.0-only
"""Templates: a guest booted to an idle agent, saved once, forked for every case.

A template is a folder of the cache: ``ram`` (the guest's memory, mapped privately by every fork),
``state`` (QEMU's device state), ``boot.log`` (what its kernel printed) and ``meta.json`` (sizes and
checksums). It is made under a lock in a temporary folder and appears under its name complete or
not at all.
"""

import asyncio
import json
import os
import shutil
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from qemu.qmp import ExecuteError

from harness.cache import digest, owned
from harness.errors import HostError, KharnessError
from harness.host import Qemu, boot_id, cpu_model
from harness.locks import Lock
from harness.vm.console import Console
from harness.vm.guest import IGNORE_SHARED, BootLimits, Guest, restore
from harness.vm.machine import Machine
from harness.vm.qemu import Accel, Channel, Descriptors, Launch, MemoryFile, command_line
from harness.vm.shelf import (
    in_memory,
    lock_path,
    prune_templates,
    remove_template,
    root_for,
    roots,
)
from harness.vm.tmpfs import tmpfs_folder_in_use

FORMAT = 4
BOOT_LOG = "boot.log"
"""What the kernel printed while the template was booted."""
IDLE_WINDOW_S = 0.05
IDLE_SHARE = 0.04
"""A guest is idle when QEMU used less than this share of a CPU in each of IDLE_WINDOWS windows."""
IDLE_WINDOWS = 4
IDLE_LIMIT_S = 30.0
AGE_S = 1.3
"""From its boot on a guest is given so long before it is looked at at all (:func:`_wait_idle`)."""
SAVE_LIMIT_S = 30.0
LOCK_S = 0.1
"""Who waits for another to make a template looks so often, in seconds."""
ZEROS = bytes(256 * 1024)


class CannotFork(Exception):  # noqa: N818 - a property of the QEMU at hand
    """This QEMU or this machine type cannot save a template."""


@dataclass(frozen=True)
class Template:
    """A saved guest.

    Attributes:
        folder: where it lies.
        launch: the guest as it was booted, without a memory file.
        channel: the channel that its agent chose.
        qemu: the QEMU that saved it.
    """

    folder: Path
    launch: Launch
    channel: Channel
    qemu: Qemu

    async def fork(self, console: Console) -> Guest:
        """A guest that starts from here, in private memory.

        Raises:
            HostError: QEMU does not start.
            GuestError: the template does not load.
        """
        memory = MemoryFile(self.folder / "ram", share=False)
        launch = replace(self.launch, memory=memory, incoming=True)
        state = os.open(self.folder / "state", os.O_RDONLY | os.O_CLOEXEC)
        try:
            return await restore(self.qemu.path, launch, console, state, self.channel)
        finally:
            os.close(state)


def template_key(qemu: Qemu, launch: Launch) -> str:
    """Hex digest of everything that shapes a template."""
    shape = command_line(str(qemu.path), launch, Descriptors(0, {}))
    about = qemu.path.stat()
    # With KVM the guest has this host's CPU, and its kernel has patched itself for that one.
    host = (boot_id(), cpu_model()) if launch.accel is Accel.KVM else ()
    return digest(
        f"template {FORMAT}",
        *(qemu.version_text, f"{about.st_size} {about.st_mtime_ns}"),
        *(launch.kernel.sha256, launch.initramfs.name, "\0".join(launch.standby)),
        "\0".join(shape),
        *host,
    )[:32]


@contextmanager
def template_in_use(key: str) -> Iterator[None]:
    """Keeps others from evicting the template while the block runs."""
    with tmpfs_folder_in_use(), Lock(lock_path(key, "use"), shared=True):
        yield


async def obtain_template(
    qemu: Qemu,
    launch: Launch,
    console: Console,
    limits: BootLimits | None = None,
    *,
    limit_mib: int = 2048,
) -> Template:
    """The template for ``launch``: from the cache, or made now. Others who want it wait.

    The caller holds :func:`template_in_use` before this and for as long as it forks.

    Args:
        qemu: which QEMU.
        launch: the guest; no memory file, not incoming.
        console: takes what the kernel prints while it boots.
        limits: bounds of the boot.
        limit_mib: what all templates together may take, in MiB.

    Raises:
        CannotFork: this QEMU cannot save it.
        KernelError, HostError: the guest does not come up.
    """
    key = template_key(qemu, launch)
    found = await asyncio.to_thread(_find, key, qemu, launch)
    if found:
        return found
    lock = Lock(lock_path(key, "build"), shared=False)
    # Not in a thread: it would wait on when nobody wants the template any more.
    while not lock.acquire(wait=False):  # noqa: ASYNC110 - another process has it
        await asyncio.sleep(LOCK_S)
    try:
        found = await asyncio.to_thread(_find, key, qemu, launch)
        if found:
            return found
        for root in roots():
            remove_template(root, key)  # of a builder that died, and what is damaged
        made = await _make_where_there_is_room(qemu, launch, console, limits)
        await asyncio.to_thread(prune_templates, limit_mib)
        return made
    finally:
        lock.release()


async def _make_where_there_is_room(
    qemu: Qemu, launch: Launch, console: Console, limits: BootLimits | None
) -> Template:
    root = root_for(launch.shape.memory_mib)
    try:
        return await _make(root, qemu, launch, console, limits)
    except KharnessError as error:
        # A tmpfs that others fill meanwhile is a bus error for who writes to its pages.
        if not in_memory(root) or "SIGBUS" not in f"{error.what} {error.detail}":
            raise
    root = root_for(launch.shape.memory_mib, disk_only=True)
    return await _make(root, qemu, launch, console, limits)


async def _make(
    root: Path,
    qemu: Qemu,
    launch: Launch,
    console: Console,
    limits: BootLimits | None,
) -> Template:
    key = template_key(qemu, launch)
    folder = Path(tempfile.mkdtemp(prefix=owned(f"{key}.new."), dir=root))
    try:
        memory = MemoryFile(folder / "ram", share=True)
        capture = console.begin()
        guest = await Guest.boot(qemu.path, replace(launch, memory=memory), console, limits)
        try:
            # The first seed makes the kernel say "crng init done": here, and not in every fork.
            await guest.agent.sync()
            for program in launch.standby:
                await guest.agent.standby(program)
            if launch.standby:
                # Starting them made every page of the agent copy-on-write.
                await guest.agent.sync()
            await _wait_idle(guest.machine)
            await _save(guest.machine, folder / "state")
            channel = guest.agent.channel
        finally:
            await guest.close()
        meta = {
            "format": FORMAT,
            "channel": channel.value,
            "kernel": launch.kernel.spec,
            "release": launch.kernel.release,
            "ram": await asyncio.to_thread(_checksum, folder / "ram"),
            "state": await asyncio.to_thread(_checksum, folder / "state"),
        }
        (folder / BOOT_LOG).write_bytes(console.end(capture))
        (folder / "meta.json").write_text(json.dumps(meta))
        target = root / key
        folder.rename(target)
    except OSError as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise HostError(
            f"cannot store a template in {root}: {error.strerror}", "kharness cache prune"
        ) from error
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return Template(target, launch, channel, qemu)


async def _wait_idle(machine: Machine) -> None:
    """Waits until the guest's kernel has nothing to do any more.

    What kernel threads still do when a template is saved, such as crypto self-tests after a boot,
    every fork would do again. What a kernel does a second after its boot, such as refining the
    TSC's frequency (arch/x86/kernel/tsc.c), is waited for. A guest that never rests is saved as it
    is after 30 s.
    """
    await asyncio.sleep(AGE_S)
    calm, last = 0, machine.vcpu_runtime_ns()
    for _ in range(int(IDLE_LIMIT_S / IDLE_WINDOW_S)):
        await asyncio.sleep(IDLE_WINDOW_S)
        now = machine.vcpu_runtime_ns()
        if now is None or last is None:
            await asyncio.sleep(2.0)  # a host that does not tell
            return
        used, last = now - last, now
        calm = calm + 1 if used < IDLE_SHARE * IDLE_WINDOW_S * 1e9 else 0
        if calm >= IDLE_WINDOWS:
            return


async def _save(machine: Machine, target: Path) -> None:
    """Saves the device state; the memory is in its file already.

    The guest is not stopped first: QEMU stops it itself to save it, and a state that was saved
    running starts to run by itself when it is loaded, without a ``cont``.
    """
    fd = os.open(target, os.O_CREAT | os.O_RDWR | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        try:
            await machine.execute("migrate-set-capabilities", IGNORE_SHARED)
            await machine.hand_over("state", fd)
            await machine.execute("migrate", {"uri": "fd:state"})
        except ExecuteError as error:
            raise CannotFork(str(error)) from error
        deadline = asyncio.get_running_loop().time() + SAVE_LIMIT_S
        while True:
            status = await machine.execute("query-migrate")
            state = status.get("status")
            if state == "completed":
                break
            if state == "failed" or asyncio.get_running_loop().time() > deadline:
                raise CannotFork(str(status.get("error-desc", f"saving is {state}")))
            await asyncio.sleep(0.002)
    finally:
        os.close(fd)


def _find(key: str, qemu: Qemu, launch: Launch) -> Template | None:
    """The template in the cache, if it is there and whole."""
    for root in roots():
        folder = root / key
        if not folder.is_dir():
            continue
        try:
            meta = json.loads((folder / "meta.json").read_text())
            if meta["format"] == FORMAT and all(
                _checksum(folder / name) == meta[name] for name in ("ram", "state")
            ):
                os.utime(folder)  # least recently used goes first
                return Template(folder, launch, Channel(meta["channel"]), qemu)
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return None


def _checksum(path: Path) -> list[int]:
    """Size and CRC-32 of what is not zero in a file.

    Holes are skipped, which is most of a guest's memory. Whether zeros are a hole may change: a
    fork that reads a hole of a file in tmpfs fills it with zeros (mm/shmem.c).
    """
    crc, size, position = 0, path.stat().st_size, 0
    with path.open("rb", buffering=0) as stream:
        fd = stream.fileno()
        while position < size:
            try:
                position = os.lseek(fd, position, os.SEEK_DATA) // len(ZEROS) * len(ZEROS)
            except OSError:  # ENXIO: no data after this
                break
            block = os.pread(fd, len(ZEROS), position)
            if block != ZEROS[: len(block)]:
                crc = zlib.crc32(block, zlib.crc32(position.to_bytes(8, "little"), crc))
            position += len(ZEROS)
    return [size, crc]
