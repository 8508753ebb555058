# SPDX-License-Identifier: GPL-2.0-only
"""Folders in tmpfs: whose they are, and what becomes of those whose cache was removed."""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.cache import cache_root
from harness.locks import Lock
from harness.vm import tmpfs
from harness.vm.shelf import prune_templates
from harness.vm.tmpfs import (
    OWNER,
    Orphan,
    make_tmpfs_folder,
    orphans,
    remove_orphans,
    tmpfs_folder,
    tmpfs_folder_in_use,
)
from tests.judging import make_project, own_cache, ran


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache, and a tmpfs, of this test alone."""
    (tmp_path / "shm").mkdir()
    monkeypatch.setattr(tmpfs, "SHM", tmp_path / "shm")
    monkeypatch.setenv("KHARNESS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def made() -> Path:
    folder = make_tmpfs_folder()
    assert folder is not None
    (folder / "template").mkdir()
    (folder / "template" / "ram").write_bytes(bytes(3 << 20))
    return folder


def test_a_folder_is_made_when_it_is_needed_and_not_before(cache: Path) -> None:
    assert tmpfs_folder() is None
    assert list(tmpfs.SHM.iterdir()) == []
    folder = made()
    assert tmpfs_folder() == folder
    assert (folder / OWNER).read_text() == str(cache)
    assert folder.stat().st_mode & 0o777 == 0o700


def test_the_folder_of_a_cache_that_is_there_stays(cache: Path) -> None:
    folder = made()
    assert cache.is_dir()
    assert orphans() == remove_orphans() == []
    assert folder.is_dir()


def test_the_folder_of_a_cache_that_is_gone_goes(cache: Path) -> None:
    folder = made()
    shutil.rmtree(cache)
    assert orphans() == [Orphan(folder, str(cache), 3)]
    assert remove_orphans() == [Orphan(folder, str(cache), 3)]
    assert list(tmpfs.SHM.iterdir()) == []


def test_a_folder_that_is_used_stays_until_it_is_not(cache: Path) -> None:
    with tmpfs_folder_in_use():
        folder = made()
        shutil.rmtree(cache)
        assert [orphan.folder for orphan in orphans()] == [folder]
        assert remove_orphans() == []
        assert (folder / "template" / "ram").is_file()
    assert [orphan.folder for orphan in remove_orphans()] == [folder]


def test_what_a_remover_left_that_was_killed_goes(cache: Path) -> None:
    folder = made()
    away = folder.rename(folder.with_name(folder.name + tmpfs.GONE))
    (away / OWNER).unlink()
    other = made()
    assert [orphan.folder for orphan in remove_orphans()] == [away]
    assert cache.is_dir()
    assert other.is_dir()


def no_owner(folder: Path) -> None:
    (folder / OWNER).unlink()


def named_for_another(folder: Path) -> None:
    (folder / OWNER).write_text("/no/such/cache")


def relative(folder: Path) -> None:
    (folder / OWNER).write_text("cache")


def not_private(folder: Path) -> None:
    folder.chmod(0o755)


def a_link(folder: Path) -> None:
    folder.rename(folder.with_name("elsewhere"))
    folder.symlink_to("elsewhere")


def an_owner_that_is_a_link(folder: Path) -> None:
    (folder / OWNER).rename(folder / "words")
    (folder / OWNER).symlink_to("words")


def of_another_user(folder: Path) -> None:
    os.chown(folder, 12345, 12345)


@pytest.mark.parametrize(
    "change",
    [
        *(no_owner, named_for_another, relative, not_private, a_link, an_owner_that_is_a_link),
        pytest.param(
            of_another_user,
            marks=pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away"),
        ),
    ],
)
def test_what_may_be_anothers_stays(cache: Path, change: Callable[[Path], None]) -> None:
    folder = made()
    shutil.rmtree(cache)
    change(folder)
    assert orphans() == remove_orphans() == []
    assert (folder / "template" / "ram").is_file()


def test_a_cache_that_cannot_be_looked_at_may_be_there(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = made()
    real = Path.lstat

    def forbidden(path: Path) -> os.stat_result:
        if path == cache:
            raise PermissionError(13, "Permission denied")
        return real(path)

    shutil.rmtree(cache)
    monkeypatch.setattr(Path, "lstat", forbidden)
    assert remove_orphans() == []
    assert folder.is_dir()


@pytest.mark.usefixtures("cache")
def test_an_empty_folder_goes_when_room_is_made(cache: Path) -> None:
    folder = make_tmpfs_folder()
    with tmpfs_folder_in_use():
        prune_templates(0)
        assert tmpfs_folder() == folder
    prune_templates(0)
    assert tmpfs_folder() is None
    assert cache.is_dir()


@pytest.mark.usefixtures("cache")
def test_who_waits_while_it_goes_has_a_new_one() -> None:
    folder = made()
    number = (folder / OWNER).stat().st_ino
    remover = Lock(folder / OWNER, shared=False)
    remover.acquire()
    seen: list[bool] = []

    def use() -> None:
        with tmpfs_folder_in_use():
            seen.append((folder / OWNER).is_file())

    user = threading.Thread(target=use)
    user.start()
    # proc_locks(5): who waits for a lock has an arrow.
    while not re.search(rf"-> FLOCK .*:{number} ", Path("/proc/locks").read_text()):
        assert user.is_alive()
    folder.rename(folder.with_name("away"))
    remover.release()
    user.join()
    assert seen == [True]


def test_who_comes_while_it_goes_has_a_whole_one(cache: Path) -> None:
    """The cache is removed, and swept, again and again while somebody uses it."""
    uses: list[str] = []
    removed: list[Orphan] = []
    done = threading.Event()

    def use() -> None:
        try:
            while len(uses) < 200 or len(removed) < 20:
                with tmpfs_folder_in_use():
                    folder = tmpfs_folder()
                    if folder is None:
                        continue  # the cache went while it was made
                    mark = folder / f"mark-{len(uses)}"
                    mark.touch()
                    for _ in range(50):
                        assert mark.exists()
                    uses.append((folder / OWNER).read_text())
                done.wait(0.001)  # leaves the other one a moment
        finally:
            done.set()

    user = threading.Thread(target=use)
    user.start()
    while not done.is_set():
        shutil.rmtree(cache, ignore_errors=True)
        removed += remove_orphans()
    user.join()
    assert len(uses) >= 200
    assert set(uses) == {str(cache)}


ELSEWHERE = """
import sys
from pathlib import Path
from harness.vm import tmpfs
tmpfs.SHM = Path(sys.argv.pop(1))
from harness.cli import entry
entry()
"""
"""kharness with a tmpfs of its own: any other run on this machine removes what nobody owns."""


@pytest.mark.guest
def test_a_cache_that_a_user_removed_is_shown_and_its_templates_go(tmp_path: Path) -> None:
    """By ``cache prune``, and at the start of any run."""
    project = make_project(tmp_path / "p", "TEST(passes) { EXPECT_EQ(1, 1); }\n")
    kernels = cache_root() / "kernels"
    here = own_cache(tmp_path / "here", kernels)
    shm = Path(tempfile.mkdtemp(prefix="kharness-test-", dir="/dev/shm"))

    def kharness(*words: str, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
        return ran((sys.executable, "-c", ELSEWHERE, str(shm)), project, *words, env=env)

    def orphan(name: str) -> Path:
        environment = own_cache(tmp_path / name, kernels)
        done = kharness("run", "--run-dir", name, env=environment)
        assert done.returncode == 0, done.stdout + done.stderr
        (folder,) = [
            path
            for path in shm.glob(f"kharness-{os.getuid()}-*")
            if (path / OWNER).is_file() and (path / OWNER).read_text() == str(tmp_path / name)
        ]
        shutil.rmtree(tmp_path / name)
        return folder

    try:
        first = orphan("first")
        listed = kharness("cache", "list", env=here).stdout
        assert f"of {tmp_path / 'first'}, which is gone; kharness cache prune removes it" in listed
        rows = json.loads(kharness("cache", "list", "--json", env=here).stdout)
        (row,) = [row for row in rows if row["folder"] == str(first)]
        assert (row["kind"], row["cache"]) == ("orphan", str(tmp_path / "first"))
        assert row["size_mib"] > 10
        assert f"{first} removed" in kharness("cache", "prune", env=here).stdout
        assert not first.exists()
        second = orphan("second")
        assert kharness("run", "--run-dir", "here", env=here).returncode == 0
        assert not second.exists()
    finally:
        shutil.rmtree(shm)
