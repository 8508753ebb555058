# SPDX-License-Identifier: GPL-2.0-only
"""Real guests: what the agent does, and what it survives."""

import hashlib
import os
import re
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from harness.errors import GuestError, KernelError
from harness.host import Qemu
from harness.verdict.text import clean
from harness.vm.agent import AgentRefusal, RunReport
from harness.vm.console import Console
from harness.vm.guest import BootLimits, Guest
from harness.vm.loop import VmLoop
from harness.vm.protocol import AgentError, Run
from harness.vm.qemu import Accel, Channel, Launch

pytestmark = pytest.mark.guest


@pytest.fixture(scope="module")
def guest(loop: VmLoop, qemu: Qemu, every_launch: Launch) -> Iterator[Guest]:
    up = loop.run(Guest.boot(qemu.path, every_launch, Console(None)))
    yield up
    loop.run(up.close())


def sh(loop: VmLoop, guest: Guest, script: str, **limits: float) -> RunReport:
    run = Run(("/bin/sh", "-c", script))
    return loop.run(guest.agent.run(run, timeout_s=limits.get("timeout_s", 30)))


def hostile(loop: VmLoop, guest: Guest, way: str, timeout_s: float = 60) -> RunReport:
    return loop.run(guest.agent.run(Run(("/case/hostile", way)), timeout_s=timeout_s))


def test_channel_is_the_one_that_the_kernel_has(guest: Guest) -> None:
    release = guest.machine.launch.kernel.release
    wanted = Channel.SERIAL if release.startswith("6.1.") else Channel.VIRTIO
    assert guest.agent.channel is wanted


def test_output_and_status_arrive_apart(loop: VmLoop, guest: Guest) -> None:
    report = sh(loop, guest, "echo out; echo err >&2; exit 3")
    assert (report.stdout, report.stderr) == (b"out\n", b"err\n")
    assert os.waitstatus_to_exitcode(report.exited.status) == 3
    assert report.exited.maxrss_kib > 0


def test_environment_is_clean_and_root_read_only(loop: VmLoop, guest: Guest) -> None:
    report = sh(loop, guest, "env | cut -d= -f1 | sort; touch /x || echo refused; pwd")
    assert report.stdout.split() == [
        b"HOME",
        b"PATH",
        b"PWD",
        b"SHLVL",
        b"TERM",
        b"refused",
        b"/tmp",
    ]


def test_descriptors_have_names(loop: VmLoop, guest: Guest) -> None:
    """A script that is run by a descriptor is read through /dev/fd (execveat(2), NOTES)."""
    report = sh(
        loop,
        guest,
        "echo 'echo read' >/tmp/s; exec 5</tmp/s; sh /dev/fd/5;"
        "echo in | cat /dev/stdin; echo out >/dev/stdout; echo err >/dev/stderr",
    )
    assert (report.stdout, report.stderr) == (b"read\nin\nout\n", b"err\n")


def test_tmp_is_fresh_for_every_program(loop: VmLoop, guest: Guest) -> None:
    sh(loop, guest, "touch /tmp/left")
    assert sh(loop, guest, "ls /tmp").stdout == b""


def test_time_limit_kills(loop: VmLoop, guest: Guest) -> None:
    report = hostile(loop, guest, "spin", timeout_s=0.5)
    assert report.timed_out
    assert os.waitstatus_to_exitcode(report.exited.status) == -9
    assert report.exited.user_s > 0.2


@pytest.mark.parametrize(
    ("way", "code"), [("close-all", 5), ("kill-all", 6), ("fill-tmp", 0), ("protocol", 3)]
)
def test_agent_survives(loop: VmLoop, guest: Guest, way: str, code: int) -> None:
    assert os.waitstatus_to_exitcode(hostile(loop, guest, way).exited.status) == code
    assert sh(loop, guest, "echo alive").stdout == b"alive\n"


def test_agent_survives_fork_bomb(loop: VmLoop, guest: Guest) -> None:
    report = hostile(loop, guest, "fork-bomb", timeout_s=2)
    assert report.timed_out
    assert report.exited.leftovers > 0
    assert report.exited.stuck == 0
    assert sh(loop, guest, "echo alive").stdout == b"alive\n"


