# SPDX-License-Identifier: GPL-2.0-only
"""Memory and CPUs that can be had under the limits of cgroups: made-up trees, real groups."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from harness.cgroups import cpus_left
from harness.host import memory_available_mib

MIB = 1 << 20
UNLIMITED = str(2**63 - 4096)
"""What a group of version 1 without a limit says (mm/page_counter.c, PAGE_COUNTER_MAX)."""


def tree(root: Path, own: str, groups: dict[str, dict[str, str]], available_mib: int) -> Path:
    """A host: the process's /proc/self/cgroup, and the files of groups below /sys/fs/cgroup."""
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/meminfo").write_text(f"MemFree: 1 kB\nMemAvailable: {available_mib * 1024} kB\n")
    (root / "proc/self/cgroup").write_text(own)
    for group, files in groups.items():
        folder = root / "sys/fs/cgroup" / group
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            (folder / name).write_text(content)
    return root


def v2(limit: str, used_mib: int, **stat_mib: int) -> dict[str, str]:
    stat = "".join(f"{key} {value * MIB}\n" for key, value in stat_mib.items())
    return {"memory.max": limit, "memory.current": f"{used_mib * MIB}\n", "memory.stat": stat}


def v1(limit: str, used_mib: int, **stat_mib: int) -> dict[str, str]:
    """The numbers of the group alone are those of nobody: what counts is below ``total_``."""
    stat = "inactive_file 0\nactive_file 0\nhierarchical_memory_limit 1\n"
    stat += "".join(f"total_{key} {value * MIB}\n" for key, value in stat_mib.items())
    return {
        "memory.limit_in_bytes": limit,
        "memory.usage_in_bytes": f"{used_mib * MIB}\n",
        "memory.stat": stat,
    }


def mib(number: int) -> str:
    return f"{number * MIB}\n"


def test_page_cache_is_memory_that_can_be_had(tmp_path: Path) -> None:
    """As behind a kernel build in a container; tmpfs is in the groups of anonymous pages."""
    used = v2(mib(4096), 4090, anon=50, shmem=300, inactive_anon=350, inactive_file=3000)
    used["memory.stat"] += f"active_file {500 * MIB}\nslab 1\n"
    root = tree(tmp_path, "0::/\n", {"": used}, 16000)
    assert memory_available_mib(root) == 4096 - 4090 + 3000 + 500


def test_tmpfs_is_memory_that_is_gone(tmp_path: Path) -> None:
    used = v2(mib(1024), 1000, shmem=990, inactive_anon=990, inactive_file=0, active_file=0)
    assert memory_available_mib(tree(tmp_path, "0::/\n", {"": used}, 16000)) == 24


def test_there_is_never_more_than_the_host_has(tmp_path: Path) -> None:
    used = v2(mib(4096), 4000, inactive_file=3000, active_file=0)
    assert memory_available_mib(tree(tmp_path, "0::/\n", {"": used}, 700)) == 700


def test_no_limit_leaves_what_the_host_has(tmp_path: Path) -> None:
    groups = {"": {}, "user.slice": v2("max\n", 5000), "user.slice/a.scope": v2("max\n", 500)}
    assert memory_available_mib(tree(tmp_path, "0::/user.slice/a.scope\n", groups, 7000)) == 7000


@pytest.mark.parametrize("limited", ["a.slice", "a.slice/b.slice", "a.slice/b.slice/c.service"])
def test_the_tightest_group_on_the_way_up_counts(tmp_path: Path, limited: str) -> None:
    """As of systemd's MemoryMax= of a slice or a service."""
    names = ("a.slice", "a.slice/b.slice", "a.slice/b.slice/c.service")
    groups = {name: v2("max\n", 100) for name in names} | {limited: v2(mib(300), 100)}
    groups["a.slice/other"] = v2(mib(1), 1)
    own = "0::/a.slice/b.slice/c.service\n"
    assert memory_available_mib(tree(tmp_path, own, groups, 7000)) == 200


@pytest.mark.parametrize("limited", ["memory", "memory/docker", "memory/docker/1a"])
def test_limits_of_version_1_count(tmp_path: Path, limited: str) -> None:
    groups = {name: v1(UNLIMITED, 100) for name in ("memory", "memory/docker", "memory/docker/1a")}
    groups[limited] = v1(mib(2048), 2000, inactive_file=700, active_file=200, inactive_anon=900)
    own = "5:devices:/docker/1a\n4:memory:/docker/1a\n1:name=systemd:/docker/1a\n0::/\n"
    assert memory_available_mib(tree(tmp_path, own, groups, 7000)) == 48 + 900


