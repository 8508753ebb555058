# SPDX-License-Identifier: GPL-2.0-only
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from harness.errors import HostError, UsageError
from harness.vm.initramfs import File, agent_initramfs, build


def test_same_input_gives_same_bytes(tmp_path: Path) -> None:
    program = tmp_path / "p"
    program.write_bytes(b"one")
    first = agent_initramfs([("/case/a", program), ("/case/b", program)])
    os.utime(program, (1, 1))
    assert agent_initramfs([("/case/b", program), ("/case/a", program)]) == first


def test_other_content_gives_other_bytes() -> None:
    assert build({"/a": File(b"1")}) != build({"/a": File(b"2")})


@pytest.mark.skipif(shutil.which("cpio") is None, reason="no cpio to read it with")
def test_cpio_reads_it(tmp_path: Path) -> None:
    archive = build({"/a/b/c": File(b"text"), "/a/l": File(b"b/c", link=True)})
    subprocess.run(["cpio", "-id", "--quiet"], input=archive, cwd=tmp_path, check=True)
    assert (tmp_path / "a" / "b" / "c").read_bytes() == b"text"
    assert (tmp_path / "a" / "l").readlink() == Path("b/c")


@pytest.mark.parametrize("path", ["a", "/a/../b", "//a", "/", "/a/", "/a\0"])
def test_a_path_that_leads_elsewhere_is_refused(path: str) -> None:
    with pytest.raises(UsageError):
        build({path: File(b"")})


def test_file_and_folder_of_one_name_are_refused() -> None:
    with pytest.raises(UsageError):
        build({"/a": File(b""), "/a/b": File(b"")})


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(HostError, match="nothing-here"):
        build({"/a": File(tmp_path / "nothing-here")})
