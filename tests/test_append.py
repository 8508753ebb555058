# SPDX-License-Identifier: GPL-2.0-only
"""Words for the kernel's command line: by option, by harness.toml, in the reproducing command."""

import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from harness.kernels.kernel import Kernel
from harness.report.journal import read_journal
from harness.verdict.outcome import Outcome

CASES = r"""#include "kcase.h"
TEST(told)
{
	char text[4096] = "";
	int fd = ASSERT_OK(open("/proc/cmdline", O_RDONLY));

	ASSERT_GT(read(fd, text, sizeof(text) - 1), 0);
	EXPECT_TRUE(strstr(text, "kh.file=1"));
	EXPECT_TRUE(strstr(text, "kh.given=2 kh.too=3"));
}
KCASE_MAIN
"""


def run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "harness.cli", "run", *words],
        cwd=folder,
        env={**os.environ, "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


@pytest.mark.guest
def test_the_kernel_has_them_and_so_has_who_reproduces(tmp_path: Path) -> None:
    (tmp_path / "told.c").write_text(CASES)
    (tmp_path / "harness.toml").write_text('[guest]\nappend = ["kh.file=1"]\n')
    words = ("--kernel", "debian:6.12", "told.c", "--run-dir")
    with_both = run(tmp_path, "--append", "kh.given=2 kh.too=3", *words, "with")
    assert with_both.returncode == 0, with_both.stdout
    (result,) = read_journal(tmp_path / "with" / "journal.jsonl").results
    assert result.reproduce == (
        "kharness run --append 'kh.given=2 kh.too=3' --kernel debian:6.12 'told.c::told'"
    )
    asked = json.loads((tmp_path / "with" / "journal.jsonl").read_text().splitlines()[0])
    assert asked["options"]["append"] == ["kh.given=2 kh.too=3"]

    without = run(tmp_path, *words, "without")
    assert without.returncode == 1
    (result,) = read_journal(tmp_path / "without" / "journal.jsonl").results
    assert result.outcome is Outcome.FAIL
    assert "kh.given=2" in result.message


@pytest.mark.guest
def test_what_is_no_word_is_wrong_usage(tmp_path: Path) -> None:
    (tmp_path / "told.c").write_text(CASES)
    done = run(tmp_path, "--kernel", "debian:6.12", "--append", "a\x1bb", "told.c")
    assert done.returncode == 4
    assert "--append has a character that no command line takes" in done.stderr


@pytest.mark.guest
def test_what_decides_about_a_case_is_in_the_command_that_reproduces_it(tmp_path: Path) -> None:
    (tmp_path / "slow.c").write_text(
        '#include "kcase.h"\nTEST(slow) { sleep(3); EXPECT_EQ(1, 1); }\nKCASE_MAIN\n'
    )
    (tmp_path / "other.toml").write_text('[run]\nwarn = "fail"\naccel = "tcg"\n')
    words = ("--config", "other.toml", "--timeout", "1", "--isolate", "boot", "--warn", "fail")
    run(tmp_path, *words, "--kernel", "debian:6.12", "slow.c", "--run-dir", "first")
    (result,) = read_journal(tmp_path / "first" / "journal.jsonl").results
    assert result.outcome is Outcome.TIMEOUT
    assert result.reproduce == (
        "kharness run --config other.toml --isolate boot --timeout 1 "
        "--kernel debian:6.12 'slow.c::slow'"
    )
    again = shlex.split(result.reproduce)[2:]
    run(tmp_path, *again, "--run-dir", "again")
    (result,) = read_journal(tmp_path / "again" / "journal.jsonl").results
    assert (result.outcome, result.isolation) == (Outcome.TIMEOUT, "boot")


def test_a_kernel_s_path_and_a_name_are_quoted_for_who_reproduces(
    tmp_path: Path, one_kernel: Kernel
) -> None:
    image = tmp_path / "sp ace" / "bzImage"
    image.parent.mkdir()
    shutil.copy(one_kernel.image, image)
    (tmp_path / "it's.c").write_text(
        '#include "kcase.h"\nTEST(new, NEEDS_KERNEL(99, 0)) { EXPECT_EQ(1, 1); }\nKCASE_MAIN\n'
    )
    (tmp_path / "test_it.py").write_text("def test_it(kernel):\n    pass\n")
    words = ("--kernel", "sp ace/bzImage")
    done = run(tmp_path, *words, "it's.c", "test_it.py", "--run-dir", "run")
    results = read_journal(tmp_path / "run" / "journal.jsonl").results
    assert [shlex.split(r.reproduce) for r in results] == [
        ["kharness", "run", *words, "test_it.py::test_it"],
        ["kharness", "run", *words, "it's.c::new"],
    ], done.stdout