@pytest.mark.parametrize(
    "own", ["4:memory:/docker/1a\n", "4:memory:/../other\n", "4:memory:/gone (deleted)\n"]
)
def test_in_a_container_the_path_may_be_the_host_s(tmp_path: Path, own: str) -> None:
    groups = {"memory": v1(mib(512), 100), "../other": v1(mib(1), 1)}
    assert memory_available_mib(tree(tmp_path, own, groups, 7000)) == 412


@pytest.mark.parametrize("strange", ["", "nonsense\n", "-5\n"])
def test_what_cannot_be_read_limits_nothing(tmp_path: Path, strange: str) -> None:
    groups = {"x": v2(strange, 100)}
    assert memory_available_mib(tree(tmp_path, "0::/x\n", groups, 7000)) == 7000


def test_a_group_above_its_limit_leaves_nothing(tmp_path: Path) -> None:
    assert memory_available_mib(tree(tmp_path, "0::/x\n", {"x": v2(mib(10), 20)}, 7000)) == 0


def test_cpus_are_those_of_the_tightest_quota(tmp_path: Path) -> None:
    """As of ``systemd-run -p CPUQuota=250%``, whose group lies below others that have none."""
    groups = {
        "a.slice": {"cpu.max": "600000 100000\n"},
        "a.slice/b.service": {"cpu.max": "125000 50000\n"},
        "other": {"cpu.max": "10000 100000\n"},
    }
    assert cpus_left(8, tree(tmp_path, "0::/a.slice/b.service\n", groups, 1)) == 3


def test_cpus_of_version_1(tmp_path: Path) -> None:
    quota = {"cpu.cfs_quota_us": "200000\n", "cpu.cfs_period_us": "100000\n"}
    none = {"cpu.cfs_quota_us": "-1\n", "cpu.cfs_period_us": "100000\n"}
    root = tree(tmp_path, "3:cpu,cpuacct:/x\n0::/\n", {"cpu": none, "cpu/x": quota}, 1)
    assert cpus_left(8, root) == 2


@pytest.mark.parametrize(
    ("said", "expected"),
    [("max 100000", 8), ("1000 100000", 1), ("9900000 100000", 8), ("7 0", 8), ("", 8), ("x y", 8)],
)
def test_cpus_are_never_none_and_never_more(tmp_path: Path, said: str, expected: int) -> None:
    assert cpus_left(8, tree(tmp_path, "0::/\n", {"": {"cpu.max": said}}, 1)) == expected


READS = """
import os, sys
from pathlib import Path
from harness.host import memory_available_mib

Path(sys.argv[1], "cgroup.procs").write_text(str(os.getpid()))
print(memory_available_mib())
with open(sys.argv[2], "wb") as cached:
    for _ in range(100):
        cached.write(bytes(1 << 20))
    os.fsync(cached.fileno())
print(memory_available_mib())
used = int(Path(sys.argv[1], "memory.usage_in_bytes").read_text()) >> 20
print(used)
"""


@contextmanager
def group_of_version_1(controller: str) -> Iterator[Path]:
    """A group below this process's own."""
    lines = [line.split(":", 2) for line in Path("/proc/self/cgroup").read_text().splitlines()]
    own = next((path for _, names, path in lines if controller in names.split(",")), None)
    if own is None:
        pytest.skip(f"no {controller} controller of cgroup version 1")
    folder = Path("/sys/fs/cgroup", controller, own.lstrip("/"), f"kharness-test-{os.getpid()}")
    try:
        folder.mkdir()
    except OSError as error:
        pytest.skip(f"no group can be made: {error.strerror}")
    try:
        yield folder
    finally:
        folder.rmdir()


@pytest.fixture
def real_group() -> Iterator[Path]:
    """One with a limit of 200 MiB."""
    with group_of_version_1("memory") as folder:
        (folder / "memory.limit_in_bytes").write_text(mib(200))
        yield folder


def test_a_real_group_of_version_1(real_group: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", READS, str(real_group), str(tmp_path / "cached")],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    before, after, used = map(int, done.stdout.split())
    assert 100 < before <= 200
    if used < 90:
        pytest.skip(f"{tmp_path} has no page cache of its own")
    assert after > 100


COUNTS = """
import os, sys
from pathlib import Path
from harness.host import cpu_count

Path(sys.argv[1], "cgroup.procs").write_text(str(os.getpid()))
print(cpu_count())
"""


def test_cpus_of_a_real_group_of_version_1() -> None:
    with group_of_version_1("cpu") as folder:
        try:
            (folder / "cpu.cfs_quota_us").write_text("100000\n")
        except OSError as error:
            pytest.skip(f"no quota can be set: {error.strerror}")
        done = subprocess.run(
            [sys.executable, "-c", COUNTS, str(folder)],
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        assert (done.stdout, done.stderr) == ("1\n", "")
