# SPDX-License-Identifier: GPL-2.0-only
"""Every report of one journal, byte for byte as it was made before reports were streamed.

The journal has every outcome, a kernel that is written twice and one that is not, a damaged line, a
case that ran again, subtests of which one is missing, and what was planned and did not run. A file
here changes only when what a report says is meant to change.
"""

import io
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console

from harness.report.formats import FORMATS, ReportSettings, Wanted, write_reports
from harness.report.journal import read_journal
from harness.report.stream import JournalIndex
from harness.report.terminal import print_summary

GOLDEN = Path(__file__).parent / "data" / "golden"
BODY = re.compile(r"<header.*?(?=\n<form)", re.S)
DATA = re.compile(r'id="data">(.*?)</script>', re.S)


@pytest.fixture
def index() -> Iterator[JournalIndex]:
    with JournalIndex.open(GOLDEN / "journal.jsonl") as opened:
        yield opened


def expected(name: str) -> str:
    return (GOLDEN / f"{name}.txt").read_bytes().decode()


def told(page: str) -> str:
    """What a page says, without its style and script."""
    return "\n".join(found[1] if found.re is DATA else found[0] for found in parts(page)) + "\n"


def parts(page: str) -> Iterator[re.Match[str]]:
    for pattern in (BODY, DATA):
        found = pattern.search(page)
        assert found
        yield found


@pytest.mark.parametrize("name", [name for name in FORMATS if name != "html"])
def test_a_report_is_what_it_was(name: str, index: JournalIndex) -> None:
    assert "".join(FORMATS[name].render(index, ReportSettings())) == expected(name)
    assert FORMATS[name].text(read_journal(GOLDEN / "journal.jsonl"), ReportSettings()) == (
        expected(name)
    )


def test_the_page_says_what_it_said(index: JournalIndex) -> None:
    assert told("".join(FORMATS["html"].render(index, ReportSettings()))) == expected("html")


def test_the_summary_is_what_it_was(index: JournalIndex) -> None:
    console = Console(highlight=False, soft_wrap=True, file=io.StringIO(), width=120)
    print_summary(console, index, Path("run"), elapsed_s=1.5, seed=3)
    assert isinstance(console.file, io.StringIO)
    assert console.file.getvalue() == expected("summary")


def test_a_file_has_the_bytes_of_the_text(index: JournalIndex, tmp_path: Path) -> None:
    wanted = [Wanted(name, f"{name}.txt") for name in FORMATS]
    for path in write_reports(index, tmp_path, wanted, start=tmp_path):
        text = path.read_bytes().decode()
        assert (told(text) if path.stem == "html" else text) == expected(path.stem)
