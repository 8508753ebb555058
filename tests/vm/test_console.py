# SPDX-License-Identifier: GPL-2.0-only
"""A guest's console where it cannot be stored."""

from pathlib import Path

from harness.vm.console import Console


def test_what_cannot_be_stored_is_told_and_kept_in_memory(tmp_path: Path) -> None:
    """The bytes come from a callback, where nobody could catch an error."""
    (tmp_path / "file").touch()
    console = Console(tmp_path / "file" / "a.log")
    capture = console.begin()
    assert console.problem == ""
    console.feed(b"one\n")
    console.feed(b"two\n")
    console.close()
    assert console.problem == f"{tmp_path}/file/a.log: File exists"
    assert console.end(capture) == b"one\ntwo\n"


def test_what_is_stored_is_nothing_to_tell(tmp_path: Path) -> None:
    console = Console(tmp_path / "a.log")
    console.feed(b"one\n")
    console.close()
    assert console.problem == ""
    assert (tmp_path / "a.log").read_bytes() == b"one\n"
