# SPDX-License-Identifier: GPL-2.0-only
"""Sources, mirrors and builds, in a tree that builds in a second; recipes with a real kernel."""

import os
import re
import signal
import subprocess
import sys
import tarfile
import time
from dataclasses import replace
from pathlib import Path

import pytest

from harness.errors import HostError, KernelError, UsageError
from harness.kernels.build import Plan, build, find_built, plan_recipe, plan_tree
from harness.kernels.make import BuildProgress, error_lines
from harness.kernels.mirror import mirror
from harness.kernels.patches import load_patches
from harness.kernels.recipe import find_recipe, recipe_names
from harness.kernels.source import open_source

pytestmark = pytest.mark.long

RECIPE = """\
source = "../linux"
base = "tinyconfig"
fragments = ["x.config"]
"""
PATCH = """\
--- a/file0.c
+++ b/file0.c
@@ -3,3 +3,3 @@
 int f0_2;
-int f0_3;
+{}
 int f0_4;
"""
VMLINUX_SOURCES = (
    "arch/arm64/kernel/vmlinux.lds.S",
    "arch/m68k/kernel/vmlinux-std.lds",
    "arch/nios2/boot/compressed/vmlinux.scr",
    "arch/openrisc/kernel/vmlinux.h",
    "arch/um/include/asm/vmlinux.lds.h",
    "arch/x86/boot/compressed/vmlinux.lds.S",
    "arch/x86/kernel/vmlinux.lds.S",
    "include/asm-generic/vmlinux.lds.h",
    "scripts/gdb/vmlinux-gdb.py",
    "tools/perf/tests/vmlinux-kallsyms.c",
    "tools/perf/util/bpf_skel/vmlinux/vmlinux.h",
)
"""Some of the source of Linux 6.12."""
VMLINUX_BUILT = (
    *(".vmlinux.export.c", ".vmlinux.objs", "vmlinux", "vmlinux-gdb.py", "vmlinux.a", "vmlinux.o"),
    *("vmlinux.map", "vmlinux.symvers", "vmlinux.unstripped"),
    *("arch/x86/boot/vmlinux.bin", "arch/x86/kernel/vmlinux.lds"),
    *(f"arch/x86/boot/compressed/vmlinux{end}" for end in ("", ".lds", ".relocs", ".bin.gz")),
)
"""What make leaves of it, all options in."""


@pytest.fixture
def plan(tree: Path, own_cache: Path) -> Plan:
    folder = tree.parent / "mini"
    folder.mkdir()
    (folder / "recipe.toml").write_text(RECIPE)
    (folder / "x.config").write_text("CONFIG_A=y\n")
    return plan_recipe(find_recipe(str(folder)))


def with_patch(plan: Plan, tmp_path: Path, line: str) -> Plan:
    (tmp_path / "x.patch").write_text(PATCH.format(line))
    return plan.with_patches(load_patches(tmp_path / "x.patch"))


def snapshot(folder: Path) -> dict[str, tuple[int, int]]:
    files = (p for p in folder.rglob("*") if p.is_file())
    return {str(p): (p.stat().st_mtime_ns, p.stat().st_size) for p in files}


# Building


def test_a_build_leaves_everything_and_the_source_as_it_was(plan: Plan, tree: Path) -> None:
    before = snapshot(tree)
    steps: list[BuildProgress] = []
    built = build(plan, jobs=2, progress=steps.append)
    names = {"bzImage", "vmlinux", "config", "System.map", "build.log", "meta.json"}
    assert {p.name for p in built.folder.iterdir()} == names
    assert built.steps == 6
    assert snapshot(tree) == before
    assert [s.done for s in steps if s.done] == [1, 2, 3, 4, 5, 6]
    assert "CC      file3.o" in (built.folder / "build.log").read_text()
    assert "CONFIG_A=y" in (built.folder / "config").read_text()


def test_what_is_in_the_cache_is_not_built_again(plan: Plan) -> None:
    first = build(plan)
    assert build(plan).steps == 0
    assert build(plan).folder == first.folder


def test_a_patch_rebuilds_what_it_touches(plan: Plan, tmp_path: Path) -> None:
    build(plan)
    assert build(with_patch(plan, tmp_path, "int x;")).steps == 1
    assert build(with_patch(plan, tmp_path, "int y;")).steps == 1
    new = "--- /dev/null\n+++ b/new.c\n@@ -0,0 +1 @@\n+int n;\n"
    (tmp_path / "new.patch").write_text(new)
    created = plan.with_patches(load_patches(tmp_path / "new.patch"))
    assert build(created).steps == 2  # the new one, and file0 back as it was
    assert build(with_patch(plan, tmp_path, "int z;")).steps == 1
    assert not (plan.work / "src" / "new.c").exists()


