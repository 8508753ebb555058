# SPDX-License-Identifier: GPL-2.0-only
"""QEMUs that are lost before a case has begun: what that costs, and whom."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.cache import cache_root
from harness.host import Qemu
from harness.kernel_guests import BOOTS, LOSSES
from harness.verdict.outcome import Outcome
from harness.vm.pool import FORKS
from tests.judging import COMMAND, SETTINGS, by_name, kharness, make_project, own_cache
from tests.qemus import Stage, lost_qemu, starts

pytestmark = pytest.mark.guest

CASES = "".join(f"TEST({name}) {{ EXPECT_EQ(1, 1); }}\n" for name in ("a", "b", "c", "d"))


@pytest.fixture
def environment(tmp_path: Path) -> Iterator[dict[str, str]]:
    """A cache that has no template."""
    own = own_cache(tmp_path / "cache", cache_root() / "kernels")
    yield own
    subprocess.run([*COMMAND, "cache", "prune"], env=own, check=True)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return make_project(tmp_path / "p", CASES)


def run_with(
    fake: Qemu, project: Path, environment: dict[str, str], *nodes: str, folder: str = "run"
) -> "subprocess.CompletedProcess[str]":
    words = ("run", "-v", "-n", "1", "--run-dir", folder, *nodes)
    return kharness(project, *words, env={**environment, "KHARNESS_QEMU": str(fake.path)})


def test_lost_while_it_loads_a_template_it_costs_nothing(
    project: Path, environment: dict[str, str], qemu: Qemu, tmp_path: Path
) -> None:
    done = run_with(lost_qemu(tmp_path, qemu, Stage.LOADING, FORKS - 1), project, environment)
    assert done.returncode == 0, done.stdout + done.stderr
    assert starts(tmp_path) == 4 + FORKS - 1
    got = by_name(project / "run")
    assert {r.outcome for r in got.values()} == {Outcome.PASS}
    assert not any(r.attempts or "first_guest" in r.extra for r in got.values())
    assert "debian-6.12: forking once more: QEMU ended while it loaded a template" in done.stdout


def test_lost_at_every_boot_for_two_cases_both_have_another(
    project: Path, environment: dict[str, str], qemu: Qemu, tmp_path: Path
) -> None:
    done = run_with(lost_qemu(tmp_path, qemu, Stage.BOOTING, 2 * BOOTS), project, environment)
    assert done.returncode == 0, done.stdout + done.stderr
    assert starts(tmp_path) == 2 * BOOTS + 1
    got = by_name(project / "run")
    assert {r.outcome for r in got.values()} == {Outcome.PASS}
    assert sorted(name for name, r in got.items() if "first_guest" in r.extra) == ["a", "b"]
    assert "booting once more: QEMU ended" in done.stdout


def test_lost_at_every_boot_for_a_case_and_its_second_guest_is_an_error(
    project: Path, environment: dict[str, str], qemu: Qemu, tmp_path: Path
) -> None:
    fake = lost_qemu(tmp_path, qemu, Stage.BOOTING, 2 * BOOTS)
    done = run_with(fake, project, environment, "cases/a.c::b")
    assert done.returncode == 3, done.stdout + done.stderr
    assert starts(tmp_path) == 2 * BOOTS
    (got,) = by_name(project / "run").values()
    assert got.outcome is Outcome.ERROR
    assert re.search(r"QEMU ended .*SIGSEGV.*\(twice\)", got.message)
    assert got.extra["cause"] == "guest"
    # The host works again.
    assert run_with(fake, project, environment, folder="next").returncode == 0


def test_a_hopeless_host_is_given_up(
    project: Path, environment: dict[str, str], qemu: Qemu, tmp_path: Path
) -> None:
    done = run_with(lost_qemu(tmp_path, qemu, Stage.BOOTING, 1000), project, environment)
    assert done.returncode == 3, done.stdout + done.stderr
    assert starts(tmp_path) == LOSSES * BOOTS
    got = by_name(project / "run")
    assert {r.outcome for r in got.values()} == {Outcome.ERROR}
    assert all("SIGSEGV" in r.message for r in got.values())
    assert not any(r.extra.get("cause") == "kernel" for r in got.values())


def panics(folder: Path, real: Qemu, when: str, init: str = "/no/init") -> Qemu:
    """A QEMU whose guests have another init, or none and panic, when a test of the shell says so
    of their number, $n.
    """
    fake = folder / "qemu"
    fake.write_text(
        f"""#!/bin/sh
