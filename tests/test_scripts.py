# SPDX-License-Identifier: GPL-2.0-only
"""scripts/steady and scripts/soak with real guests, scripts/scores with real scores."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from harness.report.journal import read_journal
from harness.resources import resource
from scripts import memory

pytestmark = pytest.mark.long

CASES = """#include "kcase.h"
TEST(holds) { EXPECT_ERRNO(close(-1), EBADF); }
TEST(rests) { SKIP("inconclusive: nobody can tell"); }
%s
KCASE_MAIN
"""
WRONG = "TEST(breaks) { EXPECT_ERRNO(close(-1), EINVAL); }"


def script(name: str, *words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(resource("scripts") / name), *words],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )


@pytest.mark.guest
def test_steady_counts_what_is_wrong_and_goes_on_where_it_stopped(tmp_path: Path) -> None:
    (tmp_path / "some.c").write_text(CASES % "")
    words = ("--kernel", "debian:6.12", "--stress", "1", "--out", "out", "some.c")
    once = script("steady", "--rounds", "1", *words, cwd=tmp_path)
    assert (once.returncode, once.stdout.splitlines()[-1]) == (0, "2 outcomes, 0 wrong"), once
    journal = tmp_path / "out" / "001-debian-6.12" / "journal.jsonl"
    first = journal.read_bytes()

    (tmp_path / "some.c").write_text(CASES % WRONG)
    gone = ("--kernel", "no-such-kernel", "--at-once", "2")
    more = script("steady", "--rounds", "2", "--isolate", "shared", *gone, *words, cwd=tmp_path)
    assert (more.returncode, more.stdout.splitlines()[-1]) == (1, "5 outcomes, 3 wrong"), more
    nothing, _, failed = [line for line in more.stdout.splitlines() if "WRONG" in line]
    assert nothing == "round 1: WRONG no-such-kernel: no result: see out/001-no-such-kernel.log"
    assert failed.startswith("round 2: WRONG debian:6.12: some.c::breaks: fail: ")
    assert journal.read_bytes() == first
    second = read_journal(tmp_path / "out" / "002-debian-6.12" / "journal.jsonl").results
    assert {result.isolation for result in second} == {"shared"}


def scored(file: Path, **fates: str) -> str:
    mutants = [{"name": f"pid/{n}", "title": f"title of {n}", "fate": f} for n, f in fates.items()]
    file.write_text(json.dumps({"mutants": mutants}))
    return str(file)


def test_scores_side_by_side(tmp_path: Path) -> None:
    ours = scored(tmp_path / "ours.json", one="noticed", two="noticed", three="survived")
    part = scored(tmp_path / "part.json", one="survived", two="noticed", three="survived")
    rest = scored(tmp_path / "rest.json", one="noticed", two="survived")
    done = script("scores", f"ours={ours}", f"theirs={part},{rest}", f"few={rest}", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "|  | mutants | ours | theirs | few |",
        "|---|---|---|---|---|",
        "| pid | 3 | 2 | 2 | 1 |",
        "| **all** | **3** | **2 (67 %)** | **2 (67 %)** | **1 (33 %)** |",
        "",
        "| mutant | defect | ours | theirs | few |",
        "|---|---|---|---|---|",
        "| `pid/one` | title of one | yes | yes | yes |",
        "| `pid/three` | title of three | no | no | not judged |",
        "| `pid/two` | title of two | yes | yes | no |",
    ]


def test_scores_of_nothing_is_wrong_usage(tmp_path: Path) -> None:
    done = script("scores", cwd=tmp_path)
    assert (done.returncode, done.stderr.count("\n")) == (4, 1)


@pytest.mark.guest
def test_soak_kills_and_counts_and_tells_the_memory_of_each_controller(tmp_path: Path) -> None:
    words = ("--cases", "30", "--seed", "7", "--guest-every", "0.5", "--run-every", "10")
    done = script("soak", *words, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    lines = dict(line.partition(": ")[::2] for line in done.stdout.splitlines())
    assert (lines["lost"], lines["doubled"], lines["misjudged"]) == ("0", "0", "0")
    assert int(lines["right"]) + int(lines["killed twice"]) == 30
    assert "memory of controller 1" in lines
    assert "memory of pytest with xdist" in lines


GROWS = """
import time
kept, number = [], 0
with open("journal.jsonl", "a", buffering=1) as journal:
    while True:
        print('{"kind": "result"}\\n' * 5, end="", file=journal)
        kept += [bytearray(%d) for _ in range(5)]
        time.sleep(0.004)
"""


@pytest.mark.parametrize(("keeps", "leaks"), [(0, False), (8192, True)])
def test_memory_of_a_process_is_judged_by_its_results(
    tmp_path: Path, keeps: int, leaks: bool
) -> None:
    """A process that keeps so many bytes of every result."""
    process = subprocess.Popen([sys.executable, "-c", GROWS % keeps], cwd=tmp_path)
    watch = memory.Watch(process, tmp_path / "journal.jsonl", every_s=0.05)
    watch.start()
    try:
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(3)
    finally:
        process.kill()
        process.wait()
    series = watch.stop("it")
    assert series.results > memory.FEWEST
    assert series.leaks is leaks, str(series)


def test_memory_that_only_the_start_took_is_no_growth() -> None:
    def series(*kib: int) -> memory.Series:
        return memory.Series("it", [memory.Sample(100 * n, k) for n, k in enumerate(kib)])

    assert not series(*[90_000] * 20).leaks
    assert series(*range(90_000, 100_000, 500)).leaks
    assert not series(90_000, 99_000).leaks, "100 results say nothing"
    assert str(series(90_000)) == "it: 0 results, too few to tell"
    assert memory.Series("it", []).results == 0


def test_a_script_that_is_called_by_its_name_needs_what_setup_makes(tmp_path: Path) -> None:
    for name in ("python", "scores"):
        shutil.copy(resource("scripts") / name, tmp_path)
    done = subprocess.run([tmp_path / "scores"], capture_output=True, text=True, check=False)
    assert done.returncode == 3
    assert done.stderr == f"{tmp_path}/scores: there is no .venv yet: {tmp_path}/setup\n"