def test_a_recipe_that_adds_patches_is_built_beside_the_other(plan: Plan, tree: Path) -> None:
    build(plan)
    more = tree.parent / "more"
    more.mkdir()
    (more / "x.patch").write_text(PATCH.format("int x;"))
    text = 'extends = "mini"\n[[patches]]\nfile = "x.patch"\n'
    (more / "recipe.toml").write_text(text)
    beside = plan_recipe(find_recipe(str(more)))
    assert (beside.name, beside.work) == ("more", plan.work)
    assert build(beside).steps == 1
    (more / "y.config").write_text("CONFIG_B=y\n")
    (more / "recipe.toml").write_text(f'fragments = ["y.config"]\n{text}')
    other = plan_recipe(find_recipe(str(more)))
    assert other.work != plan.work
    assert build(other).steps == 6


def test_an_option_rebuilds_and_a_failed_option_is_named(plan: Plan, tree: Path) -> None:
    fragment = tree.parent / "mini" / "x.config"
    fragment.write_text("CONFIG_A=y\nCONFIG_LOCKED=y\n")
    with pytest.raises(KernelError, match="CONFIG_LOCKED=y did not take effect"):
        build(plan_recipe(find_recipe(str(fragment.parent))))
    fragment.write_text("CONFIG_A=y\nCONFIG_B=y\n")
    assert build(plan_recipe(find_recipe(str(fragment.parent)))).steps == 6


def test_the_compilers_words_are_shown_and_not_makes(plan: Plan, tmp_path: Path) -> None:
    with pytest.raises(KernelError) as caught:
        build(with_patch(plan, tmp_path, "int x = undeclared;"))
    error = caught.value
    assert "mini does not build: " in error.what
    assert "error: " in error.what
    assert "undeclared" in error.detail
    assert "CC  " not in error.detail
    assert len(error.detail.splitlines()) < 12
    assert build(plan).steps >= 1  # and the next build goes on


def test_a_build_that_was_killed_goes_on(plan: Plan, tree: Path, tmp_path: Path) -> None:
    script = (
        "import sys; from harness.kernels.build import *; from harness.kernels.recipe import *;"
        "build(plan_recipe(find_recipe(sys.argv[1])), jobs=1)"
    )
    makefile = tree / "Makefile"
    makefile.write_text(makefile.read_text().replace("$(DELAY)", "sleep 0.5"))
    recipe = str(tree.parent / "mini")
    process = subprocess.Popen([sys.executable, "-c", script, recipe])
    log = plan_recipe(find_recipe(recipe)).work / "build.log"
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if log.exists() and log.read_text().count("  CC") >= 3:
            break
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    done = build(plan_recipe(find_recipe(recipe)), jobs=1)
    assert 1 <= done.steps <= 4
    assert (done.folder / "meta.json").exists()