def test_agent_survives_full_memory(loop: VmLoop, guest: Guest) -> None:
    report = hostile(loop, guest, "fill-memory")
    assert os.waitstatus_to_exitcode(report.exited.status) == -9
    assert sh(loop, guest, "echo alive").stdout == b"alive\n"


def test_long_output_keeps_its_start_and_end(loop: VmLoop, guest: Guest) -> None:
    report = hostile(loop, guest, "output")
    assert report.truncated
    assert report.exited.stdout_bytes == 1600 * 65536 + 4
    assert report.stdout.endswith(b"xEND\n")
    (gap,) = re.findall(rb"\n\[\.\.\. ([0-9]+) bytes left out \.\.\.\]\n", report.stdout)
    assert int(gap) == report.exited.stdout_bytes - (512 + 64) * 1024
    assert len(report.stdout) < 1 << 20


def test_emulated_cpu_has_not_what_emulation_gets_wrong(loop: VmLoop, guest: Guest) -> None:
    assert guest.machine.launch.accel is Accel.TCG
    (flags, *_) = re.findall(rb"^flags.*", sh(loop, guest, "cat /proc/cpuinfo").stdout, re.M)
    assert b"sse2" in flags.split()
    assert b"cx16" not in flags.split()


def test_of_long_output_whole_lines_are_kept(loop: VmLoop, guest: Guest) -> None:
    report = sh(loop, guest, "seq 200000")
    lines = report.stdout.decode().splitlines()
    (at,) = [n for n, line in enumerate(lines) if line.startswith("[... ")]
    numbers = [int(line) for line in lines[:at] + lines[at + 1 :]]
    assert numbers == [*range(1, at + 1), *range(200001 - (len(lines) - at - 1), 200001)]
    left_out = report.exited.stdout_bytes - sum(len(n) + 1 for n in lines) + len(lines[at]) + 1
    assert lines[at] == f"[... {left_out} bytes left out ...]"


def test_orphans_are_killed(loop: VmLoop, guest: Guest) -> None:
    assert hostile(loop, guest, "orphan").exited.leftovers >= 1
    assert b"hostile" not in sh(loop, guest, "cat /proc/[0-9]*/comm").stdout


def test_program_that_is_missing_is_refused(loop: VmLoop, guest: Guest) -> None:
    with pytest.raises(AgentRefusal, match="/no/program: No such file"):
        loop.run(guest.agent.run(Run(("/no/program",)), timeout_s=10))


def test_files_go_in_and_out(loop: VmLoop, guest: Guest) -> None:
    data = os.urandom(200_000)
    loop.run(guest.agent.push("/run/some/file", data, 0o755))
    assert loop.run(guest.agent.pull("/run/some/file")) == data
    told = sh(loop, guest, "sha256sum /run/some/file || busybox sha256sum /run/some/file")
    assert told.stdout.split()[0].decode() == hashlib.sha256(data).hexdigest()


def test_file_of_proc_is_pulled(loop: VmLoop, guest: Guest) -> None:
    version = loop.run(guest.agent.pull("/proc/version"))
    assert guest.machine.launch.kernel.release.encode() in version


@pytest.mark.parametrize("path", ["/tmp", "/dev/zero", "/no/file", "relative"])
def test_what_is_no_file_is_not_pulled(loop: VmLoop, guest: Guest, path: str) -> None:
    with pytest.raises(AgentRefusal):
        loop.run(guest.agent.pull(path))


def test_file_that_is_too_large_is_not_pulled(loop: VmLoop, guest: Guest) -> None:
    with pytest.raises(AgentRefusal, match="too large"):
        loop.run(guest.agent.pull("/init", limit=1000))


def test_push_without_room_is_refused(loop: VmLoop, guest: Guest) -> None:
    with pytest.raises(AgentRefusal):
        loop.run(guest.agent.push("/proc/nothing", b"x"))
    assert sh(loop, guest, "echo alive").stdout == b"alive\n"


def test_reboot_loses_the_guest_and_nothing_hangs(loop: VmLoop, qemu: Qemu, launch: Launch) -> None:
    up = loop.run(Guest.boot(qemu.path, launch, Console(None)))
    with pytest.raises(GuestError):
        loop.run(up.agent.run(Run(("/case/hostile", "reboot")), timeout_s=30))
    loop.run(up.close())


