# SPDX-License-Identifier: GPL-2.0-only
"""``kharness splats``, decoding, and EXPECT_SPLAT on a real kernel."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from harness.decode import Decoder, decode_splats, has_debug_info
from harness.errors import UsageError
from harness.report.journal import read_journal
from harness.verdict.console import find_splats
from harness.verdict.outcome import Outcome

COMMAND = [sys.executable, "-m", "harness.cli"]
LOGS = Path(__file__).parent / "verdict" / "logs"


def splats(*arguments: object, given: bytes = b"") -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [*COMMAND, "splats", *map(str, arguments)], input=given, capture_output=True, check=False
    )
    return subprocess.CompletedProcess(
        done.args, done.returncode, done.stdout.decode(), done.stderr.decode()
    )


def test_a_log_with_a_splat_is_exit_1() -> None:
    done = splats(LOGS / "kasan-oob-4.19.log")
    assert done.returncode == 1
    words = " ".join(done.stdout.split())
    assert words == "6-40 kasan bug BUG: KASAN: slab-out-of-bounds in ring_write [GOE]"


def test_a_healthy_log_is_exit_0_and_silent() -> None:
    done = splats("-", given=(LOGS / "healthy-boot-6.12.log").read_bytes())
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_json_has_all_that_is_known() -> None:
    log = LOGS / "nested-oops.log"
    done = splats(log, LOGS / "healthy-noise.log", "--json")
    rows = json.loads(done.stdout)
    assert done.returncode == 1
    assert [row["title"] for row in rows] == [s.title for s in find_splats(log.read_text())]
    assert rows[0]["trace"] == ["ring_free"]
    assert {row["file"] for row in rows} == {str(log)}


def test_bytes_of_any_kind_are_read_and_shown_clean() -> None:
    log = b"\xff\xfe\x00[    1.0] BUG: KASAN: use-after-free in f\x1b[2J+0x1/0x2\r\n\x80"
    done = splats("-", given=log)
    assert done.returncode == 1
    assert done.stdout.split()[:3] == ["1-1", "kasan", "bug"]
    assert "\x1b" not in done.stdout


def test_a_file_that_is_not_there_is_one_line_and_exit_4(tmp_path: Path) -> None:
    done = splats(tmp_path / "no.log")
    assert done.returncode == 4
    assert done.stderr.count("\n") == 1
    assert splats().returncode == 4


PROGRAM = """\
static inline __attribute__((always_inline)) int innermost(volatile int *p)
{
	return *p;
}

__attribute__((noinline)) int faults(volatile int *p)
{
	return innermost(p) + 1;
}

int main(void)
{
	return 0;
}
"""


@pytest.fixture(scope="module")
def vmlinux(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An ELF file with symbols and debug information, as a vmlinux is one."""
    folder = tmp_path_factory.mktemp("vmlinux") / "kernel"
    folder.mkdir()
    (folder / "pid.c").write_text(PROGRAM)
    program = folder / "vmlinux"
    command = ["gcc", "-g", "-O1", "-o", str(program), str(folder / "pid.c")]
    subprocess.run(command, check=True)
    return program


def size_of(vmlinux: Path, name: str) -> int:
    """As %pS counts it: up to the next symbol."""
    text = subprocess.run(["nm", "-n", vmlinux], capture_output=True, text=True, check=True).stdout
    rows = [line.split() for line in text.splitlines() if len(line.split()) == 3]
    code = sorted((int(row[0], 16), row[2]) for row in rows if row[1] in "tT")
    at = next(n for n, (_, symbol) in enumerate(code) if symbol == name)
    return code[at + 1][0] - code[at][0]


def test_a_trace_is_decoded_with_inlined_functions(vmlinux: Path) -> None:
    size = size_of(vmlinux, "faults")
    log = f"""\
[    1.000001] BUG: kernel NULL pointer dereference, address: 0000000000000000
[    1.000002] RIP: 0010:faults+0x0/{size:#x}
[    1.000003] Call Trace:
[    1.000004]  unknown_one+0x1/0x2
[    1.000005]  faults+0x1/0x7777
"""
    (splat,) = decode_splats(find_splats(log), vmlinux)
    assert splat.decoded[0] == "innermost (kernel/pid.c:3)"
    assert splat.decoded[1] == "faults (kernel/pid.c:8)"
    assert len(splat.decoded) == 2, "what is of another kernel is left out"


