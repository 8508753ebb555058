# SPDX-License-Identifier: GPL-2.0-only
"""The order of a shuffled run comes from its seed and the cases' names, and from nothing else."""

import subprocess
import sys
from pathlib import Path

import pytest

from harness.choice import parse_seed, shuffled
from harness.errors import UsageError
from harness.report.journal import read_journal

NAMES = [f"t{n}" for n in range(12)]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shuffle")
    (folder / "cases").mkdir()
    tests = "".join(f"TEST({name}) {{ EXPECT_EQ(1, 1); }}\n" for name in NAMES)
    (folder / "cases" / "a.c").write_text(f'#include "kcase.h"\n{tests}KCASE_MAIN\n')
    (folder / "harness.toml").write_text('[run]\nkernels = ["debian:6.12"]\naccel = "tcg"\n')
    return folder


def order(project: Path, *words: str) -> list[str]:
    command = [sys.executable, "-m", "harness.cli", "run", "-q", *words]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, check=True)
    folder = project / ".kharness" / "runs" / "latest"
    journal = read_journal(folder / "journal.jsonl")
    assert journal.run is not None
    assert "shuffle" in " ".join(words) or not journal.run.shuffled, done.stdout
    return [r.name for r in journal.results]


def test_a_part_keeps_the_order_of_the_whole() -> None:
    whole = shuffled(NAMES, str, 7)
    assert sorted(whole) == sorted(NAMES)
    assert whole != NAMES
    part = [name for name in NAMES if name in ("t3", "t5", "t9")]
    assert shuffled(part, str, 7) == [name for name in whole if name in part]
    assert shuffled(NAMES, str, 8) != whole


@pytest.mark.parametrize("text", ["x", "-1", "1.5", "٣"])
def test_a_seed_is_a_number(text: str) -> None:
    with pytest.raises(UsageError, match="a seed is a number"):
        parse_seed(text, "--seed")


@pytest.mark.guest
def test_a_seed_gives_an_order_again(project: Path) -> None:
    assert order(project) == NAMES
    first = order(project, "--shuffle")
    assert sorted(first) == sorted(NAMES)
    run = read_journal(project / ".kharness/runs/latest/journal.jsonl").run
    assert run is not None
    assert run.shuffled
    assert order(project, f"--shuffle={run.seed}") == first
    # The word after the option may be a path; -n 1 or many, the order is the same.
    assert order(project, "--seed", str(run.seed), "-n", "1", "--shuffle", "cases/a.c") == first


@pytest.mark.guest
def test_workers_of_xdist_agree_and_the_seed_is_told(project: Path) -> None:
    command = [sys.executable, "-m", "pytest", "cases", "-n", "2", "-p", "no:cacheprovider"]
    command += ["--shuffle", "--run-dir", "xdist"]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)
    journal = read_journal(project / "xdist" / "journal.jsonl")
    assert journal.run is not None
    assert f"shuffled: --shuffle={journal.run.seed} gives this order again" in done.stdout
    assert sorted(r.name for r in journal.results) == sorted(NAMES)
