# SPDX-License-Identifier: GPL-2.0-only
"""A series with a defect in it, built for real on top of procfd, and found."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from junitparser import JUnitXml

from harness.errors import ExitCode
from harness.kernels.build import build, plan_recipe
from harness.kernels.patches import load_patches
from harness.kernels.recipe import find_recipe
from harness.kernels.source import open_source

pytestmark = [pytest.mark.guest, pytest.mark.long]
ROOT = Path(__file__).parents[1]
CASE = "cases/pidfd/open.c::rejects_every_undefined_flag"
MAIL = """\
From 0123456789012345678901234567890123456789 Mon Sep 17 00:00:00 2001
From: A <a@example.org>
Subject: [PATCH {number}/{count}] {title}

"""
ROW = "	if (flags & ~(PIDFD_NONBLOCK | PIDFD_THREAD))\n"
TITLES = ("pid: name the flags", "pid: take a flag too many", "pid: warn at boot", "pid: typo")
"""What the patches do: nothing, a defect that a case finds, a splat while booting, no build."""


def kharness(*words: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "harness.cli", *words]
    return subprocess.run(
        command, cwd=cwd, capture_output=True, text=True, check=False, timeout=1500
    )


@pytest.fixture(scope="module")
def series(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A mailbox with four patches for kernel/pid.c, made of the source that is at hand."""
    folder = tmp_path_factory.mktemp("series")
    source = open_source("debian:6.12").folder / "kernel" / "pid.c"
    texts = [source.read_text()]
    assert ROW in texts[0]
    call = "pid_idr_init(void)\n{\n"
    assert call in texts[0]
    texts.append(texts[-1].replace(ROW, f"	/* what is known */\n{ROW}"))
    texts.append(texts[-1].replace("PIDFD_NONBLOCK | PIDFD_THREAD))", "O_NONBLOCK | O_EXCL | 4))"))
    texts.append(texts[-1].replace(call, f"{call}	WARN_ON(1);\n"))
    texts.append(texts[-1].replace("/* what is known */", "nix;"))
    mails = []
    for number, title in enumerate(TITLES, 1):
        for side, text in (("a", texts[number - 1]), ("b", texts[number])):
            (folder / side / "kernel").mkdir(parents=True, exist_ok=True)
            (folder / side / "kernel" / "pid.c").write_text(text)
        diff = subprocess.run(
            ["diff", "-u", "a/kernel/pid.c", "b/kernel/pid.c"],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        ).stdout
        mails.append(MAIL.format(number=number, count=len(TITLES), title=title) + diff + "\n")
    (folder / "series.mbox").write_text("".join(reversed(mails)))
    return folder / "series.mbox"


@pytest.fixture(scope="module")
def judged(
    series: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[subprocess.CompletedProcess[str], Path]:
    out = tmp_path_factory.mktemp("out")
    words = ["series", "--base", "procfd", "--patches", str(series), "--each", "--out", str(out)]
    return kharness(*words, "--cases", "cases/pidfd/open.c"), out


def test_every_patch_is_judged(
    judged: tuple[subprocess.CompletedProcess[str], Path],
) -> None:
    done, out = judged
    assert done.returncode == 1, done.stdout + done.stderr
    data = json.loads((out / "difference.json").read_text())
    # How long a case takes is the machine's doing as well.
    found = {
        step["patch"]: [
            (d["change"], d["case"]) for d in step["differences"] if d["change"] != "changed_time"
        ]
        for step in data["patches"]
    }
    assert list(found) == list(TITLES)
    assert found[TITLES[0]] == []
    assert found[TITLES[1]] == [("newly_failing", CASE)]
    assert found[TITLES[2]] == [("new_splat", ""), ("still_failing", CASE)]
    assert found[TITLES[3]] == [("broken", "")]
    step = next(d for d in data["patches"][2]["differences"] if d["change"] == "new_splat")
    assert "while booting: WARNING in" in step["words"]
    assert "pid_idr_init" in step["words"]


def test_the_one_to_blame_is_named(
    judged: tuple[subprocess.CompletedProcess[str], Path],
) -> None:
    done, out = judged
    assert f"broken by: {TITLES[1]}: {CASE}" in done.stdout
    assert f"broken by: {TITLES[3]}" in done.stdout
    assert "kernel/pid.c" in done.stdout
    assert "error: " in done.stdout
    assert "nix;" in done.stdout
    assert done.stdout.splitlines()[-2].startswith("WORSE: ")
    assert "make[" not in (out / "difference.md").read_text()
    assert JUnitXml.fromfile(str(out / "difference.xml")).failures >= 3


def test_bisecting_finds_the_defect(
    judged: tuple[subprocess.CompletedProcess[str], Path], series: Path, tmp_path: Path
) -> None:
    """A history of the kernels of the series, one that does not boot in the middle of it."""
    plan = plan_recipe(find_recipe("procfd"))
    patches = load_patches(series)
    good = build(plan).folder
    bad = build(plan.with_patches(patches[:2])).folder
    kernels = [good, good, Path("/nowhere"), good, bad, bad, bad]

    def git(*words: str) -> str:
        identity = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
        command = ["git", *identity, "-C", str(tmp_path), *words]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    git("init", "-q")
    for number, kernel in enumerate(kernels):
        (tmp_path / "kernel").write_text(f"{kernel}\n")
        (tmp_path / "number").write_text(f"{number}\n")
        git("add", "-A")
        git("commit", "-qm", f"step {number}")
    git("bisect", "start", "HEAD", "HEAD~6")
    run = f'cd "$0" && {sys.executable} -m harness.cli run --bisect -q --kernel '
    found = git("bisect", "run", "sh", "-c", f"{run} $(cat {tmp_path}/kernel) {CASE}", str(ROOT))
    assert "is the first bad commit" in found
    assert "step 4" in found


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("--kernel", "/nowhere", CASE), 125),
        (("--kernel", "/bin/sh", CASE), 125),
        (("--kernel", "recipe:nix", CASE), 125),
        (("--kernel", "debian:6.12", "cases/pidfd/open.c", "-k", "nix"), 125),
        (("--kernel", "debian:6.12", CASE), 0),
    ],
)
def test_bisect_skips_what_it_cannot_judge(words: tuple[str, ...], code: int) -> None:
    assert kharness("run", "--bisect", *words).returncode == code


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("--base", "nix", "--patches", "x.patch"), 4, "no patches at x.patch"),
        (("--base", "nix", "--patches", "README.md"), 4, "has no patch in it"),
        (("--base", "procfd", "--patches", "{old}"), 3, "does not apply"),
        (("--base", "procfd", "--patches", "{mbox}", "--out", "tests"), 4, "is not empty"),
    ],
)
def test_what_cannot_be_judged_is_one_line(
    series: Path, words: tuple[str, ...], code: int, says: str
) -> None:
    old = ROOT / "images" / "kernels" / "procfd" / "patches"  # applied already
    done = kharness("series", *(w.format(mbox=series, old=old) for w in words))
    assert done.returncode == code, done.stdout + done.stderr
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def test_two_runs_are_compared(judged: tuple[subprocess.CompletedProcess[str], Path]) -> None:
    _, out = judged
    done = kharness("compare", str(out / "00"), str(out / "02"))
    assert done.returncode == 1
    assert CASE in done.stdout
    assert kharness("compare", str(out / "00"), str(out / "00")).returncode == 0
    junit = str(out / "02" / "junit.xml")
    assert kharness("compare", str(out / "00"), junit).returncode == 1
    assert kharness("compare", str(out / "00"), "/nowhere").returncode == ExitCode.USAGE
