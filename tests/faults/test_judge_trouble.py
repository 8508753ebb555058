# SPDX-License-Identifier: GPL-2.0-only
"""Trouble of the host: processes that are killed, disks that are full, signals, leftovers."""

import os
import re
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.cache import cache_root
from harness.leftovers import sweep, temporary_prefix
from harness.report.journal import read_journal
from harness.verdict.outcome import Outcome
from tests.judging import (
    COMMAND,
    by_name,
    children_of,
    each_once,
    guests_of,
    journal_of,
    kharness,
    kill,
    line_with,
    lives,
    make_project,
    own_cache,
    start,
    the_guest_of,
)

CASES = """
TEST(first) { EXPECT_EQ(1, 1); }
TEST(last) { EXPECT_EQ(1, 1); }
TEST(middle)
{
	int fd = ASSERT_OK(open("/dev/kmsg", O_WRONLY));

	ASSERT_OK(write(fd, "begun\\n", 6));
	sleep(3);
}
"""
NAMES = ["first", "last", "middle"]
guest = pytest.mark.guest


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = make_project(tmp_path_factory.mktemp("trouble") / "p", CASES)
    # Its template is there from now on.
    assert kharness(folder, "run", "-k", "first", "--run-dir", "warm").returncode == 0
    return folder


def kill_in_its_case(project: Path, name: str, guest_pid: int) -> None:
    """Kills a guest whose case has begun: it has said so in its console."""
    while not (found := list((project / name / "consoles").glob("*/a.middle.log"))):
        assert lives(guest_pid)
    os.kill(guest_pid, signal.SIGKILL)
    for path in found:
        path.unlink()  # the next one's


# Dead processes


@guest
def test_a_guest_that_is_killed_costs_nothing_but_time(project: Path) -> None:
    process = start(project, "run", "-v", "-k", "middle", "--run-dir", "once")
    kill_in_its_case(project, "once", the_guest_of(process))
    assert process.stdout is not None
    said = process.stdout.read()
    assert process.wait() == 0, said
    got = by_name(project / "once")["middle"]
    assert got.outcome is Outcome.PASS
    assert got.attempts == ()
    assert "first_guest" in got.extra
    assert "run once more" in said


@guest
def test_a_guest_that_is_killed_twice_is_an_error_with_the_evidence(project: Path) -> None:
    process = start(project, "run", "-v", "-k", "middle", "--run-dir", "twice")
    first = the_guest_of(process)
    kill_in_its_case(project, "twice", first)
    kill_in_its_case(project, "twice", the_guest_of(process, but=first))
    assert process.stdout is not None
    said = process.stdout.read()
    assert process.wait() == 3, said
    got = by_name(project / "twice")["middle"]
    assert got.outcome is Outcome.ERROR
    words = f"{got.message}\n{got.detail}\n{got.evidence}"
    assert "SIGKILL" in words
    assert "twice" in got.message
    assert "Traceback" not in said


