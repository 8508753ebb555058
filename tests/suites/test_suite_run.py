# SPDX-License-Identifier: GPL-2.0-only
"""Suites of others in real guests, as a user starts them."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from junitparser import JUnitXml

from harness.report.journal import read_journal
from harness.verdict.outcome import Outcome, Result
from tests.suites.conftest import compile_c

pytestmark = pytest.mark.guest


def kharness(folder: Path, *words: str, **env: str) -> subprocess.CompletedProcess[str]:
    (folder / "harness.toml").write_text('[run]\nkernels = ["debian:6.12"]\naccel = "tcg"\n')
    return subprocess.run(
        [sys.executable, "-m", "harness.cli", *words],
        cwd=folder,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
        timeout=300,
        env={**os.environ, **env},
    )


def results(folder: Path) -> dict[str, Result]:
    journal = read_journal(folder / ".kharness" / "runs" / "latest" / "journal.jsonl")
    return {r.case: r for r in journal.results}


@pytest.fixture(scope="module")
def kselftest_run(
    kselftest: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[subprocess.CompletedProcess[str], dict[str, Result], Path]:
    folder = tmp_path_factory.mktemp("run")
    done = kharness(
        folder,
        *("run", "--suite", f"kselftest:{kselftest}", "--timeout-factor", "1"),
        KSELFTEST_ENV_SH_ARGS="'-v two'",
        KSELFTEST_ENDS_ARGS="s",
    )
    return done, results(folder), folder


@pytest.mark.parametrize(
    ("test", "outcome", "words"),
    [
        ("codes:pass.sh", Outcome.PASS, ""),
        ("codes:fail.sh", Outcome.FAIL, "exit 1: mine.sh:7: it went wrong"),
        ("codes:xfail.sh", Outcome.XFAIL, "exit 2"),
        ("codes:xpass.sh", Outcome.XPASS, "exit 3"),
        ("codes:skip.sh", Outcome.SKIP, "no such device"),
        ("codes:lies.sh", Outcome.FAIL, "exit 0, but a check failed"),
        ("codes:short.sh", Outcome.FAIL, "exit 0, but"),
        ("codes:hangs.sh", Outcome.TIMEOUT, "no end after 3 s"),
        ("codes:ends", Outcome.FAIL, "killed by SIGSEGV"),
        ("codes:gone", Outcome.ERROR, "codes:gone is listed in kselftest-list.txt"),
        ("files:reads.sh", Outcome.PASS, ""),
        ("files:env.sh", Outcome.PASS, ""),
        ("files:nested.sh", Outcome.PASS, ""),
        ("files:helped.sh", Outcome.PASS, ""),
        ("files:forks", Outcome.PASS, ""),
        ("files:python.py", Outcome.ERROR, "python.py needs python3"),
        ("guest/deep:uses_library", Outcome.PASS, ""),
        ("guest/deep:crashes", Outcome.CRASH, "sysrq"),
    ],
)
def test_each_program_of_a_kselftest_folder_has_its_outcome(
    kselftest_run: tuple[object, dict[str, Result], Path], test: str, outcome: Outcome, words: str
) -> None:
    result = kselftest_run[1][f"kselftest::{test}"]
    assert result.outcome is outcome, (result.message, result.stdout)
    assert words in result.message


def test_a_failure_says_where_and_how_to_have_it_again(
    kselftest_run: tuple[object, dict[str, Result], Path],
) -> None:
    failed = kselftest_run[1]["kselftest::codes:fail.sh"]
    assert (failed.file, failed.line) == ("mine.sh", 7)
    assert "--suite kselftest:" in failed.reproduce
    assert failed.reproduce.endswith("'kselftest::codes:fail.sh'")


def test_what_the_environment_told_is_told_again(
    kselftest_run: tuple[object, dict[str, Result], Path],
) -> None:
    ends = kselftest_run[1]["kselftest::codes:ends"]
    assert ends.reproduce.startswith("env KSELFTEST_ENDS_ARGS=s kharness run ")


def test_what_one_program_writes_no_other_sees(
    kselftest_run: tuple[object, dict[str, Result], Path], kselftest: Path
) -> None:
    ran = kselftest_run[1]["kselftest::files:reads.sh"]
    assert "reads.sh in /suite/kselftest/files" in ran.stdout
    assert (kselftest / "files" / "data").read_text() == "right\n"


def test_subtests_are_results_of_their_own(
    kselftest_run: tuple[object, dict[str, Result], Path],
) -> None:
    _, found, folder = kselftest_run
    parent = "kselftest::files:nested.sh"
    below = [r for r in found.values() if r.parent == parent]
    assert [(r.classname, r.name, r.outcome) for r in below] == [
        ("kselftest.files.nested_sh", "outer / inner one", Outcome.PASS),
        ("kselftest.files.nested_sh", "outer / inner two", Outcome.SKIP),
        ("kselftest.files.nested_sh", "alone", Outcome.PASS),
    ]
    # The guest died in this one: what it said before counts.
    assert found["kselftest::guest/deep:crashes::before"].outcome is Outcome.PASS
    suites = JUnitXml.fromfile(str(folder / ".kharness" / "runs" / "latest" / "junit.xml"))
    assert suites.tests == len(found)


def test_the_run_fails_as_its_worst_result_does(
    kselftest_run: tuple[subprocess.CompletedProcess[str], dict[str, Result], Path],
) -> None:
    assert kselftest_run[0].returncode == 1, kselftest_run[0].stdout


def test_selection_works_as_with_cases(kselftest: Path, tmp_path: Path) -> None:
    suite = f"--suite=kselftest:{kselftest}:codes"
    done = kharness(tmp_path, "run", suite, "-k", "codes:pass or codes:fail")
    assert done.returncode == 1
    assert set(results(tmp_path)) == {"kselftest::codes:pass.sh", "kselftest::codes:fail.sh"}
    kharness(tmp_path, "run", suite, "--lf", "-k", "codes:pass or codes:fail")
    kharness(tmp_path, "run", suite, "--lf", "-k", "codes:pass or codes:fail")
    assert set(results(tmp_path)) == {"kselftest::codes:fail.sh"}
    done = kharness(tmp_path, "run", suite, "kselftest::codes:pass.sh")
    assert done.returncode == 0, done.stdout
    assert set(results(tmp_path)) == {"kselftest::codes:pass.sh"}
    done = kharness(tmp_path, "run", suite, "-n", "1", "-x", "-k", "codes:fail or codes:short")
    assert sum(not r.parent for r in results(tmp_path).values()) == 1
    done = kharness(tmp_path, "run", suite, "-k", "nothing")
    assert done.returncode == 5


def test_suites_and_cases_in_one_run(kselftest: Path, tmp_path: Path) -> None:
    source = tmp_path / "cases" / "one.c"
    source.parent.mkdir()
    source.write_text('#include "kcase.h"\nTEST(holds) { EXPECT_EQ(1, 1); }\nKCASE_MAIN\n')
    suite = f"--suite=kselftest:{kselftest}:codes"
    done = kharness(tmp_path, "run", suite, "cases", "-k", "holds or codes:pass")
    assert done.returncode == 0, done.stdout + done.stderr
    assert set(results(tmp_path)) == {"cases/one.c::holds", "kselftest::codes:pass.sh"}


def test_xdist_workers_share_the_programs(kselftest: Path, tmp_path: Path) -> None:
    (tmp_path / "harness.toml").write_text('[run]\nkernels = ["debian:6.12"]\naccel = "tcg"\n')
    words = [f"--suite=kselftest:{kselftest}:files", "-n2", "-k", "nested or reads", "-q"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *words],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout
    assert {r.case for r in results(tmp_path).values() if not r.parent} == {
        "kselftest::files:nested.sh",
        "kselftest::files:reads.sh",
    }


def test_ltp_by_its_exit_bits_and_result_lines(ltp: Path, tmp_path: Path) -> None:
    done = kharness(tmp_path, "run", f"--suite=ltp:{ltp}:calls")
    assert done.returncode == 1, done.stdout + done.stderr
    found = {r.name: (r.outcome, r.message) for r in results(tmp_path).values()}
    assert found == {
        "passes": (Outcome.PASS, ""),
        "fails": (Outcome.FAIL, "got EINVAL (a.c:7)"),
        "broken": (Outcome.FAIL, "broken: mount() failed (a.c:9)"),
        "not_here": (Outcome.SKIP, "syscall(434) not supported (a.c:9)"),
        "shell01": (Outcome.PASS, ""),
        "piped": (Outcome.PASS, ""),
    }


def test_any_program_with_its_arguments(tmp_path: Path) -> None:
    script = tmp_path / "mine.sh"
    script.write_text('#!/bin/sh\nprintf "last words of $1"\nexit $2\n')
    for words in ("0", "4", "7"):
        kharness(tmp_path, "run", f"--suite=exec:./mine.sh 'a b' {words}", "--timeout", "30")
        (result,) = results(tmp_path).values()
        expected = {
            "0": (Outcome.PASS, ""),
            "4": (Outcome.SKIP, "last words of a b"),
            "7": (Outcome.FAIL, "exit 7: last words of a b"),
        }
        assert (result.outcome, result.message) == expected[words]


def test_a_library_that_is_not_there_is_named_in_one_line(tmp_path: Path) -> None:
    library = compile_c("int answer(void) { return 1; }", tmp_path / "libgone.so", "-shared")
    program = compile_c(
        "int answer(void); int main(void) { return answer(); }",
        tmp_path / "mine",
        *("-L", str(tmp_path), "-lgone"),
    )
    library.unlink()
    done = kharness(tmp_path, "run", f"--suite=exec:{program}")
    assert done.returncode == 4
    (line,) = done.stderr.splitlines()
    assert "mine needs libgone.so, which is not on this host" in line


@pytest.mark.parametrize("packed", [False, True])
def test_a_root_of_ones_own(tmp_path: Path, packed: bool) -> None:
    root = tmp_path / "root"
    (root / "usr" / "bin").mkdir(parents=True)
    (root / "bin").symlink_to("usr/bin")
    (root / "var" / "empty").mkdir(parents=True)
    own = '#include <sys/stat.h>\nint main(void) { struct stat s; puts("own sh");'
    own += 'return stat("/var/empty", &s) || !stat("/bin/busybox", &s); }'
    compile_c(f"#include <stdio.h>\n{own}", root / "usr" / "bin" / "sh", "-static")
    (tmp_path / "mine.sh").write_text("#!/bin/sh\n")
    place = root
    if packed:
        place = tmp_path / "root.tar.gz"
        subprocess.run(["tar", "-czf", place, "-C", root, "."], check=True)
    done = kharness(tmp_path, "run", "--suite=exec:./mine.sh", "--rootfs", str(place))
    (result,) = results(tmp_path).values()
    assert (result.outcome, result.stdout) == (Outcome.PASS, "own sh\n"), done.stdout


def test_a_kernel_without_kunit_says_so(tmp_path: Path) -> None:
    done = kharness(tmp_path, "run", "--kunit", "kunit::boot")
    assert done.returncode == 0, done.stdout + done.stderr
    (result,) = results(tmp_path).values()
    assert (result.case, result.outcome) == ("kunit::boot", Outcome.SKIP)
    assert "no KUnit test ran" in result.message
    assert "Linux version 6.12" in result.stdout


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("exec:/no/such/program", "no program /no/such/program"),
        ("exec:", "not a suite"),
        (f"exec:{'x' * 300}", "File name too long"),
        ("other:thing", "not a suite"),
        ("kselftest:/nowhere", "no folder /nowhere"),
        ("ltp:.", "is no installed LTP"),
        ("kselftest:.", "no kselftest-list.txt"),
        ("kselftest:debian:6.12", "no targets: say which selftests to build"),
    ],
)
def test_a_wrong_suite_is_one_line_and_exit_4(tmp_path: Path, spec: str, words: str) -> None:
    done = kharness(tmp_path, "run", f"--suite={spec}")
    assert done.returncode == 4
    (line,) = done.stderr.splitlines()
    assert words in line


def test_a_suite_or_a_guest_that_is_not_the_same_is_not_mixed_in(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / f"{name}.sh").write_text("#!/bin/sh\nexit 1\n")
        (tmp_path / f"{name}.sh").chmod(0o755)
    suites = [f"--suite=exec:./{name}.sh" for name in "ab"]
    told = {"KHARNESS_GUEST_APPEND": "xyzzy"}
    kharness(tmp_path, "run", "-n", "1", "-x", *suites, **told)
    assert set(results(tmp_path)) == {"exec::a.sh"}
    for env, words in (
        ({}, "the command line of debian-6.12 is"),
        ({**told, "KHARNESS_GUEST_CPUS": "2"}, "the guest's size is"),
        ({**told, "KHARNESS_GUEST_MEMORY_MIB": "256"}, "the guest's size is"),
    ):
        done = kharness(tmp_path, "resume", "latest", **env)
        assert (done.returncode, words in done.stderr) == (4, True), done.stderr
    (tmp_path / "b.sh").write_text("#!/bin/sh\nexit 0\n")
    done = kharness(tmp_path, "resume", "latest", **told)
    assert done.returncode == 4
    assert "suite exec:./b.sh is not the same any more" in done.stderr
    # A journal of before does not know.
    journal = tmp_path / ".kharness" / "runs" / "latest" / "journal.jsonl"
    journal.write_text(re.sub(r', "inputs": \{[^}]*\}', "", journal.read_text()))
    done = kharness(tmp_path, "resume", "latest")
    assert "not the same" not in done.stderr
    assert {case: r.outcome for case, r in results(tmp_path).items()} == {
        "exec::a.sh": Outcome.FAIL,
        "exec::b.sh": Outcome.PASS,
    }
