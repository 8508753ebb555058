# SPDX-License-Identifier: GPL-2.0-only
"""What becomes of mutants, whatever host and others do meanwhile.

Kernels are of a tree that builds in a second; what cases come to on them is given.
"""

import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

import harness.mutate
import harness.series
from harness.builder import Builder
from harness.kernels.build import Plan, plan_tree
from harness.kernels.make import BuildProgress
from harness.kernels.patches import Patch, load_patches
from harness.kernels.recipe import find_recipe
from harness.locks import Lock
from harness.mutate import Fate, Judged, MutateOptions, mutate
from harness.series import SeriesOptions, judge_series
from harness.subrun import KernelRun
from harness.verdict.outcome import Outcome, Result
from harness.witness import How
from tests.judging import COMMAND
from tests.kernels.conftest import make_tree

pytestmark = pytest.mark.long

CASES = ("a.c::one", "a.c::two", "a.c::three")
DEFECT = """\
Subject: [PATCH] {name}

--- a/file{number}.c
+++ b/file{number}.c
@@ -1,3 +1,3 @@
 int f{number}_0;
-int f{number}_1;
+int {name};
 int f{number}_2;
"""
ENDLESS = """\
--- a/Makefile
+++ b/Makefile
@@ -3,2 +3,3 @@
 PATCHLEVEL = 12
+DELAY = sleep 600
 SUBLEVEL = 7
"""
LOST = Result("a.c::one", "a", "one", "k", Outcome.ERROR, "the guest was lost (twice)")


class Kernels:
    """What the cases come to, by the name of the run folder; without a word they all pass."""

    def __init__(self) -> None:
        self.bad: dict[str, list[Result]] = {}
        self.ran: list[str] = []
        self.meanwhile: dict[str, Callable[[Path], None]] = {}

    def run_on(
        self, image: Path, folder: Path, cases: Sequence[str], options: Sequence[str]
    ) -> KernelRun:
        name = folder.name
        self.ran.append(name)
        folder.mkdir()
        if name in self.meanwhile:
            self.meanwhile[name](image)
        abi = "@compat32" if "compat32" in options else ""
        bad = {r.case: r for r in self.bad.get(name, [])}
        results: list[Result] = []
        for case in cases if cases and cases != ("a.c",) else [f"{case}{abi}" for case in CASES]:
            passed = Result(case, "a", case.partition("::")[2], "k", Outcome.PASS)
            results.append(bad.get(case, passed))
            if "-x" in options and not results[-1].outcome.good:
                break
        return KernelRun(tuple(results), "", image=image)


@pytest.fixture
def kernels(monkeypatch: pytest.MonkeyPatch) -> Kernels:
    stand_in = Kernels()
    monkeypatch.setattr(harness.mutate, "run_on", stand_in.run_on)
    monkeypatch.setattr(harness.series, "run_on", stand_in.run_on)
    return stand_in


@pytest.fixture
def plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Plan:
    monkeypatch.setenv("KHARNESS_CACHE", str(tmp_path / "cache"))
    tree = make_tree(tmp_path / "linux")
    (tree / ".config").write_text("CONFIG_OWN=y\n")
    return plan_tree(tree, find_recipe("mainline"), name="linux")


def defect(tmp_path: Path, name: str, number: int, more: str = "") -> tuple[str, Patch]:
    file = tmp_path / f"{name}.patch"
    file.write_text(DEFECT.format(name=name, number=number) + more)
    return name, load_patches(file)[0]


@pytest.fixture
def two(tmp_path: Path) -> list[tuple[str, Patch]]:
    return [defect(tmp_path, "aaa", 0), defect(tmp_path, "bbb", 1)]


@pytest.fixture
def options(tmp_path: Path) -> MutateOptions:
    return options_in(tmp_path / "out")


def options_in(folder: Path) -> MutateOptions:
    folder.mkdir()
    return MutateOptions(folder, cases=("a.c",), say=lambda _: None)