@guest
@pytest.mark.parametrize(("crashes", "outcome"), [(1, Outcome.PASS), (2, Outcome.CRASH)])
def test_a_crash_before_the_case_is_the_kernel_s_when_it_comes_twice(
    project: Path, crashes: int, outcome: Outcome
) -> None:
    """The kernel panics for real, between the fork's start and the agent's first answer."""
    name = f"early-{crashes}"
    done = subprocess.run(
        [*COMMAND, "run", "-n", "1", "-k", "first", "--run-dir", name],
        cwd=project,
        env={
            **os.environ,
            "PYTEST_ADDOPTS": "-p early_crash",
            "PYTHONPATH": str(Path(__file__).parents[1] / "data"),
            "EARLY_CRASHES": str(crashes),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    got = by_name(project / name)["first"]
    assert (got.outcome, done.returncode) == (outcome, 0 if crashes == 1 else 1), done.stdout
    assert "sysrq triggered crash" in got.extra["first_guest"]
    assert "Kernel panic" in got.evidence["first guest: console"]
    assert bool(got.splats) is (crashes == 2)
    assert "run once more" in done.stdout


@guest
def test_a_worker_of_xdist_that_dies_costs_nothing_but_time(project: Path) -> None:
    words = [sys.executable, "-m", "pytest", "cases", "-n", "2", "-p", "no:cacheprovider"]
    process = subprocess.Popen(
        [*words, "--run-dir", "xdist", "-v"],
        cwd=project,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    victim = 0
    while not victim:
        assert process.poll() is None
        for worker in children_of(process.pid):
            if (project / "xdist" / "consoles").is_dir() and guests_of(worker):
                victim = worker
    os.kill(victim, signal.SIGKILL)
    assert process.stdout is not None
    said = process.stdout.read()
    process.wait()
    got = by_name(project / "xdist")
    assert sorted(got) == NAMES, said
    assert each_once(project / "xdist") == NAMES
    assert {r.outcome for r in got.values()} == {Outcome.PASS}, said
    assert any("its worker died" in r.extra.get("first_guest", "") for r in got.values())


# Signals


def leaves_nothing(process: subprocess.Popen[str], guests: list[int]) -> None:
    assert process.stdout is not None
    process.stdout.close()
    assert not any(lives(pid) for pid in guests)


@guest
def test_the_first_ctrl_c_lets_cases_end(project: Path) -> None:
    process = start(project, "run", "-v", "-n", "1", "--run-dir", "polite")
    line_with(process, "cases/a.c::")
    pid = the_guest_of(process)
    process.send_signal(signal.SIGINT)
    told = line_with(process, "interrupted:")
    assert re.search(r"interrupted: 1 case ends; once more to stop at once", told)
    last = line_with(process, "have no result; kharness resume polite")
    assert process.wait() == 2
    leaves_nothing(process, [pid])
    journal = journal_of(project / "polite")
    assert len(journal.results) == 2
    assert f"{3 - len(journal.results)} of 3 cases" in last
    assert (project / "polite" / "junit.xml").is_file()
    assert not journal.ended
    assert kharness(project, "resume", "polite").returncode == 0
    assert each_once(project / "polite") == NAMES


@guest
@pytest.mark.parametrize("signals", [("INT", "INT"), ("TERM",), ("HUP",)])
def test_the_second_and_others_stop_at_once(project: Path, signals: tuple[str, ...]) -> None:
    name = "-".join(signals)
    # It sleeps for longer than any host is busy.
    (project / "other").mkdir(exist_ok=True)
    long = '#include "kcase.h"\nTEST(sleeps) { sleep(50); EXPECT_EQ(1, 1); }\nKCASE_MAIN\n'
    (project / "other" / "long.c").write_text(long)
    process = start(project, "run", "-v", "other/long.c", "--run-dir", name, "--timeout", "90")
    pid = the_guest_of(process)
    for number, one in enumerate(signals):
        if number:
            line_with(process, "interrupted:")
        process.send_signal(signal.Signals[f"SIG{one}"])
    assert process.wait() == 2
    leaves_nothing(process, [pid])
    journal = journal_of(project / name)
    assert journal.results == []
    assert len(journal.missing()) == 1
    assert (project / name / "junit.xml").is_file()


# Full disks


def limited(size: int) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


@guest
@pytest.mark.parametrize("share", [0.02, 0.2, 0.35, 0.5, 0.65, 0.8, 0.9, 0.99, 0.999])
def test_a_journal_that_cannot_grow_keeps_what_was_shown(project: Path, share: float) -> None:
    """A limit on the size of files fails a write in the middle of a line, as a full disk does."""
    name = f"limit-{share}"
    size = (
        (project / "sized" / "journal.jsonl").stat().st_size
        if (project / "sized").is_dir()
        else _sized(project)
    )
    words = ("run", "-v", "-n", "1", "--run-dir", name)
    done = kharness(project, *words, preexec_fn=lambda: limited(int(size * share)))
    assert done.returncode == 3, done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert "cannot write" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    shown = re.findall(r"^pass +cases/a.c::(\w+)", done.stdout, re.M)
    path = project / name / "journal.jsonl"
    journal = read_journal(path)
    assert journal.damaged == 0
    assert [r.name for r in journal.results] == list(dict.fromkeys(shown))
    assert not journal.ended
    if journal.run is None:
        return
    assert kharness(project, "resume", name).returncode == 0
    assert each_once(project / name) == NAMES


def _sized(project: Path) -> int:
    assert kharness(project, "run", "-n", "1", "-v", "--run-dir", "sized").returncode == 0
    return (project / "sized" / "journal.jsonl").stat().st_size


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=32k,mode=700", "kharness-test", str(folder)]
    done = subprocess.run(mount, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"a tmpfs cannot be mounted here: {done.stderr.strip()}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@guest
@pytest.mark.parametrize("left_kib", [0, 4, 8, 16, 20])
def test_a_disk_that_is_full_is_one_line(project: Path, small_disk: Path, left_kib: int) -> None:
    with (small_disk / "filler").open("wb") as stream:
        stream.write(bytes((32 - left_kib) * 1024))
    folder = small_disk / "run"
    done = kharness(project, "run", "-v", "-n", "1", "--run-dir", str(folder))
    assert "Traceback" not in done.stdout + done.stderr
    shown = re.findall(r"^pass +cases/a.c::(\w+)", done.stdout, re.M)
    if done.returncode == 0:
        assert sorted(set(shown)) == NAMES
        return
    assert done.returncode == 3, done.stdout + done.stderr
    assert len(done.stderr.splitlines()) == 1, done.stderr
    # Somebody made room.
    subprocess.run(["mount", "-o", "remount,size=8m", str(small_disk)], check=True)
    journal = read_journal(folder / "journal.jsonl") if folder.is_dir() else None
    if journal is None or journal.run is None:
        assert shown == []
        return
    assert {r.name for r in journal.results} == set(shown)
    resumed = kharness(project, "resume", str(folder))
    assert resumed.returncode == 0, resumed.stdout + resumed.stderr
    assert each_once(folder) == NAMES


# Leftovers


def test_what_a_dead_process_left_goes_and_nothing_else(tmp_path: Path) -> None:
    root = tmp_path / "cache"
    place = root / "kernels" / "debian"
    place.mkdir(parents=True)
    script = (
        "import sys; from pathlib import Path; from harness.leftovers import temporary_prefix\n"
        "root = Path(sys.argv[1]); prefix = temporary_prefix('.new-', root)\n"
        "(root / 'kernels' / 'debian' / (prefix + 'x')).mkdir()\n"
        "(root / 'kernels' / (prefix + 'y')).write_text('half')\n"
        "print('made', flush=True); sys.stdin.read()\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(root)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    line_with(process, "made")
    mine = place / f"{temporary_prefix('.new-', root)}z"
    mine.mkdir()
    other = place / ".new-of-somebody-else"
    other.mkdir()
    assert sweep(root) == []  # it lives
    kill(process)
    assert process.stdin is not None
    process.stdin.close()
    assert len(sweep(root)) == 2
    assert {p.name for p in place.iterdir()} == {mine.name, other.name}
    assert [p.name for p in (root / "kernels").iterdir()] == ["debian"]
    assert len(list((root / "owners").iterdir())) == 1


@guest
def test_killed_while_a_template_is_made_the_next_run_cleans_up(
    project: Path, tmp_path: Path
) -> None:
    environment = own_cache(tmp_path / "cache", cache_root() / "kernels")
    process = start(project, "run", "-k", "first", "--run-dir", "half", env=environment)
    pid = the_guest_of(process)
    made = [p for p in Path("/dev/shm").glob("kharness-*/*.new.*") if _has(pid, p)]
    while not made:
        assert process.poll() is None
        made = [p for p in Path("/dev/shm").glob("kharness-*/*.new.*") if _has(pid, p)]
    kill(process)
    assert made[0].is_dir()
    try:
        # Another case program: another template, and yet what was left goes.
        words = ("run", "-k", "last", "--accel", "tcg", "--run-dir", "next")
        done = kharness(project, *words, env=environment)
        assert done.returncode == 0, done.stdout + done.stderr
        assert not made[0].exists()
        assert not list((tmp_path / "cache").rglob("*~*~*"))
        assert len(list((tmp_path / "cache" / "guests").glob("*.guest"))) == 0
    finally:
        subprocess.run([*COMMAND, "cache", "prune"], env=environment, check=True)


@guest
def test_a_template_whose_guest_is_killed_is_booted_again(project: Path, tmp_path: Path) -> None:
    environment = own_cache(tmp_path / "cache", cache_root() / "kernels")
    words = ("run", "-k", "first", "--accel", "tcg", "--run-dir", "again")
    process = start(project, *words, env=environment)
    try:
        os.kill(the_guest_of(process), signal.SIGKILL)
        assert process.stdout is not None
        said = process.stdout.read()
        assert process.wait() == 0, said
        assert "booting once more: QEMU ended" in said
        assert by_name(project / "again")["first"].outcome is Outcome.PASS
    finally:
        subprocess.run([*COMMAND, "cache", "prune"], env=environment, check=True)


def _has(pid: int, folder: Path) -> bool:
    try:
        return str(folder).encode() in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
