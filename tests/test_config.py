# SPDX-License-Identifier: GPL-2.0-only
from pathlib import Path

import pytest

from harness.config import Settings, load_settings
from harness.errors import UsageError
from harness.host import cpu_count, find_busybox, find_qemu, memory_available_mib
from tests.judging import kharness


def test_defaults_where_there_is_no_file(tmp_path: Path) -> None:
    assert load_settings(None, tmp_path) == Settings()


def test_the_nearest_file_above_counts(tmp_path: Path) -> None:
    (tmp_path / "harness.toml").write_text("[run]\ntimeout_s = 7\n")
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    assert load_settings(None, below).run.timeout_s == 7


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[run]\nkernel = ['x']\n", "unknown key run.kernel: did you mean kernels?"),
        ("[rum]\n", "unknown key rum: did you mean run?"),
        ("[run]\nzzz = 1\n", "unknown key run.zzz: known: kernels"),
        ("[run]\ntimeout_s = -1\n", "run.timeout_s"),
        ("[run]\nisolate = 'x'\n", "run.isolate"),
        ("[run]\nkernels = []\n", "run.kernels"),
        ("[report]\njunit_flavour = 'x'\n", "no flavour is called 'x'; known: jenkins"),
        ("nonsense", "is no TOML"),
    ],
)
def test_a_wrong_file_is_one_line(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "harness.toml"
    path.write_text(text)
    with pytest.raises(UsageError) as caught:
        load_settings(path, tmp_path)
    assert says in str(caught.value)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_shipped_file_is_the_default_and_our_own_kernel() -> None:
    shipped, default = load_settings(Path("harness.toml"), Path.cwd()), Settings()
    kernels = (*default.run.kernels, "recipe:procfd")
    assert shipped == default.model_copy(
        update={"run": default.run.model_copy(update={"kernels": kernels})}
    )


def test_host_facts_are_plausible() -> None:
    assert find_qemu().version >= (5, 0)
    assert cpu_count() >= 1
    assert memory_available_mib() > 100
    busybox = find_busybox()
    assert busybox is None or busybox.exists()


PATHS = """[run]
kernels = ["debian:6.12", "recipe:procfd", "linux", "/boot/vmlinuz", "~/linux"]
cases = ["cases", "more/x.c::one"]
suites = [
    "exec:./a.sh 'x y'", "exec:true -x", "ltp:ltp:syscalls", "kselftest:tests",
    "kselftest:debian:6.12:pidfd",
]
rootfs = "root.tar"
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "harness.toml").write_text(PATHS)
    for name in ("ltp", "tests", "more"):
        (tmp_path / name).mkdir()
    (tmp_path / "a.sh").touch()
    return tmp_path


def test_paths_count_from_the_file_s_folder(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    run = load_settings(None, project / "more").run
    assert run.kernels == (
        *("debian:6.12", "recipe:procfd", f"{project}/linux"),
        *("/boot/vmlinuz", "/home/me/linux"),
    )
    # What lies below is called as it is there.
    assert run.cases == (f"{project}/cases", "x.c::one")
    assert run.suites == (
        *(f"exec:{project}/a.sh 'x y'", "exec:true -x", f"ltp:{project}/ltp:syscalls"),
        *(f"kselftest:{project}/tests", "kselftest:debian:6.12:pidfd"),
    )
    assert run.rootfs == f"{project}/root.tar"
    assert load_settings(project / "harness.toml", project / "more").run == run


def test_in_the_file_s_folder_paths_stay_as_they_are(project: Path) -> None:
    run = load_settings(None, project).run
    assert run.cases == ("cases", "more/x.c::one")
    assert run.suites[0] == "exec:./a.sh 'x y'"


def test_paths_of_the_environment_count_from_here(project: Path) -> None:
    given = {"KHARNESS_RUN_CASES": "x", "KHARNESS_RUN_ROOTFS": "y"}
    run = load_settings(None, project / "more", given).run
    assert (run.cases, run.rootfs) == (("x",), "y")


def test_cases_without_a_word_are_those_here_else_those_beside_the_file(tmp_path: Path) -> None:
    (tmp_path / "harness.toml").write_text("")
    below = tmp_path / "cases" / "pidfd"
    below.mkdir(parents=True)
    assert load_settings(None, below).run.cases == (str(tmp_path / "cases"),)
    (below / "cases").mkdir()
    assert load_settings(None, below).run.cases == ("cases",)


def test_a_run_below_finds_its_cases(tmp_path: Path) -> None:
    (tmp_path / "harness.toml").write_text('[run]\ncases = ["cases"]\n')
    below = tmp_path / "cases" / "pidfd"
    below.mkdir(parents=True)
    (below / "test_it.py").write_text("def test_it():\n    pass\n")
    done = kharness(below, "run")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("start", ["", "cases", "cases/pidfd", "src"])
def test_a_known_failure_is_one_wherever_the_run_is_started(tmp_path: Path, start: str) -> None:
    text = '[run]\ncases = ["cases"]\n[[expect]]\ncase = "cases/*/test_it.py::test_*"\n'
    (tmp_path / "harness.toml").write_text(text + 'outcome = "fail"\nreason = "known"\n')
    folder = tmp_path / "cases" / "pidfd"
    folder.mkdir(parents=True)
    (folder / "test_it.py").write_text("def test_it():\n    assert False\n")
    (tmp_path / "src").mkdir()
    done = kharness(tmp_path / start, "run")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 xfail" in done.stdout
    assert "matches no case" not in done.stdout
