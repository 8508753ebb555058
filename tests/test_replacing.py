# SPDX-License-Identifier: GPL-2.0-only
"""Writing a file whole or not at all, and what is no file and is written into."""

import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from harness.cache import replacing
from harness.report.flavour import JENKINS
from harness.report.junit import write_junit
from tests.report.example_run import passing


def write(path: Path, text: str = "new") -> None:
    with replacing(path) as temporary:
        temporary.write_text(text)


def names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def test_a_file_is_replaced_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "report"
    path.write_text("old")
    write(path)
    assert path.read_text() == "new"
    assert names(tmp_path) == ["report"]


def test_who_may_read_it_is_as_before_or_as_the_umask_says(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write(tmp_path / "deep" / "new")
    finally:
        os.umask(before)
    (tmp_path / "old").touch()
    (tmp_path / "old").chmod(0o604)
    write(tmp_path / "old")
    modes = [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("deep", "deep/new", "old")]
    assert modes == [0o750, 0o640, 0o604]


def test_an_error_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "report"
    path.write_text("old")
    with pytest.raises(ZeroDivisionError), replacing(path):
        raise ZeroDivisionError
    assert path.read_text() == "old"
    assert names(tmp_path) == ["report"]


@pytest.mark.parametrize("there", [True, False])
def test_through_a_symlink_the_file_is_replaced_that_it_leads_to(
    there: bool, tmp_path: Path
) -> None:
    (tmp_path / "real").mkdir()
    real, link = tmp_path / "real" / "report", tmp_path / "link"
    link.symlink_to("real/report")
    if there:
        real.write_text("old")
    write(link)
    assert link.is_symlink()
    assert not real.is_symlink()
    assert real.read_text() == "new"


def read_from(pipe: Path) -> tuple[threading.Thread, list[str]]:
    got: list[str] = []
    thread = threading.Thread(target=lambda: got.append(pipe.read_text()), daemon=True)
    thread.start()
    return thread, got


@pytest.mark.parametrize("linked", [False, True])
def test_a_pipe_stays_and_its_reader_gets_the_bytes(linked: bool, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    path = tmp_path / "link" if linked else pipe
    if linked:
        path.symlink_to(pipe)
    thread, got = read_from(pipe)
    write(path)
    thread.join(10)
    assert got == ["new"]
    assert stat.S_ISFIFO(pipe.lstat().st_mode)
    assert path.is_symlink() == linked


def test_junit_into_a_pipe_is_one_document_and_nothing_lies_beside_it(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    thread, got = read_from(pipe)
    assert write_junit(passing(), pipe, JENKINS) == [pipe]
    thread.join(10)
    assert got[0].endswith("</testsuites>\n")
    assert names(tmp_path) == ["pipe"]


def test_a_device_stays_a_device(tmp_path: Path) -> None:
    node = tmp_path / "null"
    try:
        os.mknod(node, 0o666 | stat.S_IFCHR, os.makedev(1, 3))
        node.read_bytes()
    except PermissionError:
        pytest.skip("only root makes devices")
    write(node)
    write_junit(passing(), node, JENKINS)
    assert stat.S_ISCHR(node.lstat().st_mode)


def test_a_descriptor_of_the_process_is_written_to_where_it_stands(tmp_path: Path) -> None:
    # A link of our own: the machine's /dev/stdout is no test's to risk.
    link = tmp_path / "stdout"
    link.symlink_to("/proc/self/fd/1")
    script = (
        "import sys; from pathlib import Path; from harness.cache import replacing\n"
        "print('before')\n"
        "with replacing(Path(sys.argv[1])) as t: t.write_text('report\\n')\n"
        "print('after')\n"
    )
    file = tmp_path / "file"
    file.write_text("first\n")
    with file.open("a") as stream:
        subprocess.run([sys.executable, "-c", script, str(link)], stdout=stream, check=True)
    assert file.read_text() == "first\nbefore\nreport\nafter\n"
    assert link.is_symlink()
    done = subprocess.run(
        [sys.executable, "-c", script, str(link)], capture_output=True, check=True, text=True
    )
    assert done.stdout == "before\nreport\nafter\n"