def test_a_run_decodes_each_place_once(vmlinux: Path) -> None:
    size = size_of(vmlinux, "faults")
    log = f"[ 1.0] WARNING: CPU: 0 PID: 1 at kernel/pid.c:8 faults+0x0/{size:#x}\n"
    decoder = Decoder(vmlinux)
    splats = find_splats(log)
    decoded = decoder.decode(splats)
    assert decoded[0].decoded[-1] == "faults (kernel/pid.c:8)"
    assert decoder.decode(splats) == decoded


def test_a_run_decodes_nothing_where_that_is_of_no_use(vmlinux: Path, tmp_path: Path) -> None:
    """No vmlinux, one without debug information, no time left: splats stay as they are."""
    splats = find_splats("[ 1.0] WARNING: CPU: 0 PID: 1 at kernel/pid.c:8 faults+0x0/0x9\n")
    assert splats
    stripped = tmp_path / "vmlinux"
    subprocess.run(["objcopy", "--strip-debug", vmlinux, stripped], check=True)
    assert has_debug_info(vmlinux)
    assert not has_debug_info(stripped)
    text = tmp_path / "text"
    text.write_text("no ELF")
    assert not has_debug_info(text)
    for decoder in (
        *(Decoder(None), Decoder(stripped), Decoder(text), Decoder(tmp_path / "none")),
        Decoder(vmlinux, budget_s=0),
    ):
        assert decoder.decode(splats) == splats


def test_the_command_decodes(vmlinux: Path, tmp_path: Path) -> None:
    log = tmp_path / "x.log"
    size = size_of(vmlinux, "faults")
    log.write_text(f"[ 1.0] WARNING: CPU: 0 PID: 1 at kernel/pid.c:8 faults+0x0/{size:#x}\n" * 2)
    done = splats(log, "--vmlinux", vmlinux)
    assert "faults (kernel/pid.c:8)" in done.stdout


def test_what_is_no_vmlinux_is_told(tmp_path: Path) -> None:
    file = tmp_path / "vmlinux"
    file.write_text("no ELF")
    log = "[ 1.0] WARNING: CPU: 0 PID: 1 at kernel/pid.c:8 faults+0x0/0x9\n"
    with pytest.raises(UsageError, match="cannot decode"):
        decode_splats(find_splats(log), file)


CASES = """
#include "kcase.h"
#include <sys/mount.h>
static void crash(void)
{
	int fd = open("/proc/sysrq-trigger", O_WRONLY);

	ASSERT_OK(write(fd, "c", 1));
}
TEST(crashes_as_it_says, EXPECT_SPLAT("sysrq triggered crash")) { crash(); }
TEST(does_not_warn, EXPECT_SPLAT("WARNING in f")) { EXPECT_EQ(1, 1); }
TEST(crashes) { crash(); }
"""
SETTINGS = """
[[expect_splat]]
title = "never seen"
kernel = ">=6.1"
reason = "made for this test"
link = "https://example.org/2"
[[expect_splat]]
title = "sysrq triggered"
kernel = "<6.1"
reason = "for other kernels"
"""


@pytest.mark.guest
def test_expected_splats_on_a_real_kernel(tmp_path: Path) -> None:
    (tmp_path / "splat.c").write_text(CASES + "KCASE_MAIN\n")
    (tmp_path / "harness.toml").write_text(SETTINGS)
    command = [*COMMAND, "run", "--kernel", "debian:6.12", "--accel", "tcg", "--run-dir", "run"]
    done = subprocess.run(
        [*command, "-v", "splat.c"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    results = {r.name: r for r in read_journal(tmp_path / "run" / "journal.jsonl").results}
    said = results["crashes_as_it_says"]
    assert (said.outcome, said.message) == (Outcome.PASS, "")
    assert said.splats[0].kind == "panic"
    assert said.splats[0].expected == "the case says EXPECT_SPLAT(sysrq triggered crash)"
    assert "expected splat" in said.detail
    missing = results["does_not_warn"]
    assert missing.outcome is Outcome.FAIL
    assert missing.message == "the splat that it expects did not come: WARNING in f"
    crashed = results["crashes"]
    assert crashed.outcome is Outcome.CRASH
    assert crashed.message == "Kernel panic - not syncing: sysrq triggered crash"
    assert crashed.splats[0].trace
    assert "expected splat: Kernel panic" in done.stdout
    assert "expects a splat that did not come: never seen: made for this test" in done.stdout
    assert "for other kernels" not in done.stdout
