# SPDX-License-Identifier: GPL-2.0-only
"""Python cases in the list of cases."""

from pathlib import Path

import pytest

from harness.cases.python_tests import python_tests
from harness.errors import UsageError

SOURCE = '''
import no_such_module


def helper(guest): ...


def test_of_a_guest(tmp_path, guest):
    """What it checks.

    More words.
    """


def test_of_something_else(tmp_path): ...


class TestMany:
    async def test_forks(self, *, fork): ...
'''


def test_what_has_to_do_with_a_guest_is_listed(tmp_path: Path) -> None:
    folder = tmp_path / "cases" / "x"
    folder.mkdir(parents=True)
    (folder / "test_one.py").write_text(SOURCE)
    (folder / "other.py").write_text(SOURCE)
    found = python_tests(tmp_path, tmp_path)
    assert [(c.node, c.line, c.description, c.classname) for c in found] == [
        ("cases/x/test_one.py::test_of_a_guest", 8, "What it checks.", "x.test_one"),
        ("cases/x/test_one.py::TestMany::test_forks", 19, "", "x.test_one"),
    ]
    assert python_tests(folder / "test_one.py", tmp_path) == found


def test_what_is_no_python_is_named(tmp_path: Path) -> None:
    (tmp_path / "test_bad.py").write_text("def test_x(guest:\n")
    with pytest.raises(UsageError, match=r"test_bad.py is no Python: .*never closed"):
        python_tests(tmp_path, tmp_path)
