# SPDX-License-Identifier: GPL-2.0-only
"""A run's memory does not grow with its results: what is in the journal is not in memory."""

import gc
import json
import os
import subprocess
import sys
import tracemalloc
from pathlib import Path

import pytest

from harness.ahead import PER_GUEST
from harness.options import RunOptions
from harness.report.journal import read_journal
from harness.run import Run
from harness.verdict.outcome import Outcome, Result

CASES = 30
SOURCE = '#include "kcase.h"\n' + "".join(
    f'TEST(case_{n:02}) {{ printf("# printed-by-%d\\n", {n}); EXPECT_EQ(1, 1); }}\n'
    for n in range(CASES)
)
SOURCE += "KCASE_MAIN\n"
AT_ONCE = PER_GUEST + 2
"""Cases that ran ahead of their turn, the one whose turn it is, and the one before."""
PYTHON = """
import pytest

@pytest.mark.parametrize("number", range(30))
def test_prints(kernel, number):
    print(f"printed-by-{number}")
"""


@pytest.mark.guest
@pytest.mark.parametrize(
    ("words", "source"),
    [
        (("harness.cli", "run", "-n", "1"), SOURCE),
        (("pytest", "-p", "no:cacheprovider", "--jobs", "1"), SOURCE),
        (("pytest", "-p", "no:cacheprovider", "-n", "1"), SOURCE),
        (("harness.cli", "run", "-n", "1"), PYTHON),
    ],
    ids=["kharness", "pytest", "xdist", "python"],
)
def test_what_cases_printed_is_not_held(
    tmp_path: Path, words: tuple[str, ...], source: str
) -> None:
    """Of what Python tests print pytest's own display keeps all; `kharness run` has none of it."""
    cases = tmp_path / "cases"
    cases.mkdir()
    (cases / ("test_many.py" if source == PYTHON else "many.c")).write_text(source)
    (tmp_path / "harness.toml").write_text('[run]\nkernels = ["debian:6.12"]\naccel = "tcg"\n')
    variables = {
        "PYTEST_ADDOPTS": "-p held_probe",
        "PYTHONPATH": str(Path(__file__).parent / "data"),
        "HELD_OUT": str(tmp_path / "held"),
    }
    # These tests may run in workers of xdist themselves, which the probe must not take for its own.
    plain = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST_")}
    done = subprocess.run(
        [sys.executable, "-m", *words, "--run-dir", "run", "cases"],
        cwd=tmp_path,
        env={**plain, **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    results = read_journal(tmp_path / "run" / "journal.jsonl").results
    assert {r.stdout.count("printed-by-") for r in results} == {1}
    held = [json.loads(line) for line in (tmp_path / "held").read_text().splitlines()]
    assert [one["finished"] for one in held] == list(range(10, CASES + 1, 10))
    assert max(one["results"] for one in held) <= AT_ONCE
    assert max(one["cases"] for one in held) <= AT_ONCE


def test_of_a_result_an_outcome_is_held_in_room_that_was_there(tmp_path: Path) -> None:
    """2,000 results with 5,000 characters each: 10 MB, of which nothing stays."""
    count, size = 2_000, 5_000
    run = Run(RunOptions(start=tmp_path, run_dir=Path("/dev/shm") / f"kharness-test-{os.getpid()}"))
    try:
        keys = [(f"cases/many.c::case_{n}", "some") for n in range(count)]
        run.taken.plan(keys)

        def take(numbers: range) -> None:
            for n in numbers:
                node, kernel = keys[n]
                case = node.encode().decode()  # a text of its own, as if it came from a worker
                words = f"{n} ".ljust(size, "x")
                run.take(Result(case, "many", case, kernel, Outcome.PASS, stdout=words))

        take(range(count // 10))
        gc.collect()
        tracemalloc.start()
        take(range(count // 10, count))
        gc.collect()
        grown, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert grown < count * 10
        assert run.taken.missing == 0
        assert run.has_result(*keys[-1])
        run.finish()
        assert len(read_journal(run.folder() / "journal.jsonl").results) == count
    finally:
        run.close()
        subprocess.run(["rm", "-rf", str(run.folder())], check=True)
