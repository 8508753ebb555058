# SPDX-License-Identifier: GPL-2.0-only
"""The whole of it, as a user starts it: kharness run and pytest, on a real kernel."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from junitparser import JUnitXml
from lxml import etree

from harness.report.journal import read_journal
from harness.verdict.outcome import Outcome, Result

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


def kharness(project: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "harness.cli", *words],
        cwd=project,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
        timeout=300,
    )


def results(folder: Path) -> dict[str, Result]:
    return {r.name: r for r in read_journal(folder / "journal.jsonl").results}


EXPECTED = {
    "passes": Outcome.PASS,
    "fails": Outcome.FAIL,
    "skips": Outcome.SKIP,
    "crashes": Outcome.CRASH,
    "hangs": Outcome.TIMEOUT,
    "reboots": Outcome.ERROR,
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
    assert {name: r.outcome for name, r in results(folder).items()} == EXPECTED
    assert done.returncode == 1


def test_a_failure_has_everything(whole: tuple[subprocess.CompletedProcess[str], Path]) -> None:
    done, folder = whole
    failed = results(folder)["fails"]
    assert "expected -1 EINVAL (Invalid argument), got -1 EBADF" in failed.message
    assert (
        failed.line
        == CASES.splitlines().index("TEST(fails) { EXPECT_ERRNO(close(-1), EINVAL); }") + 1
    )
    assert failed.reproduce == "kharness run --kernel debian:6.12 'cases/try/all.c::fails'"
    for words in ("expected: -1 EINVAL", "got: -1 EBADF", failed.reproduce):
        assert words in done.stdout


def test_the_reproducing_command_reproduces(
    project: Path, whole: tuple[subprocess.CompletedProcess[str], Path]
) -> None:
    words = results(whole[1])["fails"].reproduce.replace("'", "").split()[1:]
    done = kharness(project, *words)
    assert done.returncode == 1
    assert "FAIL: 1 fail in" in done.stdout


def test_a_crash_has_its_console_and_nobody_else_s(
    whole: tuple[subprocess.CompletedProcess[str], Path],
) -> None:
    _, folder = whole
    by_name = results(folder)
    assert by_name["crashes"].message.startswith("Kernel panic") or "sysrq" in (
        by_name["crashes"].console
    )
    stored = folder / by_name["crashes"].console_file
    assert b"sysrq" in stored.read_bytes()
    for name in ("passes", "fails", "skips", "leaves_mark"):
        assert by_name[name].console == ""


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


def test_nothing_of_a_guest_acts_on_the_terminal(
    whole: tuple[subprocess.CompletedProcess[str], Path],
) -> None:
    assert "\x1b" not in whole[0].stdout
    assert "<b>&]]>" in whole[0].stdout


def test_run_folder_is_private(whole: tuple[subprocess.CompletedProcess[str], Path]) -> None:
    assert whole[1].stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("isolation", ["boot", "shared"])
def test_isolation_is_what_was_asked_for(project: Path, isolation: str) -> None:
    folder = project / isolation
    done = kharness(project, "run", "-k", "mark", "--isolate", isolation, "--run-dir", str(folder))
    by_name = results(folder)
    assert by_name["leaves_mark"].outcome is Outcome.PASS
    if isolation == "boot":
        assert done.returncode == 0
        assert by_name["leaves_mark_too"].outcome is Outcome.PASS
    else:
        # The second sees what the first left, and is told who ran before.
        assert done.returncode == 1
        assert by_name["leaves_mark_too"].outcome is Outcome.FAIL
        assert "ran before it in this guest: leaves_mark" in by_name["leaves_mark_too"].detail


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
    by_name = results(project / "xdist")
    assert {n: by_name[n].outcome for n in by_name} == {
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
    command = [sys.executable, "-m", "harness.cli", "run", "--run-dir", "stopped", "-v", "-n", "1"]
    process = subprocess.Popen(
        command, cwd=project, stdout=subprocess.PIPE, text=True, errors="replace"
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
    children = guests_of(process.pid)
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    kept = results(project / "killed")
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
    kept = list(results(tmp_path / "run").values())
    assert {r.outcome for r in kept} == {Outcome.ERROR}
    assert all("printed nothing in its console" in r.message for r in kept)
    assert sum("(as for the case before)" in r.detail for r in kept) == len(kept) - 1


def guests_of(pid: int) -> list[int]:
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        found += [int(child) for child in (task / "children").read_text().split()]
    return found


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
        [sys.executable, "-m", "harness.cli", "shell", "--accel", "tcg", *how],
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
