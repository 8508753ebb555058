# SPDX-License-Identifier: GPL-2.0-only
"""The whole of it, as a user starts it: kharness run and pytest, on a real kernel."""

import json
import os
import re
import signal
import subprocess
import sys
import termios
import time
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from junitparser import JUnitXml
from lxml import etree

from harness.cache import cache_root
from harness.kernels.spec import resolve
from harness.report.html import html_text
from harness.report.journal import read_journal
from harness.resources import resource
from harness.verdict.outcome import Outcome
from tests.judging import (
    COMMAND,
    by_name,
    children_of,
    guests_of,
    kharness,
    lives,
    make_project,
)

pytestmark = pytest.mark.guest

CASES = """
#include "kcase.h"
#include <sys/reboot.h>
static void crash(void)
{
	int fd = open("/proc/sysrq-trigger", O_WRONLY);

	ASSERT_OK(write(fd, "c", 1));
}
TEST(passes) { EXPECT_EQ(1, 1); }
TEST(fails) { EXPECT_ERRNO(close(-1), EINVAL); }
TEST(skips) { SKIP("no reason to run"); }
TEST(crashes) { crash(); }
TEST(hangs, TIMEOUT(1)) { for (;;) pause(); }
TEST(reboots) { sync(); reboot(RB_AUTOBOOT); }
TEST(warns)
{
	int fd = open("/dev/kmsg", O_WRONLY);

	EXPECT_OK(write(fd, "<4>BUG: scheduling while atomic: sh/1/0x2\\n", 42));
}
TEST(escapes) { printf("# \\033[31m<b>&]]>\\a\\xff\\n"); EXPECT_EQ(1, 2); }
TEST(leaves_mark)
{
	char name[65] = "";
	int fd = open("/proc/sys/kernel/domainname", O_RDWR);

	ASSERT_GT(read(fd, name, 64), 0);
	EXPECT_STREQ(name, "(none)\\n");
	ASSERT_OK(pwrite(fd, "marked", 6, 0));
}
TEST(leaves_mark_too)
{
	kc_run_leaves_mark();
}
KCASE_MAIN
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("project")
    (folder / "cases" / "try").mkdir(parents=True)
    (folder / "cases" / "try" / "all.c").write_text(CASES)
    (folder / "harness.toml").write_text('[run]\nkernels = ["debian:6.12"]\naccel = "tcg"\n')
    return folder


EXPECTED = {
    "passes": Outcome.PASS,
    "fails": Outcome.FAIL,
    "skips": Outcome.SKIP,
    "crashes": Outcome.CRASH,
    "hangs": Outcome.TIMEOUT,
    "reboots": Outcome.FAIL,
    "warns": Outcome.CRASH,
    "escapes": Outcome.FAIL,
    "leaves_mark": Outcome.PASS,
    "leaves_mark_too": Outcome.PASS,
}


@pytest.fixture(scope="module")
def whole(project: Path) -> tuple[subprocess.CompletedProcess[str], Path]:
    done = kharness(project, "run", "--run-dir", "whole", "--junit", "copy.xml")
    return done, project / "whole"


def test_each_outcome_is_told_apart(
    whole: tuple[subprocess.CompletedProcess[str], Path],
) -> None:
    done, folder = whole
    assert {name: r.outcome for name, r in by_name(folder).items()} == EXPECTED
    assert done.returncode == 1


def test_a_failure_has_everything(whole: tuple[subprocess.CompletedProcess[str], Path]) -> None:
    done, folder = whole
    failed = by_name(folder)["fails"]
    assert "expected -1 EINVAL (Invalid argument), got -1 EBADF" in failed.message
    assert (
        failed.line
        == CASES.splitlines().index("TEST(fails) { EXPECT_ERRNO(close(-1), EINVAL); }") + 1
    )
    assert failed.reproduce == "kharness run --kernel debian:6.12 'cases/try/all.c::fails'"
    for words in ("expected: -1 EINVAL", "got: -1 EBADF", failed.reproduce):
        assert words in done.stdout


def test_the_run_leaves_its_page(whole: tuple[subprocess.CompletedProcess[str], Path]) -> None:
    page = (whole[1] / "report.html").read_text()
    assert "<title>FAIL: 6 of 10 failed on debian-6.12" in page
    assert "not whole" not in page
    assert page == html_text(read_journal(whole[1] / "journal.jsonl"))


def test_the_reproducing_command_reproduces(
    project: Path, whole: tuple[subprocess.CompletedProcess[str], Path]
) -> None:
    words = by_name(whole[1])["fails"].reproduce.replace("'", "").split()[1:]
    done = kharness(project, *words)
    assert done.returncode == 1
    assert "FAIL: 1 fail in" in done.stdout


def test_a_crash_has_its_console_and_nobody_else_s(
    whole: tuple[subprocess.CompletedProcess[str], Path],
) -> None:
    _, folder = whole
    results = by_name(folder)
    assert results["crashes"].message.startswith("Kernel panic") or "sysrq" in (
        results["crashes"].console
    )
    stored = folder / results["crashes"].console_file
    assert b"sysrq" in stored.read_bytes()
    for name in ("passes", "fails", "skips", "leaves_mark"):
        assert results[name].console == ""


def test_junit_says_the_same(whole: tuple[subprocess.CompletedProcess[str], Path]) -> None:
    _, folder = whole
    schema = etree.XMLSchema(etree.parse(Path(__file__).parent / "report/data/junit-10.xsd"))
    schema.assertValid(etree.parse(folder / "junit.xml"))
    (suite,) = JUnitXml.fromfile(str(folder / "junit.xml"))
    told = {}
    for case in suite:
        kinds = [type(r).__name__ for r in case.result]
        told[case.name] = kinds[0] if kinds else "pass"
        assert case.classname == "try.all"
    bad = {Outcome.SKIP: "Skipped", Outcome.PASS: "pass", Outcome.ERROR: "Error"}
    assert told == {name: bad.get(outcome, "Failure") for name, outcome in EXPECTED.items()}
    properties = {p.name: p.value for p in suite.properties()}  # type: ignore[no-untyped-call]
    assert properties["kernel.release"].startswith("6.12.")
    assert properties["accelerator"] == "tcg"
    assert properties["kernel.spec"] == "debian:6.12"
    assert properties["qemu.version"]


def test_junit_is_copied_to_where_it_was_asked_for(
    project: Path, whole: tuple[subprocess.CompletedProcess[str], Path]
) -> None:
    assert (project / "copy.xml").read_bytes() == (whole[1] / "junit.xml").read_bytes()


def test_junit_has_the_flavour_that_was_asked_for(project: Path, tmp_path: Path) -> None:
    options = ["--run-dir", str(tmp_path / "run"), "--junit-flavour", "generic"]
    done = kharness(project, "run", *options, "cases/try/all.c::fails")
    assert done.returncode == 1
    (case,) = etree.parse(tmp_path / "run" / "junit.xml").getroot().iter("testcase")
    assert case.get("file") == "cases/try/all.c"
    properties = {p.get("name"): p.get("value") for p in case.iter("property")}
    assert properties["isolation"] == "fork"
    assert (tmp_path / "run" / properties["file.console"]).is_file()


def test_nothing_of_a_guest_acts_on_the_terminal(
    whole: tuple[subprocess.CompletedProcess[str], Path],
) -> None:
    assert "\x1b" not in whole[0].stdout
    assert "<b>&]]>" in whole[0].stdout


def test_run_folder_is_private(whole: tuple[subprocess.CompletedProcess[str], Path]) -> None:
    assert whole[1].stat().st_mode & 0o077 == 0


def test_a_case_starts_when_its_kernel_is_there(
    whole: tuple[subprocess.CompletedProcess[str], Path],
) -> None:
    """Not when it was its turn to wait for a boot."""
    (boot,) = whole[1].glob("consoles/*/boot-1x128.log")
    (passes,) = [r for r in read_journal(whole[1] / "journal.jsonl").results if r.name == "passes"]
    assert datetime.fromisoformat(passes.started).timestamp() >= boot.stat().st_mtime - 0.002


@pytest.mark.parametrize("isolation", ["boot", "shared"])
def test_isolation_is_what_was_asked_for(project: Path, isolation: str) -> None:
    folder = project / isolation
    done = kharness(project, "run", "-k", "mark", "--isolate", isolation, "--run-dir", str(folder))
    results = by_name(folder)
    assert results["leaves_mark"].outcome is Outcome.PASS
    if isolation == "boot":
        assert done.returncode == 0
        assert results["leaves_mark_too"].outcome is Outcome.PASS
    else:
        # The second sees what the first left, and is told who ran before.
        assert done.returncode == 1
        assert results["leaves_mark_too"].outcome is Outcome.FAIL
        assert "ran before it in this guest: leaves_mark" in results["leaves_mark_too"].detail
        # Nor does the time of the one count for the other.
        first, then = (results[name] for name in ("leaves_mark", "leaves_mark_too"))
        ended = datetime.fromisoformat(first.started) + timedelta(seconds=first.duration_s)
        assert datetime.fromisoformat(then.started) >= ended - timedelta(milliseconds=2)


NOT_PUT_BACK = """
static const char domain[] = "/proc/sys/kernel/domainname";
static void set_domain(void *name)
{
	ASSERT_OK(write(open(domain, O_WRONLY), name, strlen(name)));
}
TEST(hangs, TIMEOUT(1))
{
	CLEANUP(set_domain, "(none)");
	set_domain("marked");
	for (;;)
		pause();
}
TEST(finds_nothing)
{
	char name[65] = "";

	ASSERT_GT(read(open(domain, O_RDONLY), name, 64), 0);
	EXPECT_STREQ(name, "(none)\\n");
}
"""


def test_a_killed_case_s_guest_is_nobody_else_s(tmp_path: Path) -> None:
    """What the case would have put back at its end it did not."""
    project = make_project(tmp_path / "p", NOT_PUT_BACK)
    done = kharness(project, "run", "--isolate", "shared", "-n", "1", "--run-dir", "run")
    assert done.returncode == 1, done.stdout
    results = by_name(project / "run")
    assert results["hangs"].outcome is Outcome.TIMEOUT
    assert results["finds_nothing"].outcome is Outcome.PASS
    assert "ran before it" not in results["finds_nothing"].detail


def test_a_kernel_of_unknown_configuration_may_lack_what_a_case_needs(tmp_path: Path) -> None:
    """The case runs, and a failure says what may be the matter; known, it is skipped."""
    needy = "{ EXPECT_OK(-1); }"
    project = make_project(
        tmp_path / "p", f"TEST(lacks, NEEDS_CONFIG(NO_SUCH)) {needy}\nTEST(fails) {needy}"
    )
    kernel = resolve("debian:6.12")
    (project / "bzImage").write_bytes(kernel.image.read_bytes())
    run = ("run", "--kernel", "bzImage", "-n", "1", "--run-dir")
    beside = f"put it beside the image as config-{kernel.release}"
    words = f"the configuration of bzImage is not known; {beside}"
    done = kharness(project, *run, "unknown")
    results = by_name(project / "unknown")
    assert done.stdout.count(words) == 2
    assert results["lacks"].outcome is Outcome.FAIL
    assert f"perhaps without CONFIG_NO_SUCH, which it needs: {words}" in results["lacks"].detail
    assert "perhaps" not in results["fails"].detail
    (project / f"config-{kernel.release}").write_text("CONFIG_A=y\n")
    kharness(project, *run, "known")
    results = by_name(project / "known")
    assert results["lacks"].message == "needs CONFIG_NO_SUCH=y, which is off here"
    assert results["fails"].outcome is Outcome.FAIL


def test_a_limit_of_the_whole_guest_ends_with_its_case(tmp_path: Path) -> None:
    """Cases that set one, and one after each that needs what it takes away."""
    names = (
        "open.c::reports_full_file_table",
        "namespaces.c::needs_ptrace_access",
        "leak.c::process_that_found_no_file_is_freed",
        "passing.c::passes_over_socket",
    )
    words = [str(resource("cases/pidfd") / name) for name in names]
    folder = tmp_path / "run"
    shared = ("run", "--kernel", "debian:6.12", "-n", "1", "--isolate", "shared")
    done = kharness(tmp_path, *shared, "--run-dir", str(folder), *words)
    assert done.returncode == 0, done.stdout
    assert [r.outcome for r in read_journal(folder / "journal.jsonl").results] == [Outcome.PASS] * 4


def test_plain_pytest_and_xdist_do_the_same(project: Path) -> None:
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "cases", "-n", "2", "-p", "no:cacheprovider"),
            *("--run-dir", "xdist", "-k", "passes or fails or mark or crashes"),
        ],
        cwd=project,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert "2 failed, 3 passed" in done.stdout
    assert "got -1 EBADF" in done.stdout
    results = by_name(project / "xdist")
    assert {n: results[n].outcome for n in results} == {
        n: EXPECTED[n] for n in ("passes", "fails", "crashes", "leaves_mark", "leaves_mark_too")
    }
    assert len(list(JUnitXml.fromfile(str(project / "xdist" / "junit.xml")))) == 1


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("run", "-k", "nothing_like_it"), 5, "no case was selected"),
        (("run", "no/such/path"), 4, "no/such/path"),
        (("run", "--kernel", "no-such-kernel", "-k", "passes"), 4, "no kernel 'no-such-kernel'"),
        (("run", "--kernel", "/etc/passwd", "-k", "passes"), 3, "/etc/passwd is not a kernel"),
        (("run", "-n", "many"), 4, "-n many"),
        (("run", "--accel", "magic"), 4, "magic"),
        (("run", "--config", "nowhere.toml"), 4, "nowhere.toml"),
        (("run", "--kernel", "k" * 300, "-k", "passes"), 4, "File name too long"),
        (("run", "--run-dir", "r" * 300, "-k", "passes"), 4, "File name too long"),
        (("cases", "no/such/path"), 4, "no/such/path"),
    ],
)
def test_bad_input_is_one_line(project: Path, words: tuple[str, ...], code: int, says: str) -> None:
    done = kharness(project, *words)
    assert says in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert done.returncode == code


def test_a_source_that_does_not_compile_is_named(project: Path, tmp_path: Path) -> None:
    (tmp_path / "broken.c").write_text('#include "kcase.h"\nTEST(a) { nonsense(); }\nKCASE_MAIN\n')
    done = kharness(project, "run", str(tmp_path / "broken.c"))
    assert done.returncode == 4
    assert "does not compile" in done.stderr
    assert "nonsense" in done.stderr


def test_ctrl_c_writes_reports_and_leaves_nothing(project: Path) -> None:
    # Ignored when the tests run in the background of a shell, and a child inherits that.
    command = ["env", "--default-signal=INT", *COMMAND]
    command += ["run", "--run-dir", "stopped", "-v", "-n", "1"]
    process = subprocess.Popen(
        command,
        cwd=project,
        stdout=subprocess.PIPE,
        text=True,
        errors="replace",
    )
    assert process.stdout is not None
    process.stdout.readline()
    process.send_signal(signal.SIGINT)
    process.stdout.read()
    assert process.wait(timeout=60) == 2
    assert (project / "stopped" / "junit.xml").exists()
    assert not read_journal(project / "stopped" / "journal.jsonl").ended


def test_kill_9_loses_no_result_and_no_guest_stays(project: Path) -> None:
    command = [sys.executable, "-m", "harness.cli", "run", "--run-dir", "killed", "-v", "-n", "1"]
    process = subprocess.Popen(
        command, cwd=project, stdout=subprocess.PIPE, text=True, errors="replace"
    )
    assert process.stdout is not None
    shown = [process.stdout.readline() for _ in range(3)]
    children = children_of(process.pid)
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    kept = by_name(project / "killed")
    for line in shown:
        name = line.split("::")[1].split(" ")[0]
        assert kept[name].outcome.value == line.split()[0]
    deadline = time.monotonic() + 10
    while any(is_qemu(pid) for pid in children) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(is_qemu(pid) for pid in children)


def test_full_disk_is_one_line_and_keeps_what_is_there(project: Path) -> None:
    """A limit on file sizes fails writes in the middle of a line, as a full disk does."""
    run = f"{sys.executable} -m harness.cli run --run-dir full -q -n 1"
    done = subprocess.run(
        ["bash", "-c", f"ulimit -f 4; exec {run}"],
        cwd=project,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
        timeout=300,
    )
    assert done.returncode == 3
    assert "Traceback" not in done.stdout + done.stderr
    assert "cannot write" in done.stderr
    journal = read_journal(project / "full" / "journal.jsonl")
    assert journal.damaged == 0
    assert journal.results
    for result in journal.results:
        assert result.outcome is EXPECTED[result.name]


def test_silent_kernel_is_said_once(project: Path, tmp_path: Path) -> None:
    image = tmp_path / "silent"
    subprocess.run(
        [
            *("gcc", "-nostdlib", "-static", "-Wl,-Ttext=0x100000", "-Wl,-e,start"),
            *("-Wl,--build-id=none", "-o", image, Path(__file__).parent / "data" / "silent.S"),
        ],
        check=True,
    )
    config = tmp_path / "harness.toml"
    config.write_text('[run]\naccel = "tcg"\nboot_timeout_s = 8\n')
    where = ("--kernel", str(image), "--config", str(config), "-k", "passes or fails or skips")
    done = kharness(project, "run", *where, "--run-dir", str(tmp_path / "run"))
    assert done.returncode == 3
    kept = list(by_name(tmp_path / "run").values())
    assert {r.outcome for r in kept} == {Outcome.ERROR}
    assert all("printed nothing in its console" in r.message for r in kept)
    assert sum("(as for the case before)" in r.detail for r in kept) == len(kept) - 1


def is_qemu(pid: int) -> bool:
    try:
        return b"qemu" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def test_lists_are_json_for_programs(project: Path) -> None:
    cases = json.loads(kharness(project, "cases", "--json").stdout)
    assert [c["case"].split("::")[1] for c in cases] == list(EXPECTED)
    kernels = json.loads(kharness(project, "kernels", "--json").stdout)
    assert kernels[0]["spec"] == "debian:6.12"
    findings = json.loads(kharness(project, "doctor", "--json").stdout)
    assert {f["state"] for f in findings} <= {"ok", "note", "gap"}


@pytest.mark.parametrize("how", [(), ("--fork",)])
def test_shell_runs_what_it_is_told(project: Path, how: tuple[str, ...]) -> None:
    done = subprocess.run(
        [*COMMAND, "shell", "--accel", "tcg", *how],
        cwd=project,
        input="uname -r; ls /case; exit 7\n",
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 7
    assert done.stdout.startswith("6.12.")
    assert "try.all" in done.stdout


def test_shell_opens_beside_a_case(project: Path) -> None:
    done = subprocess.run(
        [*COMMAND, "shell", "--case", "cases/try/all.c::leaves_mark"],
        cwd=project,
        input="cat /proc/sys/kernel/domainname; exit 3\n",
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 3
    assert "ok 1 leaves_mark" in done.stdout
    assert "leaves_mark has ended (status 0x0)" in done.stdout
    assert "marked" in done.stdout


def test_shell_is_the_guest_of_a_run(tmp_path: Path) -> None:
    folder = make_project(tmp_path / "p", "TEST(two, NEEDS_CPUS(2)) { EXPECT_EQ(1, 1); }")
    with (folder / "harness.toml").open("a") as stream:
        stream.write("[guest]\nmemory_mib = 200\n")
    told = 'echo "cpus $(grep -c ^processor /proc/cpuinfo)"; grep MemTotal /proc/meminfo'
    done = kharness(
        *(folder, "shell", "--accel", "tcg", "--case", "cases/a.c::two"),
        input=f"{told}; cat /proc/cmdline\n",
        env={**os.environ, "KHARNESS_GUEST_APPEND": "kh.here=1"},
    )
    assert done.returncode == 0, done.stderr
    assert "cpus 2\n" in done.stdout
    assert "kh.here=1" in done.stdout
    (total_kib,) = re.findall(r"MemTotal: +(\d+) kB", done.stdout)
    assert 130 * 1024 < int(total_kib) < 200 * 1024


def test_ctrl_c_ends_a_shell_that_is_not_there_yet(project: Path) -> None:
    keyboard, terminal = os.openpty()
    try:
        before = termios.tcgetattr(terminal)
        own_terminal = ("env", "--default-signal=INT", "setsid", "--ctty", "--wait")
        process = subprocess.Popen(
            [*own_terminal, *COMMAND, "shell", "--accel", "tcg"],
            cwd=project,
            stdin=terminal,
            stdout=terminal,
            stderr=subprocess.DEVNULL,
        )
        with process:
            while not (booting := guests_of(process.pid)):
                assert process.poll() is None
                time.sleep(0.05)
            os.write(keyboard, b"\x03")
            try:
                assert process.wait(60) == 2
            finally:
                process.kill()
        assert not any(lives(pid) for pid in booting)
        assert termios.tcgetattr(terminal) == before
    finally:
        os.close(keyboard)
        os.close(terminal)


TALKERS = """
#include "kcase.h"
static void say(int from, int to)
{
	int fd = open("/dev/kmsg", O_WRONLY);
	char line[64];

	for (int n = from; n < to; n++)
		EXPECT_OK(write(fd, line, sprintf(line, "says %d", n)));
}
"""


@pytest.mark.parametrize("jobs", ["1", "2", "3"])
def test_a_console_is_that_of_one_case(project: Path, tmp_path: Path, jobs: str) -> None:
    source = tmp_path / "talkers.c"
    tests = "".join(f"TEST(t{n}) {{ say({n * 10}, {n * 10 + 8}); }}\n" for n in range(12))
    source.write_text(f"{TALKERS}{tests}KCASE_MAIN\n")
    kharness(project, "run", str(source), "-n", jobs, "--run-dir", str(tmp_path / "run"))
    for number, result in enumerate(by_name(tmp_path / "run").values()):
        said = [int(n) for n in re.findall(r"says (\d+)", result.console)]
        assert said == list(range(number * 10, number * 10 + 8))
        stored = (tmp_path / "run" / result.console_file).read_text()
        assert [int(n) for n in re.findall(r"says (\d+)", stored)] == said


def test_a_case_may_ask_for_a_boot(project: Path, tmp_path: Path) -> None:
    source = tmp_path / "ask.c"
    source.write_text(
        '#include "kcase.h"\n'
        "TEST(boots, ISOLATE(boot)) { EXPECT_EQ(1, 1); }\n"
        "TEST(forks) { EXPECT_EQ(1, 1); }\nKCASE_MAIN\n"
    )
    for asked, others in (("fork", "fork"), ("shared", "shared"), ("boot", "boot")):
        folder = tmp_path / asked
        kharness(project, "run", str(source), "--isolate", asked, "--run-dir", str(folder))
        assert {n: r.isolation for n, r in by_name(folder).items()} == {
            "boots": "boot",
            "forks": others,
        }
    source.write_text('#include "kcase.h"\nTEST(x, ISOLATE(never)) { }\nKCASE_MAIN\n')
    wrong = kharness(project, "run", str(source))
    assert wrong.returncode == 4
    assert "ISOLATE(fork) or ISOLATE(boot)" in wrong.stdout + wrong.stderr


def test_what_cannot_be_forked_is_booted_and_said_once(project: Path, tmp_path: Path) -> None:
    """A real QEMU with a device that does not migrate."""
    program = tmp_path / "qemu"
    program.write_text(
        '#!/bin/sh\nexec qemu-system-x86_64 "$@" $(test "$1" = --version || echo '
        "-drive if=none,id=d,file=null-co://,file.size=1M,format=raw -device nvme,serial=x,drive=d)"
    )
    program.chmod(0o755)
    environment = {**os.environ, "KHARNESS_QEMU": str(program)}
    done = subprocess.run(
        [*COMMAND, "run", "-k", "passes or leaves", "--run-dir", str(tmp_path / "run")],
        cwd=project,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout
    assert done.stdout.count("booting for every case; no fork:") == 1
    assert {r.isolation for r in by_name(tmp_path / "run").values()} == {"boot"}


def test_two_runs_with_different_kernels_at_once(project: Path, tmp_path: Path) -> None:
    environment = {**os.environ, "KHARNESS_CACHE": str(tmp_path / "cache")}
    (tmp_path / "cache").mkdir()
    # Kernels are fetched already; everything else is made anew, by both.
    kernels = Path(os.environ.get("KHARNESS_CACHE", cache_root())) / "kernels"
    (tmp_path / "cache" / "kernels").symlink_to(kernels)
    try:
        both = [
            subprocess.Popen(
                [
                    *(*COMMAND, "run", "-k", "passes or leaves"),
                    *("--kernel", f"debian:{series}", "--run-dir", str(tmp_path / series)),
                ],
                cwd=project,
                env=environment,
                stdout=subprocess.DEVNULL,
            )
            for series in ("6.12", "6.1")
        ]
        assert [one.wait(timeout=300) for one in both] == [0, 0]
        for series in ("6.12", "6.1"):
            found = by_name(tmp_path / series)
            assert [r.outcome for r in found.values()] == [Outcome.PASS] * 3
    finally:
        listed = subprocess.run(
            [*COMMAND, "cache", "prune"],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
    assert listed.stdout.startswith("2 templates removed")


def test_the_limit_of_the_cache_is_kept(project: Path, tmp_path: Path) -> None:
    environment = {**os.environ, "KHARNESS_CACHE": str(tmp_path / "cache")}
    (tmp_path / "cache").mkdir()
    kernels = Path(os.environ.get("KHARNESS_CACHE", cache_root())) / "kernels"
    (tmp_path / "cache" / "kernels").symlink_to(kernels)
    settings = tmp_path / "harness.toml"
    settings.write_text('[run]\naccel = "tcg"\n[cache]\nlimit_mib = 100\n')
    sizes = []
    for memory in ("128", "160"):
        settings.write_text(
            f'[run]\naccel = "tcg"\n[cache]\nlimit_mib = 100\n[guest]\nmemory_mib = {memory}\n'
        )
        words = ["run", "--config", str(settings), "--kernel", "debian:6.12", "-k", "passes"]
        subprocess.run([*COMMAND, *words], cwd=project, env=environment, check=True)
        listed = subprocess.run(
            [*COMMAND, "cache", "list", "--json"], env=environment, capture_output=True, check=True
        )
        kinds = [row["kind"] for row in json.loads(listed.stdout)]
        sizes.append(kinds.count("template"))
    subprocess.run([*COMMAND, "cache", "prune"], env=environment, check=True)
    assert sizes == [1, 1]
