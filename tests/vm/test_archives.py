# SPDX-License-Identifier: GPL-2.0-only
"""Initramfs archives in the cache: as many as may stay, and whatever is in use."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness.vm import archives as module
from harness.vm.archives import prune_archives, store_initramfs, stored_archives
from harness.vm.initramfs import File
from tests.judging import COMMAND

MIB = 1 << 20


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KHARNESS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def store(name: str, size: int = MIB, limit_mib: int = 512) -> Path:
    return store_initramfs(
        {}, more={f"/{name}": File(name.encode() * (size // len(name)))}, limit_mib=limit_mib
    )


def left_by_another(*names: str) -> list[Path]:
    """Archives of a process that has ended; the first is the one that was used least recently."""
    script = (
        "import sys; from tests.vm.test_archives import store\n"
        "for name in sys.argv[1:]: print(store(name))\n"
    )
    words = [sys.executable, "-c", script, *names]
    said = subprocess.run(words, check=True, capture_output=True, text=True).stdout
    paths = [Path(line) for line in said.splitlines()]
    for age, path in enumerate(reversed(paths)):
        os.utime(path, (1e9 - age, 1e9 - age))
    return paths


def test_the_same_files_are_one_archive() -> None:
    assert store("a") == store("a") != store("b")
    assert len(stored_archives()) == 2


def test_those_unused_for_longest_go_when_another_is_made() -> None:
    old = left_by_another("a", "b", "c", "d")
    each = old[0].stat().st_size
    new = store("e", limit_mib=3 * each // MIB + 1)
    assert [archive.path for archive in stored_archives()] == [*old[2:], new]


def test_what_is_used_again_is_not_the_oldest_any_more() -> None:
    old = left_by_another("a", "b", "c")
    assert store("a") == old[0]
    assert [archive.path for archive in stored_archives()] == [old[1], old[2], old[0]]


def test_what_a_process_uses_stays_until_it_ends(cache: Path) -> None:
    old = left_by_another("a")
    script = (
        "import sys; from tests.vm.test_archives import store\n"
        "print(store('a'), flush=True); sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline().strip() == str(old[0])
        mine = store("b", limit_mib=0)
        assert prune_archives(0) == []
        assert {archive.path for archive in stored_archives()} == {old[0], mine}
        process.kill()
        process.wait()
    assert [archive.path for archive in prune_archives(0)] == old
    assert {path.name for path in (cache / "initramfs").iterdir()} == {"lock", mine.name}


def test_an_archive_that_a_user_removed_is_made_again() -> None:
    path = store("a")
    path.unlink()
    assert store("a") == path
    assert path.is_file()
    assert prune_archives(0) == []  # and is in use
    module._mine[path].release()
    assert [archive.path for archive in prune_archives(0)] == [path]


def test_the_command_shows_them_and_makes_room() -> None:
    left_by_another("a", "b")

    def cache_command(word: str) -> list[str]:
        words = [*COMMAND, "cache", word]
        return subprocess.run(words, check=True, capture_output=True, text=True).stdout.splitlines()

    size = sum(archive.size for archive in stored_archives()) // MIB
    assert f"2 initramfs archives, {size} MiB" in cache_command("list")
    assert f"2 initramfs archives removed, {size} MiB" in cache_command("prune")
    assert "0 initramfs archives, 0 MiB" in cache_command("list")
