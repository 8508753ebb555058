# SPDX-License-Identifier: GPL-2.0-only
import pytest

from harness.verdict.console import Severity, find_splats

HEALTHY = """\
[    0.000000] Linux version 6.12.117+deb12-cloud-amd64 (debian-kernel@lists.debian.org)
[    0.000000] Command line: console=ttyS0 panic=-1 sysrq_always_enabled
[    0.000000] BIOS-provided physical RAM map:
[    0.212345] PCI: Using configuration type 1 for base access
[    0.312345] pci 0000:00:01.3: quirk: [io  0xb100-0xb10f] claimed by PIIX4 SMB
[    0.412345] EXT4-fs error handling: nothing
[    1.012345] Run /init as init process
warning: this is a program's own line
BUGS are what we look for
"""


def test_a_healthy_log_gives_nothing() -> None:
    assert find_splats(HEALTHY) == ()


@pytest.mark.parametrize(
    ("line", "kind", "severity", "title"),
    [
        (
            "[    3.1] BUG: kernel NULL pointer dereference, address: 0000000000000008",
            *("oops", Severity.FATAL, "BUG: kernel NULL pointer dereference, address: ADDR"),
        ),
        (
            "[   12.345678] WARNING: CPU: 1 PID: 77 at kernel/pid.c:12 alloc_pid+0x3a/0x90",
            *("warning", Severity.WARNING, "WARNING at kernel/pid.c:12 alloc_pid"),
        ),
        (
            "[    9.000001][  T123] BUG: KASAN: slab-use-after-free in pidfd_poll+0x1c/0x40",
            *("kasan", Severity.BUG, "BUG: KASAN: slab-use-after-free in pidfd_poll"),
        ),
        (
            "<0>[    9.000001] Kernel panic - not syncing: sysrq triggered crash",
            *("panic", Severity.FATAL, "Kernel panic - not syncing: sysrq triggered crash"),
        ),
        (
            "[  242.1] INFO: task sh:52 blocked for more than 120 seconds.",
            *("hung-task", Severity.BUG, "INFO: task sh:52 blocked for more than 120 seconds."),
        ),
        (
            "[   30.1] watchdog: BUG: soft lockup - CPU#0 stuck for 26s! [x:1]",
            *("lockup", Severity.FATAL, "watchdog: BUG: soft lockup - CPU#N stuck for 26s! [x:1]"),
        ),
        (
            "[    5.1] WARNING: possible circular locking dependency detected",
            *("lockdep", Severity.BUG, "WARNING: possible circular locking dependency detected"),
        ),
        (
            "[    5.1] Out of memory: Killed process 77 (hostile) total-vm:1kB",
            *("oom", Severity.INFO, "Out of memory: Killed process 77 (hostile) total-vm:1kB"),
        ),
    ],
)
def test_each_kind(line: str, kind: str, severity: Severity, title: str) -> None:
    (splat,) = find_splats(HEALTHY + line + "\n")
    assert (splat.kind, splat.severity, splat.title) == (kind, severity, title)
    assert splat.first == HEALTHY.count("\n") + 1


def test_one_bug_has_one_title() -> None:
    one = "[ 1.1] WARNING: CPU: 0 PID: 1 at fs/x.c:3 f+0x10/0x20\n"
    two = "[ 9.9][   C1] WARNING: CPU: 3 PID: 4711 at fs/x.c:3 f+0x18/0x28\n"
    assert find_splats(one)[0].title == find_splats(two)[0].title