def test_console_is_stored_with_times(
    loop: VmLoop, qemu: Qemu, launch: Launch, tmp_path: Path
) -> None:
    path = tmp_path / "c" / "console.log"
    loop.run(loop_boot_and_close(qemu, launch, path))
    raw = path.read_bytes()
    assert b"Linux version" in raw
    times = [line.split() for line in path.with_name("console.log.times").read_text().splitlines()]
    assert len(times) == len(raw.splitlines())
    assert [int(t[0]) for t in times][1] == raw.index(b"\n") + 1
    stamps = [float(t[1]) for t in times]
    assert stamps == sorted(stamps)


class BusyConsole(Console):
    """Of a host that has no time: it comes back to the console every half second."""

    def feed(self, data: bytes) -> None:
        super().feed(data)
        time.sleep(0.5)


def test_busy_host_loses_nothing_that_a_kernel_prints(
    loop: VmLoop, qemu: Qemu, launch: Launch, tmp_path: Path
) -> None:
    text = "a long text " * 8
    script = f'i=0; while [ $i -lt 300 ]; do echo "line $i of {text}"; i=$((i+1)); done > /dev/kmsg'

    async def print_them() -> None:
        talkative = replace(launch, append=("printk.devkmsg=on",))
        guest = await Guest.boot(qemu.path, talkative, BusyConsole(tmp_path / "console.log"))
        try:
            report = await guest.agent.run(Run(("/bin/sh", "-c", script)), timeout_s=60)
            assert report.exited.status == 0
        finally:
            await guest.close()

    loop.run(print_them())
    printed = (tmp_path / "console.log").read_bytes()
    lines = [f"] line {n} of {text}\r\n".encode() for n in range(300)]
    assert [line for line in lines if line not in printed] == []
    assert printed.count(b"\n") == printed.count(b"\r\n")


async def loop_boot_and_close(qemu: Qemu, launch: Launch, path: Path) -> None:
    guest = await Guest.boot(qemu.path, launch, Console(path))
    await guest.close()


def test_kernel_that_panics_says_so(loop: VmLoop, qemu: Qemu, launch: Launch) -> None:
    broken = replace(launch, append=("init=/no/init", "rdinit=/no/init"))
    with pytest.raises(KernelError, match=r"panics at boot: .*Kernel panic") as caught:
        loop.run(Guest.boot(qemu.path, broken, Console(None)))
    assert "Unable to mount root fs" in str(caught.value)
    assert "</TASK>" in caught.value.detail


ESCAPES = "\x1b[31mno\x1b[2J\x1b]0;title\x07"


def test_what_a_kernel_that_panics_says_is_cleaned(
    loop: VmLoop, qemu: Qemu, launch: Launch
) -> None:
    """printk() prints to a console what it is given (kernel/printk/printk.c)."""
    broken = replace(launch, append=("rdinit=/case", f"init=/{ESCAPES}"))
    with pytest.raises(KernelError, match=r"Requested init /no failed") as caught:
        loop.run(Guest.boot(qemu.path, broken, Console(None)))
    assert caught.value.whole == clean(caught.value.whole)


def test_another_release_than_the_image_s_is_said_in_one_clean_line(
    loop: VmLoop, qemu: Qemu, launch: Launch
) -> None:
    other = replace(launch, kernel=replace(launch.kernel, release=f"6.0{ESCAPES}"))
    with pytest.raises(KernelError, match=r"says it is 6\.12\S*, its image 6\.0no$"):
        loop.run(Guest.boot(qemu.path, other, Console(None)))


def test_what_an_agent_refuses_is_said_in_one_clean_line() -> None:
    assert (
        str(AgentRefusal(AgentError(2, f"open\n{ESCAPES}"))) == "open no: No such file or directory"
    )


def test_kernel_without_agent_says_so(loop: VmLoop, qemu: Qemu, launch: Launch) -> None:
    endless = replace(launch, append=("rdinit=/case/hostile", "--", "spin"))
    with pytest.raises(KernelError, match="does not boot: no agent after 8 s"):
        loop.run(Guest.boot(qemu.path, endless, Console(None), BootLimits(8, 6)))


def test_channel_that_is_not_there_says_so(loop: VmLoop, qemu: Qemu, launch: Launch) -> None:
    deaf = replace(launch, append=("initcall_blacklist=virtio_console_init",))
    with pytest.raises(KernelError, match="no usable channel"):
        loop.run(Guest.boot(qemu.path, deaf, Console(None)))
