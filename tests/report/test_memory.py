# SPDX-License-Identifier: GPL-2.0-only
"""Reports are made in memory that does not grow with the results, counted by tracemalloc."""

import gc
import json
import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path

import pytest
from rich.console import Console

from harness.report.formats import FORMATS, ReportSettings
from harness.report.html import write_html
from harness.report.stream import JournalIndex
from harness.report.terminal import print_summary
from harness.verdict.outcome import Outcome
from tests.report.example_run import KERNELS, result, run

FEW, MANY = 200, 2_000
OUTPUT = 2_000
"""Characters that each case prints, and its kernel as many."""
HELD = 400
"""Bytes for a result that are no growth: a tenth of what it printed. Python keeps up to 2,000 free
tuples of each length, and what refers to itself until it is looked for (gc)."""
ROW = 800
"""Bytes for a result that the page may take, beside: its numbers and its name."""


@pytest.fixture(scope="module")
def journals(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """Journals by their number of results: outcomes and classes in turn, all of them talkative."""
    folder = tmp_path_factory.mktemp("journals")
    made = {}
    for count in (FEW, MANY):
        made[count] = folder / f"{count}.jsonl"
        with made[count].open("w") as stream:
            for record in records(count):
                stream.write(json.dumps(record) + "\n")
    return made


def records(count: int) -> Iterator[dict[str, object]]:
    outcomes = list(Outcome)
    yield {"kind": "run", **asdict(run())}
    yield from ({"kind": "kernel", **asdict(kernel)} for kernel in KERNELS)
    for number in range(count):
        outcome = outcomes[number % len(outcomes)]
        words = f"{number:06} " + "x" * OUTPUT
        one = result(number, outcome, KERNELS[number % 2].name, stdout=words, console=words)
        yield {"kind": "result", **one.to_json()}
    yield {"kind": "end", "exit_code": 1}


def peaks(journals: dict[int, Path], make: Callable[[JournalIndex], None]) -> tuple[int, int]:
    """Bytes that Python held at most while something was made of few results, and of many."""

    def peak(count: int) -> int:
        gc.collect()
        with JournalIndex.open(journals[count]) as index:
            tracemalloc.start()
            make(index)
            _, most = tracemalloc.get_traced_memory()
            tracemalloc.stop()
        return most

    peak(MANY)  # what is imported and cached once
    return peak(FEW), peak(MANY)


@pytest.mark.parametrize("name", [name for name in FORMATS if name != "html"])
def test_ten_times_the_results_take_no_more_memory(name: str, journals: dict[int, Path]) -> None:
    def make(index: JournalIndex) -> None:
        assert sum(map(len, FORMATS[name].render(index, ReportSettings())))

    few, many = peaks(journals, make)
    assert (many - few) / (MANY - FEW) < HELD


def test_the_summary_takes_no_more_memory(journals: dict[int, Path], tmp_path: Path) -> None:
    def make(index: JournalIndex) -> None:
        with (tmp_path / "out").open("w") as out:
            print_summary(Console(file=out, soft_wrap=True), index, tmp_path, elapsed_s=1)

    few, many = peaks(journals, make)
    assert (many - few) / (MANY - FEW) < HELD


def test_the_page_holds_a_row_for_a_result_and_not_what_it_printed(
    journals: dict[int, Path], tmp_path: Path
) -> None:
    few, many = peaks(journals, lambda index: write_html(index, tmp_path / "page.html"))
    assert (many - few) / (MANY - FEW) < ROW