def test_two_builds_of_one_kernel_build_once(plan: Plan, tree: Path) -> None:
    script = (
        "import sys; from harness.kernels.build import *; from harness.kernels.recipe import *;"
        "print(build(plan_recipe(find_recipe(sys.argv[1]))).steps)"
    )
    makefile = tree / "Makefile"
    makefile.write_text(makefile.read_text().replace("$(DELAY)", "sleep 0.2"))
    words = [sys.executable, "-c", script, str(tree.parent / "mini")]
    both = [subprocess.Popen(words, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    assert sorted(p.communicate()[0].strip() for p in both) == ["0", "6"]


def test_a_kernel_that_nobody_asks_for_goes(plan: Plan, tmp_path: Path) -> None:
    old, kept = build(plan), build(with_patch(plan, tmp_path, "int x;"))
    for built in (old, kept):
        os.utime(built.folder / "meta.json", (1, 1))
    assert find_built(with_patch(plan, tmp_path, "int x;")) is not None  # asked for
    build(with_patch(plan, tmp_path, "int y;"))
    assert not old.folder.exists()
    assert kept.folder.exists()


def test_a_missing_tool_is_named(plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.kernels.build.TOOLS", {"make": "make", "nix-flex": "flex"})
    with pytest.raises(HostError, match="needs flex: apt-get install flex libelf-dev libssl-dev"):
        build(plan)


def test_what_make_is_told_by_others_does_not_matter(
    plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAKEFLAGS", "-n")
    monkeypatch.setenv("KBUILD_OUTPUT", "/nowhere")
    assert build(plan).steps == 6


def test_error_lines_of_a_real_log() -> None:
    log = [
        "  CC      kernel/pid.o",
        "../kernel/pid.c: In function 'alloc_pid':",
        "../kernel/pid.c:170:9: error: 'x' undeclared (first use in this function)",
        "  170 |         x = 1;",
        "      |         ^",
        "make[3]: *** [../scripts/Makefile.build:229: kernel/pid.o] Error 1",
        "make[2]: *** [../scripts/Makefile.build:478: kernel] Error 2",
    ]
    assert error_lines(log) == log[2:5]
    linking = ["  LD      vmlinux", "ld: kernel/pid.o: undefined reference to `nix'"]
    assert error_lines(linking) == linking[1:]
    assert error_lines(["  CC      a.o", "words", "make: *** [Makefile:5: a.o] Error 1"]) == [
        "words",
        "make: *** [Makefile:5: a.o] Error 1",
    ]


def test_what_make_cannot_make_is_named_and_not_its_folder(plan: Plan, tree: Path) -> None:
    # As the kernel's Makefile does, which goes into the folder of O=.
    makefile = (tree / "Makefile").read_text()
    (tree / "Makefile").write_text(
        makefile.replace("bzImage: $(OBJECTS)\n", "bzImage:\n\t@$(MAKE) -w nowhere.lds\n")
    )
    with pytest.raises(KernelError) as caught:
        build(replace(plan, source=open_source(str(tree))))
    said = r"mini does not build: make\[1\]: \*\*\* No rule to make target 'nowhere.lds'"
    assert re.match(said, caught.value.what)
    assert "directory" not in caught.value.detail


# Sources and mirrors


def test_a_mirror_writes_only_what_changed(tree: Path, tmp_path: Path) -> None:
    folder = tmp_path / "mirror"
    assert mirror(open_source(str(tree)), folder, {}) == 8
    before = snapshot(folder)
    assert mirror(open_source(str(tree)), folder, {}) == 0
    old = tree / "file2.c"
    old.write_text("int other;\n")
    os.utime(old, (1, 1))  # older than any object
    (tree / "file3.c").unlink()
    assert mirror(open_source(str(tree)), folder, {}) == 2
    after = snapshot(folder)
    changed = {Path(name).name for name in before if after.get(name) != before[name]}
    assert changed == {"file2.c", "file3.c"}
    assert (folder / "file2.c").stat().st_mtime > 1e9


def test_an_interrupted_mirror_compares_contents(tree: Path, tmp_path: Path) -> None:
    folder = tmp_path / "mirror"
    mirror(open_source(str(tree)), folder, {})
    (tmp_path / "mirror.json").unlink()
    (folder / "file1.c").write_text("half")
    (folder / "stray.c").write_text("left by a patch")
    assert mirror(open_source(str(tree)), folder, {}) == 2
    assert (folder / "file1.c").read_text() == (tree / "file1.c").read_text()
    assert not (folder / "stray.c").exists()


def git(tree: Path, *words: str) -> str:
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    command = ["git", *identity, "-C", str(tree), *words]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def test_a_git_tree_is_read_as_it_stands_and_never_written(tree: Path) -> None:
    git(tree, "init", "-q")
    (tree / ".gitignore").write_text("*.o\n.config\n")
    git(tree, "add", "-A")
    git(tree, "commit", "-qm", "one")
    (tree / "left.o").write_text("object")
    (tree / "new.c").write_text("int n;\n")
    before = snapshot(tree)
    source = open_source(str(tree))
    assert "new.c" in set(source.files())
    assert "left.o" not in set(source.files())
    assert snapshot(tree) == before
    (tree / ".kharness" / "runs").mkdir(parents=True)
    (tree / ".kharness" / "runs" / "junit.xml").write_text("of a run that was started here")
    assert open_source(str(tree)).identity == source.identity
    assert ".kharness/runs/junit.xml" not in set(open_source(str(tree)).files())
    (tree / "new.c").write_text("int m;\n")
    other = open_source(str(tree))
    assert other.identity != source.identity
    assert other.lineage == source.lineage


def test_what_was_built_in_place_is_no_source(tree: Path) -> None:
    before = open_source(str(tree))
    for name in ("kernel.o", ".config", "include/generated/x.h", ".file0.o.cmd", *VMLINUX_BUILT):
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_text("built")
    after = open_source(str(tree))
    assert set(after.files()) == {"Makefile", "Kconfig", *(f"file{n}.c" for n in range(6))}
    assert after.identity == before.identity


@pytest.mark.parametrize("name", VMLINUX_SOURCES)
def test_a_source_that_is_called_like_what_make_makes(tree: Path, name: str) -> None:
    before = open_source(str(tree))
    (tree / name).parent.mkdir(parents=True)
    (tree / name).write_text("SECTIONS")
    new = open_source(str(tree))
    assert name in set(new.files())
    assert new.identity != before.identity
    (tree / name).write_text("other SECTIONS")
    assert open_source(str(tree)).identity != new.identity


@pytest.mark.guest
def test_all_of_a_kernel_that_was_not_built_is_its_source(tmp_path: Path) -> None:
    kept = open_source("debian:6.12")
    unpacked = tmp_path / "linux"
    unpacked.symlink_to(kept.folder)
    files = set(kept.files())
    assert len(files) > 80000
    assert set(open_source(str(unpacked)).files()) == files


def test_a_tarball_is_a_source(tree: Path, tmp_path: Path, own_cache: Path) -> None:
    tarball = tmp_path / "linux-6.12.7.tar.xz"
    with tarfile.open(tarball, "w:xz") as tar:
        tar.add(tree, "linux-6.12.7")
    source = open_source(str(tarball))
    assert source.version == (6, 12, 7)
    assert len(set(source.files())) == 8
    tarball.write_bytes(tarball.read_bytes()[:200])
    with pytest.raises(KernelError, match="cannot unpack"):
        open_source(str(tarball))
    assert list((own_cache / "sources").glob(".new-*")) == []


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("/nowhere", "no kernel source"),
        ("/usr", "is no kernel source"),
        ("/bin/sh", "is no kernel"),
    ],
)
def test_what_is_no_source_is_refused(spec: str, says: str) -> None:
    with pytest.raises((UsageError, KernelError), match=says):
        open_source(spec)


def test_a_tree_without_configuration_gets_the_small_one(tree: Path, own_cache: Path) -> None:
    small = find_recipe("mainline")
    assert plan_tree(tree, small, name="linux").base == "tinyconfig"
    (tree / ".config").write_text("CONFIG_OWN=y\n")
    plan = plan_tree(tree, small, name="linux")
    built = build(plan)
    assert (built.folder / "config").read_text() == "CONFIG_OWN=y\n"


# Recipes


def test_the_shipped_recipes() -> None:
    assert {"debug", "kunit", "mainline", "noproc", "procfd"} <= set(recipe_names())
    for name in recipe_names():
        assert find_recipe(name).description
    # The ioctl's patches are for 6.12 alone.
    for name in ("procfd", "debug", "noproc"):
        assert find_recipe(name).patch_files((6, 12, 5))
        assert find_recipe(name).patch_files((6, 13, 0)) == []
    for name in ("mainline", "kunit"):
        assert find_recipe(name).patch_files((6, 12, 5)) == []
    assert find_recipe("procfd").provides == ("pidfd_get_procfd",)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("sauce = 1\n", "unknown key sauce"),
        ('extends = "nix"\n', "no recipe 'nix'"),
        ('extends = "bad"\n', "in a circle"),
        ("description = 'x'\n", "source: missing"),
        ('source = "debian:6.12"\nfragments = ["nix.config"]\n', "no file nix.config"),
        ('source = "debian:6.12"\n[[patches]]\nfile = "x"\nsince = "six"\n', "patches.0.since"),
        ("= 1\n", "is no TOML"),
    ],
)
def test_a_wrong_recipe_says_where(tmp_path: Path, text: str, says: str) -> None:
    folder = tmp_path / "bad"
    folder.mkdir()
    (folder / "recipe.toml").write_text(text)
    with pytest.raises(UsageError, match=says):
        find_recipe(str(folder))


def test_an_unknown_recipe_names_those_that_are_there() -> None:
    with pytest.raises(UsageError, match=r"known: debug, .*mainline, noproc, procfd"):
        find_recipe("nix")


@pytest.mark.guest
def test_procfd_builds_and_is_found_again() -> None:
    plan = plan_recipe(find_recipe("procfd"))
    built = build(plan)
    assert find_built(plan) is not None
    assert (built.folder / "bzImage").stat().st_size > 1 << 20
    assert (built.folder / "vmlinux").read_bytes()[:4] == b"\x7fELF"
    assert "T proc_open_pid" in (built.folder / "System.map").read_text()