def no_progress(_: BuildProgress) -> None:
    pass


def judged(
    plan: Plan, mutants: Sequence[tuple[str, Patch]], options: MutateOptions
) -> list[Judged]:
    return mutate(plan, mutants, options, no_progress)


def failing(case: str) -> Result:
    return Result(case, "a", case.partition("::")[2], "k", Outcome.FAIL, "got 1")


# What is a witness


@pytest.mark.parametrize("all_cases", [False, True])
def test_trouble_of_the_host_notices_nothing(
    plan: Plan,
    two: list[tuple[str, Patch]],
    options: MutateOptions,
    kernels: Kernels,
    all_cases: bool,
) -> None:
    options = replace(options, all_cases=all_cases)
    kernels.bad["aaa"] = [LOST]
    lost, well = judged(plan, two, options)
    assert (lost.fate, well.fate) == (Fate.INVALID, Fate.SURVIVED)
    assert lost.reason == "a.c::one: the guest was lost (twice)"
    assert lost.witnesses == ()
    # The host may be well again: what it kept from being judged is tried again, and only that.
    del kernels.bad["aaa"]
    kernels.ran.clear()
    assert [j.fate for j in judged(plan, two, options)] == [Fate.SURVIVED, Fate.SURVIVED]
    assert "aaa" in kernels.ran
    assert "bbb" not in kernels.ran


def test_trouble_of_the_host_in_32_bit_programs_notices_nothing(
    plan: Plan, two: list[tuple[str, Patch]], options: MutateOptions, kernels: Kernels
) -> None:
    kernels.bad["aaa.32"] = [replace(LOST, case="a.c::one@compat32")]
    assert judged(plan, two[:1], options)[0].fate is Fate.INVALID


def test_who_comes_behind_trouble_of_the_host_notices(
    plan: Plan, two: list[tuple[str, Patch]], options: MutateOptions, kernels: Kernels
) -> None:
    kernels.bad["aaa"] = [LOST, failing("a.c::three")]
    (noticed,) = judged(plan, two[:1], options)
    assert noticed.fate is Fate.KILLED
    assert [w.case for w in noticed.witnesses] == ["a.c::three"]


def test_a_kernel_that_does_not_come_up_for_one_case_is_noticed(
    plan: Plan, two: list[tuple[str, Patch]], options: MutateOptions, kernels: Kernels
) -> None:
    kernels.bad["aaa"] = [replace(LOST, message="it panicked", extra={"cause": "kernel"})]
    (noticed,) = judged(plan, two[:1], options)
    assert noticed.fate is Fate.KILLED
    assert [(w.case, w.how) for w in noticed.witnesses] == [("a.c::one", How.BOOT)]


def test_a_32_bit_case_that_fails_without_the_defect_hides_none_behind_it(
    plan: Plan, two: list[tuple[str, Patch]], options: MutateOptions, kernels: Kernels
) -> None:
    everywhere = failing("a.c::one@compat32")
    kernels.bad["base.32"] = [everywhere]
    kernels.bad["aaa.32"] = [everywhere, failing("a.c::two@compat32")]
    kernels.bad["bbb.32"] = [everywhere]
    noticed, survived = judged(plan, two, options)
    assert [w.case for w in noticed.witnesses] == ["a.c::two@compat32"]
    assert (noticed.fate, survived.fate) == (Fate.KILLED, Fate.SURVIVED)
    assert kernels.ran.count("base.32") == 1


# Beside others


def test_fresh_forgets_what_was_judged_and_nothing_else(
    plan: Plan, two: list[tuple[str, Patch]], options: MutateOptions, kernels: Kernels
) -> None:
    judged(plan, two, options)
    (options.folder / "notes.txt").write_text("a person's")
    (options.folder / "score.json").write_text("of before")
    kernels.ran.clear()
    judged(plan, two[:1], replace(options, fresh=True))
    assert "aaa" in kernels.ran
    assert (options.folder / "notes.txt").read_text() == "a person's"
    names = {path.name for path in options.folder.iterdir()}
    assert names == {"notes.txt", "lock", "mutants.jsonl", "base", "base.32", "aaa", "aaa.32"}