case $* in *-incoming*) ;; *console=*)
    echo x >>{folder}/starts
    n=$(wc -l <{folder}/starts)
    if {when}; then
        for a; do shift; case $a in console=*) a="$a rdinit={init}";; esac
        set -- "$@" "$a"; done
    fi;;
esac
exec {real.path} "$@"
"""
    )
    fake.chmod(0o700)
    return Qemu(fake, real.version, real.version_text)


def test_a_kernel_that_always_panics_is_booted_twice(
    project: Path, environment: dict[str, str], qemu: Qemu, tmp_path: Path
) -> None:
    done = run_with(panics(tmp_path, qemu, "true"), project, environment)
    assert done.returncode == 3, done.stdout + done.stderr
    assert starts(tmp_path) == 2 * len("x\n")
    got = by_name(project / "run")
    assert {r.outcome for r in got.values()} == {Outcome.ERROR}
    assert {r.extra["cause"] for r in got.values()} == {"kernel"}
    assert all("panics at boot" in r.message for r in got.values())


def test_a_panic_that_does_not_come_again_costs_a_boot(
    project: Path, environment: dict[str, str], qemu: Qemu, tmp_path: Path
) -> None:
    done = run_with(panics(tmp_path, qemu, "[ $n = 1 ]"), project, environment)
    assert done.returncode == 0, done.stdout + done.stderr
    assert {r.outcome for r in by_name(project / "run").values()} == {Outcome.PASS}
    assert "debian-6.12: booting once more: debian:6.12 panics at boot: Kernel" in done.stdout
    consoles = project / "run" / "consoles" / "debian-6.12"
    (failed,) = consoles.glob("boot-*-failed.log")
    (good,) = set(consoles.glob("boot-*.log")) - {failed}
    assert b"Kernel panic" in failed.read_bytes()
    assert b"Kernel panic" not in good.read_bytes()


def test_a_boot_that_stalls_in_emulation_is_tried_once_more(
    project: Path, environment: dict[str, str], qemu: Qemu, tmp_path: Path
) -> None:
    (project / "harness.toml").write_text(f"{SETTINGS}boot_timeout_s = 30\n")
    # It waits for input, and knows no agent's channel.
    fake = panics(tmp_path, qemu, "[ $n != 2 ]", init="/bin/cat")
    done = run_with(fake, project, environment)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "booting once more: debian:6.12 does not boot: no agent after 30 s" in done.stdout
    assert {r.outcome for r in by_name(project / "run").values()} == {Outcome.PASS}

    (project / "harness.toml").write_text(f"{SETTINGS}boot_timeout_s = 10\n")
    again = run_with(fake, project, environment, "--isolate", "boot", folder="again")
    assert again.returncode == 3, again.stdout + again.stderr
    assert starts(tmp_path) == 4 * len("x\n")
    assert all("no agent after 10 s" in r.message for r in by_name(project / "again").values())


def test_a_kernel_that_has_come_up_is_not_given_up(
    environment: dict[str, str], qemu: Qemu, tmp_path: Path
) -> None:
    boots = "TEST(b, ISOLATE(boot)) { EXPECT_EQ(1, 1); }\n"
    project = make_project(tmp_path / "p", CASES.replace("TEST(b) { EXPECT_EQ(1, 1); }\n", boots))
    done = run_with(panics(tmp_path, qemu, "[ $n -gt 1 ]"), project, environment)
    got = by_name(project / "run")
    assert {name for name, r in got.items() if r.outcome is Outcome.PASS} == {"a", "c", "d"}
    assert got["b"].outcome is Outcome.ERROR
    assert "panics at boot" in got["b"].message
    assert done.returncode == 3, done.stdout + done.stderr
