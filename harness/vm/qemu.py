# SPDX-License-Identifier: GPL-2.0-only
"""QEMU's command line: what a guest looks like, as data, and nothing else."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from harness.kernels.kernel import Arch, Kernel
from harness.vm.clock import clock_words

SANDBOX = "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"
"""Every deny that QEMU 5 and later has (qemu(1), -sandbox); all of them work with what we do."""


class Accel(StrEnum):
    """How QEMU runs the guest's instructions."""

    KVM = "kvm"
    TCG = "tcg"


class Channel(StrEnum):
    """How host and agent talk; the value is the agent's ``kh_channel``."""

    VIRTIO = "virtio"
    SERIAL = "serial"
    AUTO = "auto"


@dataclass(frozen=True)
class Shape:
    """The guest's size: virtual CPUs and memory in MiB."""

    cpus: int = 1
    memory_mib: int = 128


@dataclass(frozen=True)
class Board:
    """What QEMU needs to know of an architecture.

    Attributes:
        machine: ``-M``.
        cpu: ``-cpu`` by accelerator.
        console: the kernel's name for the first serial port.
        serial_channel: the machine has a second serial port that any kernel drives.
    """

    machine: str
    cpu: dict[Accel, str]
    console: str
    serial_channel: bool


BOARDS = {
    # pc rather than q35: one PCI bus less to realise and to scan, and it has no HPET to calibrate.
    # Without cmpxchg16b: emulated (QEMU 7.2) it leaves an address in the flags now and then, which
    # was a double fault in kmalloc() twice in 10,000 forks of Debian's 6.12 on a busy host.
    Arch.X86_64: Board(
        "pc,hpet=off,vmport=off,usb=off",
        {Accel.KVM: "host", Accel.TCG: "qemu64,-cx16"},
        "ttyS0",
        serial_channel=True,
    ),
    # pauth-impdef: QEMU's own hash instead of the architected one, which TCG computes slowly
    # (docs/system/arm/cpu-features.rst).
    Arch.AARCH64: Board(
        "virt",
        {Accel.KVM: "host", Accel.TCG: "max,pauth-impdef=on"},
        "ttyAMA0",
        serial_channel=False,
    ),
}


@dataclass(frozen=True)
class MemoryFile:
    """A file as the guest's memory.

    Attributes:
        path: the file.
        share: True writes into the file (a template is made), False maps it privately (a fork).
    """

    path: Path
    share: bool


@dataclass(frozen=True)
class Launch:
    """Everything that shapes a guest.

    Attributes:
        kernel: what to boot.
        initramfs: file with the agent and the programs.
        accel: accelerator.
        channel: how to talk to the agent.
        shape: CPUs and memory.
        memory: file behind the memory, or None for anonymous memory.
        incoming: wait for a saved state instead of booting.
        append: further words for the kernel's command line.
        standby: programs that a template has running, waiting for the name of a case.
    """

    kernel: Kernel
    initramfs: Path
    accel: Accel
    channel: Channel
    shape: Shape = Shape()
    memory: MemoryFile | None = None
    incoming: bool = False
    append: tuple[str, ...] = ()
    standby: tuple[str, ...] = ()


@dataclass(frozen=True)
class Descriptors:
    """File descriptors that QEMU inherits beside its standard ones: QMP, and channels by kind."""

    qmp: int
    channels: dict[Channel, int]


def channel_for(kernel: Kernel) -> Channel:
    """The channel that ``kernel`` has a driver for, by its configuration.

    Not known from the configuration: :attr:`Channel.AUTO`, and the agent tries.
    """
    config = kernel.config
    if not BOARDS[kernel.arch].serial_channel:
        return Channel.VIRTIO
    if not config.known:
        return Channel.AUTO
    if config.built_in("VIRTIO_CONSOLE") and config.built_in("VIRTIO_PCI"):
        return Channel.VIRTIO
    return Channel.SERIAL


def kernel_command_line(launch: Launch) -> str:
    """The kernel's command line.

    No ``quiet``: it hides WARN reports. ``panic=-1`` reboots at once, which ends QEMU
    (``-no-reboot``); ``sysrq_always_enabled`` lets the host ask a dying guest for backtraces, and
    ``unknown_nmi_panic`` makes a kernel that takes no interrupts say where it is
    (Documentation/admin-guide/kernel-parameters.txt).
    """
    console = BOARDS[launch.kernel.arch].console
    x86 = launch.kernel.arch is Arch.X86_64
    words = [
        *(f"console={console}", "panic=-1", "sysrq_always_enabled"),
        *(("unknown_nmi_panic",) if x86 else ()),
        *(clock_words() if x86 and launch.accel is Accel.TCG else ()),
        f"kh_channel={launch.channel.value}",
        *launch.kernel.append,
        *launch.append,
    ]
    return " ".join(words)


def command_line(qemu: str, launch: Launch, fds: Descriptors) -> list[str]:
    """The whole command.

    Args:
        qemu: path of ``qemu-system-<arch>``.
        launch: the guest.
        fds: connected sockets that the process inherits.
    """
    board, shape = BOARDS[launch.kernel.arch], launch.shape
    machine = board.machine
    memory: list[str] = []
    if launch.memory is not None:
        share = "on" if launch.memory.share else "off"
        # A comma in a path is doubled (qemu(1), "Device properties").
        path = str(launch.memory.path).replace(",", ",,")
        size = f"{shape.memory_mib}M"
        memory = [
            "-object",
            f"memory-backend-file,id=ram,size={size},mem-path={path},share={share}",
        ]
        machine += ",memory-backend=ram"
    channels = []
    if Channel.SERIAL in fds.channels:
        channels += [
            *("-chardev", f"socket,id=serial,fd={fds.channels[Channel.SERIAL]}"),
            *("-serial", "chardev:serial"),
        ]
    if Channel.VIRTIO in fds.channels:
        channels += [
            *("-chardev", f"socket,id=virtio,fd={fds.channels[Channel.VIRTIO]}"),
            *("-device", "virtio-serial-pci,max_ports=2,ioeventfd=off,vectors=2"),
            *("-device", "virtserialport,chardev=virtio,name=kharness"),
        ]
    return [
        qemu,
        *("-M", machine),
        *("-accel", launch.accel.value),
        *("-cpu", board.cpu[launch.accel]),
        *("-smp", str(shape.cpus)),
        *("-m", f"{shape.memory_mib}M"),
        *memory,
        *("-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-nic", "none"),
        *("-sandbox", SANDBOX),
        *("-chardev", f"socket,id=qmp,fd={fds.qmp}"),
        *("-mon", "chardev=qmp,mode=control"),
        # Not a socket: QEMU writes single bytes, of which a socket holds no more than some 270. A
        # host that is busy for 20 ms is then behind, and the kernel waits no longer than 10 ms for
        # its serial port: what comes next is lost (drivers/tty/serial/8250: wait_for_lsr()).
        *("-chardev", "stdio,id=console,signal=off"),
        *("-serial", "chardev:console"),
        *channels,
        *("-kernel", str(launch.kernel.boot)),
        *("-initrd", str(launch.initramfs)),
        *("-append", kernel_command_line(launch)),
        *(("-incoming", "defer") if launch.incoming else ()),
    ]