def test_fresh_takes_nothing_from_a_call_that_goes_on(
    plan: Plan, two: list[tuple[str, Patch]], options: MutateOptions, tmp_path: Path
) -> None:
    (options.folder / "mutants.jsonl").write_text("")
    (tmp_path / "a.c").write_text('#include "kcase.h"\nTEST(one) {}\nKCASE_MAIN\n')
    words = ["mutate", str(plan.source.folder), str(tmp_path), "--cases", "a.c", "--fresh"]
    with Lock(options.folder / "lock", shared=False):
        done = subprocess.run(
            [*COMMAND, *words, "--out", str(options.folder)],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 4
    assert done.stderr.startswith(f"kharness: another kharness mutate works in {options.folder}:")
    assert {path.name for path in options.folder.iterdir()} == {"lock", "mutants.jsonl"}


def test_a_kernel_that_another_call_uses_stays(
    plan: Plan,
    two: list[tuple[str, Patch]],
    options: MutateOptions,
    kernels: Kernels,
    tmp_path: Path,
) -> None:
    images = []

    def another(image: Path) -> None:
        del kernels.meanwhile["aaa"]
        images.append(image)
        judged(plan, two, options_in(tmp_path / "other"))
        assert (image / "bzImage").is_file()

    kernels.meanwhile["aaa"] = another
    assert [j.fate for j in judged(plan, two, options)] == [Fate.SURVIVED, Fate.SURVIVED]
    # Whoever is the last to use it removes it.
    assert not images[0].exists()


def test_a_kernel_that_a_series_uses_stays(
    plan: Plan,
    two: list[tuple[str, Patch]],
    options: MutateOptions,
    kernels: Kernels,
    tmp_path: Path,
) -> None:
    def another(image: Path) -> None:
        judged(plan, two[:1], options)
        assert (image / "bzImage").is_file()

    kernels.meanwhile["01"] = another
    (tmp_path / "series").mkdir()
    how = SeriesOptions(tmp_path / "series", cases=("a.c",), say=lambda _: None)
    assert judge_series(plan, [two[0][1]], how, no_progress).whole.differences == ()
    assert kernels.ran.count("aaa") == 1


# Interrupted


def test_an_interrupt_does_not_wait_for_the_next_build(
    plan: Plan,
    two: list[tuple[str, Patch]],
    options: MutateOptions,
    kernels: Kernels,
    tmp_path: Path,
) -> None:
    compiling = threading.Event()
    steps = []

    def progress(at: BuildProgress) -> None:
        steps.append(at.what)
        if steps.count("file1.o") == 2:
            compiling.set()

    def interrupted(_: Path) -> None:
        assert compiling.wait(60)
        raise KeyboardInterrupt

    kernels.meanwhile["aaa"] = interrupted
    endless = defect(tmp_path, "ccc", 1, ENDLESS)
    begun = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        mutate(plan, [two[0], endless], options, progress)
    assert time.monotonic() - begun < 200
    # It has ended, and all that it started: nobody holds the place to build in.
    place = Lock(plan.work / "lock", shared=False)
    assert place.acquire(wait=False)
    place.release()


def test_a_build_that_waits_for_another_can_be_ended(plan: Plan) -> None:
    waiting = threading.Event()

    def progress(at: BuildProgress) -> None:
        if at.what.startswith("waiting for another"):
            waiting.set()

    plan.work.mkdir(parents=True)
    with Lock(plan.work / "lock", shared=False):
        with Builder(1, progress) as builder:
            builder.begin(plan)
            assert waiting.wait(60)
        assert list(plan.work.iterdir()) == [plan.work / "lock"]
