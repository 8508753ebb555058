# SPDX-License-Identifier: GPL-2.0-only
"""kharness mutate: real kernels with real defects."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from junitparser import JUnitXml

from harness.resources import resource

pytestmark = pytest.mark.long

HIGH_FLAG = Path(__file__).parent / "mutants" / "pid" / "open-high-flag.patch"
COMPAT = Path(__file__).parent / "mutants" / "signal" / "compat-siginfo.patch"
HEAD = "Subject: [PATCH] {}\n\n---\ndiff --git a/kernel/pid.c b/kernel/pid.c\n"
SAME = HEAD.format("a blank line") + (
    "--- a/kernel/pid.c\n+++ b/kernel/pid.c\n@@ -626,4 +626,5 @@\n"
    " SYSCALL_DEFINE2(pidfd_open, pid_t, pid, unsigned int, flags)\n {\n"
    "+\n \tint fd;\n \tstruct pid *p;\n"
)
BROKEN = SAME.replace("a blank line", "no C").replace("+\n", "+\tthis is no C\n")


def mutate(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "harness.cli", "mutate", "procfd", str(folder / "mutants")]
    command += ["--out", str(folder / "out"), *words]
    return subprocess.run(
        command,
        cwd=resource("cases").parent,
        capture_output=True,
        text=True,
        check=False,
        timeout=1500,
    )


def judged(folder: Path) -> list[str]:
    lines = (folder / "out" / "mutants.jsonl").read_text().splitlines()
    return [json.loads(line)["name"] for line in lines]


@pytest.mark.guest
def test_a_score(tmp_path: Path) -> None:
    mutants = tmp_path / "mutants"
    (mutants / "pid").mkdir(parents=True)
    shutil.copyfile(HIGH_FLAG, mutants / "pid" / "flag.patch")
    (mutants / "same.patch").write_text(SAME)
    (mutants / "broken.patch").write_text(BROKEN)
    words = ("--cases", "cases/pidfd/open.c", "-k", "rejects_every_undefined_flag")
    done = mutate(tmp_path, *words)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "1 of 2 mutants noticed (50 %), 1 not judged" in done.stdout
    assert sorted(judged(tmp_path)) == ["broken", "pid/flag", "same"]

    score = json.loads((tmp_path / "out" / "score.json").read_text())
    assert (score["noticed"], score["survived"], score["not_judged"]) == (1, ["same"], ["broken"])
    by_name = {m["name"]: m for m in score["mutants"]}
    (witness,) = by_name["pid/flag"]["witnesses"]
    assert witness["case"] == "cases/pidfd/open.c::rejects_every_undefined_flag"
    assert (witness["how"], by_name["pid/flag"]["files"]) == ("failure", ["kernel/pid.c"])
    assert "kernel/pid.c" in by_name["broken"]["detail"]
    table = (tmp_path / "out" / "score.md").read_text()
    assert table.index("| same |") < table.index("| broken |") < table.index("| pid/flag |")
    suites = list(JUnitXml.fromfile(str(tmp_path / "out" / "score.xml")))
    assert [(s.tests, s.failures, s.errors) for s in suites] == [(3, 1, 1)]

    # Again: what was judged is not judged again; what did not build may build now.
    again = mutate(tmp_path, *words)
    assert again.returncode == 1
    assert sorted(judged(tmp_path)) == ["broken", "broken", "pid/flag", "same"]


@pytest.mark.guest
def test_what_only_32_bit_programs_run_through(tmp_path: Path) -> None:
    (tmp_path / "mutants").mkdir()
    shutil.copyfile(COMPAT, tmp_path / "mutants" / "compat.patch")
    words = ("--cases", "cases/pidfd/signal.c::carries_queued_value")
    done = mutate(tmp_path, *words, "--append", "kh.mark=1")
    assert done.returncode == 0, done.stdout + done.stderr
    (mutant,) = json.loads((tmp_path / "out" / "score.json").read_text())["mutants"]
    (witness,) = mutant["witnesses"]
    assert witness["case"] == "cases/pidfd/signal.c::carries_queued_value@compat32"
    boots = list((tmp_path / "out" / "base").glob("consoles/*/boot-*.log"))
    assert boots and all(b" kh.mark=1" in log.read_bytes() for log in boots)


def test_no_mutants_are_wrong_usage(tmp_path: Path) -> None:
    (tmp_path / "mutants").mkdir()
    done = mutate(tmp_path)
    assert done.returncode == 4
    assert done.stderr.strip().splitlines() == [
        f"kharness: no mutants at {tmp_path / 'mutants'}: give a folder with *.patch files"
    ]


@pytest.mark.parametrize(
    ("names", "folder"),
    [(["base"], "base"), (["pid-flag", "pid/flag"], "pid-flag"), (["a", "a.32"], "a.32")],
)
def test_no_two_runs_have_one_folder(tmp_path: Path, names: list[str], folder: str) -> None:
    for name in names:
        file = tmp_path / "mutants" / f"{name}.patch"
        file.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(HIGH_FLAG, file)
    done = mutate(tmp_path)
    assert done.returncode == 4
    (said,) = done.stderr.strip().splitlines()
    assert said.endswith(f".patch: the folder {folder} is another run's: rename it")
