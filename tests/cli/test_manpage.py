# SPDX-License-Identifier: GPL-2.0-only
import shutil
import subprocess
from pathlib import Path

import click
import pytest

from harness.cli import main
from harness.manpage import page

PAGE = Path("docs/kharness.1")


def test_the_page_in_docs_is_current() -> None:
    assert PAGE.read_text() == page(), "make man"


@pytest.mark.skipif(not shutil.which("man"), reason="no man(1)")
def test_man_shows_it_without_a_warning() -> None:
    command = ["man", "--warnings", "-E", "ascii", "-l", str(PAGE)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert not done.stderr
    context = click.Context(main)
    for name in main.list_commands(context):
        assert f"kharness {name} " in done.stdout
    assert "KHARNESS_RUN_TIMEOUT_S" in done.stdout
    # What is to be copied has the hyphens of a command line, and stands in one line.
    assert "kharness run --kernel debian:6.12 cases/pidfd/open.c" in done.stdout


@pytest.mark.skipif(not shutil.which("mandoc"), reason="no mandoc(1)")
def test_mandoc_has_nothing_against_it() -> None:
    command = ["mandoc", "-T", "lint", "-W", "warning", str(PAGE)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")
