# SPDX-License-Identifier: GPL-2.0-only
# mypy: ignore-errors
"""Python tests that tests/test_fixtures.py runs; some of them have to fail."""

import pytest

from harness.guests import CommandFailed, GuestDied, GuestRefusal, TimedOut

HELLO = r"""
#include <stdio.h>
#include <unistd.h>
int main(int argc, char *argv[])
{
	char line[64] = "";

	if (argc > 1 && argv[1])
		return *(volatile int *)0;
	printf("%s from uid %d\n", fgets(line, sizeof(line), stdin) ? line : "", getuid());
	return 3;
}
"""


def test_runs_programs(guest, kernel):
    ran = guest.run("/bin/echo", "a b", check=True)
    assert (ran.stdout, ran.stderr, ran.exit_code, ran.signal) == ("a b\n", "", 0, None)
    assert guest.run("uname", "-r").stdout.strip() == kernel.release
    assert guest.sh("echo out; echo err >&2; exit 3").how == "exit code 3"
    with pytest.raises(CommandFailed, match=r"(?s)exit code 4.*stderr:.*no way"):
        guest.sh("echo no way >&2; exit 4", check=True)
    with pytest.raises(FileNotFoundError, match="in the guest: No such file"):
        guest.run("/no/program")
    with pytest.raises(TimedOut, match=r"`sleep 60` did not end within 0.5 s and was killed"):
        guest.run("sleep", "60", timeout_s=0.5)
    assert guest.sh("cat", input="x" * 300_000).stdout == "x" * 300_000
    assert guest.alive


def test_moves_files(guest, tmp_path):
    (tmp_path / "data").write_bytes(bytes(range(256)) * 100)
    guest.push(tmp_path / "data", "/tmp/deep/data", mode=0o600)
    assert guest.pull("/tmp/deep/data") == bytes(range(256)) * 100
    assert guest.sh("busybox stat -c %a /tmp/deep/data").stdout == "600\n"
    guest.push(b"#!/bin/sh\necho pushed $1\n", "/tmp/script")
    assert guest.run("/tmp/script", "once").stdout == "pushed once\n"
    with pytest.raises(FileNotFoundError):
        guest.pull("/no/file")
    program = guest.compile_and_push(HELLO)
    ran = guest.run(program, input="hi", uid=1000)
    assert (ran.stdout, ran.exit_code) == ("hi from uid 1000\n", 3)
    assert guest.run(program, "fault").how == "killed by SIGSEGV"


def test_reads_the_console(guest):
    guest.sh("echo before > /dev/kmsg")
    mark = guest.mark()
    guest.sh("echo '<4>value 42' > /dev/kmsg")
    assert "value 42" in guest.console(since=mark)
    assert "before" not in guest.console(since=mark)
    assert "before" in guest.console()
    assert guest.wait_for_line(r"value (\d+)", since=mark)[1] == "42"
    with pytest.raises(TimedOut, match=r"(?s)'never' did not come within 0.2 s.*value 42"):
        guest.wait_for_line("never", timeout_s=0.2)
    assert guest.splats() == ()


def test_reboots_and_crashes(guest, kernel):
    guest.sh("echo kept > /run/kept", check=True)
    before = guest.mark()
    guest.reboot()
    guest.wait_for_line("Linux version", since=before)
    assert guest.run("ls", "/run/kept").exit_code == 1
    assert guest.crash() == "Kernel panic - not syncing: sysrq triggered crash"
    assert not guest.alive
    with pytest.raises(GuestDied, match=r"while `/bin/echo` ran: Kernel panic - not syncing"):
        guest.run("/bin/echo")
    with pytest.raises(GuestDied, match="the guest died before a line with 'never' came"):
        guest.wait_for_line("never")
    guest.reboot()
    assert guest.run("uname", "-r").stdout.strip() == kernel.release


def test_speaks_qmp_and_kills(guest):
    assert guest.qmp("query-status")["status"] == "running"
    guest.qmp("stop")
    assert guest.qmp("query-status")["status"] == "paused"
    guest.qmp("cont")
    answer = guest.qmp("human-monitor-command", command_line="info status")
    assert "running" in answer
    with pytest.raises(GuestRefusal, match="QEMU refuses no-such-command"):
        guest.qmp("no-such-command")
    guest.kill()
    assert not guest.alive


def test_several_guests(fork):
    with fork(cpus=2) as first, fork(memory_mib=160) as second:
        assert first.sh("cat /proc/cpuinfo").stdout.count("processor\t") == 2
        first.sh("echo one > /tmp/which")
        assert second.run("cat", "/tmp/which").exit_code == 1
        total = int(second.sh("cat /proc/meminfo").stdout.split()[1])
        assert total > 100 * 1024
    assert not first.alive


def test_boots_cold(fork):
    with fork(boot=True) as guest:
        assert "Linux version" in guest.console()


def test_expects_reports(guest):
    with guest.expect_splat("scheduling while atomic") as seen:
        guest.sh("echo '<4>BUG: scheduling while atomic: sh/1/0x2' > /dev/kmsg")
    assert len(seen) == 1
    guest.allow_splat("Bad page state")
    guest.sh("echo '<4>BUG: Bad page state in process sh' > /dev/kmsg")
    guest.sh("echo '<4>BUG: Bad rss-counter state mm:0 type:MM_FILEPAGES val:1' > /dev/kmsg")
    with guest.expect_splat("sysrq triggered crash"):
        guest.sh("echo c > /proc/sysrq-trigger")
    with (
        pytest.raises(AssertionError, match="no report of the kernel matched 'KASAN'"),
        guest.expect_splat("KASAN", timeout_s=0.1),
    ):
        pass


def test_fails(guest):
    guest.sh("echo '<4>seen in the console' > /dev/kmsg")
    uid = guest.run("id", "-u").stdout.strip()
    assert int(uid) + 1 == 2


def test_unexpected_report(guest):
    guest.sh("echo '<4>BUG: scheduling while atomic: sh/1/0x2' > /dev/kmsg")


def test_dies_in_the_middle(guest):
    guest.sh("echo c > /proc/sysrq-trigger")


def test_resets_itself(guest):
    guest.sh("busybox reboot -f")


def test_overruns(guest):
    guest.run("sleep", "60", timeout_s=0.3)


@pytest.fixture
def broken(guest):
    raise ValueError("not to be had")


def test_fixture_is_broken(broken):
    pass


def test_skips(guest):
    pytest.skip("no reason to run")


@pytest.mark.xfail(reason="known", strict=True)
def test_known(guest):
    assert guest.run("false").ok


@pytest.mark.parametrize("number", [1, 2])
def test_parametrised(kernel, number):
    assert number
