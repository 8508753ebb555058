# SPDX-License-Identifier: GPL-2.0-only
"""What is brought into a guest for a program: nothing is missing, and what is missing is named."""

import os
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

from harness.errors import UsageError
from harness.kernels.kernel import Arch, Kconfig, Kernel
from harness.suites.elf import libraries, read_loading
from harness.suites.guest import memory_for, with_config
from harness.suites.kselftest import arguments, load_kselftest, timeout_s
from harness.suites.ltp import load_ltp
from harness.suites.rootfs import GuestRoot, busybox_applets, read_rootfs
from harness.suites.spec import load_suites
from harness.vm.initramfs import File
from tests.suites.conftest import compile_c

PROGRAM = "int answer(void); int main(void) { return answer(); }"
LIBRARY = "int answer(void) { return 0; }"


@pytest.fixture
def made(tmp_path: Path) -> tuple[Path, Path]:
    """A program and its library in a folder beside it."""
    (tmp_path / "lib").mkdir()
    library = compile_c(LIBRARY, tmp_path / "lib" / "libanswer.so", "-shared", "-fPIC")
    flags = ("-L", str(library.parent), "-lanswer", "-Wl,-rpath,$ORIGIN/lib")
    return compile_c(PROGRAM, tmp_path / "program", *flags), library


@pytest.mark.parametrize("tags", ["--enable-new-dtags", "--disable-new-dtags"])
def test_a_library_beside_its_program_is_there_in_the_guest_too(tmp_path: Path, tags: str) -> None:
    (tmp_path / "lib").mkdir()
    library = compile_c(LIBRARY, tmp_path / "lib" / "libanswer.so", "-shared", "-fPIC")
    flags = ("-L", str(library.parent), "-lanswer", f"-Wl,-rpath,$ORIGIN/lib,{tags}")
    program = compile_c(PROGRAM, tmp_path / "program", *flags)
    found, missing = libraries("/suite/x/program", program)
    assert missing == []
    assert {(x.guest, x.host) for x in found} >= {("/suite/x/lib/libanswer.so", library)}
    assert any(x.guest.endswith("/libc.so.6") for x in found)


def test_the_loader_finds_exactly_what_was_brought(made: tuple[Path, Path]) -> None:
    """ld.so itself, told to look nowhere else, is the witness."""
    program, _ = made
    root = GuestRoot()
    assert root.require("/suite/program", program) == ""
    about = read_loading(program)
    assert about is not None and about.interpreter in root.files
    listed = subprocess.run(
        [about.interpreter, "--list", str(program)], capture_output=True, text=True, check=True
    )
    wanted = {line.split()[0] for line in listed.stdout.splitlines() if "=> /" in line}
    assert wanted <= {Path(path).name for path in root.files}


def test_a_missing_library_is_named(made: tuple[Path, Path]) -> None:
    program, library = made
    library.unlink()
    read_loading.cache_clear()
    assert GuestRoot().require("/suite/program", program) == (
        "program needs libanswer.so, which is not on this host; give a root that has it (--rootfs)"
    )


@pytest.mark.parametrize(
    ("first", "path", "link"),
    [
        ("#!/bin/sh", "/bin/sh", True),
        ("#! /bin/sh -e", "/bin/sh", True),
        ("#!/usr/bin/awk -f", "/usr/bin/awk", True),
        ("#!/bin/bash", "/bin/bash", False),
        ("#!/usr/bin/env bash", "/usr/bin/bash", False),
        ("#!/usr/bin/env -S bash -x", "/usr/bin/bash", False),
    ],
)
def test_an_interpreter_is_brought(tmp_path: Path, first: str, path: str, link: bool) -> None:
    script = tmp_path / "script"
    script.write_text(f"{first}\n")
    root = GuestRoot()
    assert root.require("/suite/script", script) == ""
    assert root.files[path].link is link
    assert any(name.endswith("/libc.so.6") for name in root.files) is not link


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("#!/usr/bin/python3.11\n", "script needs python3.11 and its library; give a root"),
        ("#!/opt/nosuch\n", "script needs nosuch, which is not on this host; give a root"),
        ("plain text\n", "script is no program: neither ELF nor #!"),
        ("#!\n", "script has an empty #! line"),
    ],
)
def test_what_cannot_be_brought_is_said(tmp_path: Path, text: str, words: str) -> None:
    script = tmp_path / "script"
    script.write_text(text)
    assert GuestRoot().require("/suite/script", script).startswith(words)


def test_scripts_find_the_usual_tools() -> None:
    files = GuestRoot().finish()
    assert {"/bin/sleep", "/usr/bin/sleep", "/bin/grep", "/usr/bin/env"} <= files.keys()
    assert {f"/bin/{name}" for name in busybox_applets()} <= files.keys()
    assert not files["/bin/busybox"].link


def test_a_root_of_ones_own_has_to_have_what_a_program_needs(made: tuple[Path, Path]) -> None:
    program, _ = made
    about = read_loading(program)
    assert about is not None
    empty = GuestRoot({"/bin/true": File(b"")})
    assert "which the root given has not" in empty.require("/suite/program", program)
    loader = Path(about.interpreter)
    whole = GuestRoot(
        {
            "/usr/real/ld": File(b"ld"),
            str(loader.parent): File(b"usr/real", link=True),
            f"/usr/real/{loader.name}": File(b"ld", link=True),
        }
    )
    assert whole.require("/suite/program", program) == ""
    assert "/bin/busybox" not in whole.finish()


def test_folder_and_tarball_give_the_same_root(tmp_path: Path) -> None:
    root = tmp_path / "root"
    (root / "etc").mkdir(parents=True)
    (root / "empty").mkdir(mode=0o700)
    (root / "etc" / "conf").write_text("x")
    (root / "etc" / "tool").write_text("y")
    (root / "etc" / "tool").chmod(0o4755)
    (root / "link").symlink_to("etc/conf")
    os.mkfifo(root / "fifo")
    with tarfile.open(tmp_path / "root.tar.xz", "w:xz") as archive:
        archive.add(root, ".")
    folder, packed = read_rootfs(root), read_rootfs(tmp_path / "root.tar.xz")
    assert folder.keys() == packed.keys()
    assert "/fifo" not in folder
    for name, file in folder.items():
        other = packed[name]
        assert (file.mode, file.link, file.folder) == (other.mode, other.link, other.folder) or (
            file.link
        )
        assert file.size == other.size
    with pytest.raises(UsageError, match="no root at"):
        read_rootfs(tmp_path / "nothing")
    (tmp_path / "not.tar").write_text("nothing of the kind")
    with pytest.raises(UsageError, match="is no tarball"):
        read_rootfs(tmp_path / "not.tar")


def test_memory_grows_with_the_files_and_the_kernel_s_configuration_is_there() -> None:
    assert memory_for({}) == 0
    assert memory_for({"/x": File(bytes(1 << 20))}) <= 128
    assert memory_for({"/x": File(bytes(40 << 20))}) == 288


def test_many_programs_of_cases_take_more_memory(tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.write_bytes(bytes(1 << 20))
    assert memory_for({}, [program] * 20) <= 128
    assert memory_for({}, [program] * 35) == 192
    config = Kconfig({"CONFIG_A": "y", "CONFIG_B": "text", "CONFIG_C": "0x10"})
    kernel = Kernel("s", "n", Path(), Path(), "6.12.1", (6, 12, 1), Arch.X86_64, config, "")
    file = with_config({}, kernel)["/boot/config-6.12.1"]
    assert file.content == b'CONFIG_A=y\nCONFIG_B="text"\nCONFIG_C=0x10\n'


@pytest.mark.parametrize(
    ("settings", "seconds"),
    [
        (None, 45.0),
        *[("timeout=7\n", 7.0), ("# timeout=7\n", 45.0), ("timeout=0\n", None)],
        *[("timeout='1.5m'\n", 90.0), ("timeout=2h\n", 7200.0)],
        ("timeout=1\ntimeout=9s\n", 9.0),
    ],
)
def test_a_collection_s_time_limit(tmp_path: Path, settings: str | None, seconds: float) -> None:
    if settings is not None:
        (tmp_path / "settings").write_text(settings)
    assert timeout_s(tmp_path) == seconds


@pytest.mark.parametrize("text", ["3x", "²", "-1", "", "1e9", "9" * 400, "inf"])
def test_a_time_limit_that_is_none_is_told(tmp_path: Path, text: str) -> None:
    (tmp_path / "settings").write_text(f"timeout={text}\n")
    with pytest.raises(UsageError, match=r"settings: 'timeout=.*' is no time limit"):
        timeout_s(tmp_path)


@pytest.mark.parametrize("line", ["pidfd", ":test", "pidfd:", "/:test", "\x00"])
def test_a_line_of_the_list_that_names_no_test_is_told(tmp_path: Path, line: str) -> None:
    (tmp_path / "kselftest-list.txt").write_text(f"# a comment\n\na:b\n{line}\n")
    with pytest.raises(UsageError, match=r"kselftest-list.txt, line 4: .* is no COLLECTION:TEST"):
        load_kselftest(tmp_path, (), GuestRoot(), spec="kselftest:x")


def test_arguments_come_from_the_environment() -> None:
    environment = {"KSELFTEST_CPU_ON_OFF_TEST_SH_ARGS": "-a -p '1 0'"}
    told = ("KSELFTEST_CPU_ON_OFF_TEST_SH_ARGS=-a -p '1 0'",)
    assert arguments("cpu-on-off-test.sh", environment) == (["-a", "-p", "1 0"], told)
    assert arguments("other", environment) == ([], ())


def test_some_collections_of_a_folder(kselftest: Path) -> None:
    root = GuestRoot()
    cases = load_kselftest(kselftest, ["guest/deep"], root, "spec", {})
    assert [c.node for c in cases] == [
        "kselftest::guest/deep:uses_library",
        "kselftest::guest/deep:crashes",
    ]
    assert {c.classname for c in cases} == {"kselftest.guest.deep"}
    assert "/suite/kselftest/guest/libanswer.so" in root.files
    assert "/suite/kselftest/kselftest/helper.sh" in root.files
    assert not any("/codes/" in path for path in root.files)
    with pytest.raises(UsageError, match="no collection nosuch: known: codes, files, guest/deep"):
        load_kselftest(kselftest, ["nosuch"], root, "spec", {})


def test_runtest_files_of_ltp(ltp: Path) -> None:
    (gone,) = load_ltp(ltp, ["other"], GuestRoot(), "spec")
    assert gone.call is not None
    assert gone.call.problem == "gone: nosuch is not in testcases/bin"
    assert len(load_ltp(ltp, [], GuestRoot(), "spec")) == 7
    (ltp / "scenario_groups").mkdir()
    (ltp / "scenario_groups" / "default").write_text("other\n")
    try:
        assert len(load_ltp(ltp, [], GuestRoot(), "spec")) == 1
    finally:
        (ltp / "scenario_groups" / "default").unlink()
        (ltp / "scenario_groups").rmdir()
    with pytest.raises(UsageError, match="has no file nosuch"):
        load_ltp(ltp, ["nosuch"], GuestRoot(), "spec")


def test_a_suite_s_digest_changes_with_its_files(tmp_path: Path) -> None:
    script = tmp_path / "mine.sh"
    script.write_text("#!/bin/sh\n")
    digests = [load_suites([spec], tmp_path)[0].digest for spec in ("exec:./mine.sh",) * 2]
    digests.append(load_suites(["exec:./mine.sh -v"], tmp_path)[0].digest)
    script.write_text("#!/bin/sh\nexit 1\n")
    digests.append(load_suites(["exec:./mine.sh"], tmp_path)[0].digest)
    assert digests[0] == digests[1]
    assert len(set(digests)) == 3


def test_a_suite_named_twice_runs_once(kselftest: Path, tmp_path: Path) -> None:
    specs = [f"kselftest:{kselftest}", f"kselftest:{kselftest}:codes"]
    whole, part = load_suites(specs, tmp_path)
    assert whole.cases and not part.cases


def test_tests_of_one_name_are_not_lost(ltp: Path, tmp_path: Path) -> None:
    folder = tmp_path / "ltp"
    shutil.copytree(ltp, folder)
    lines = "twice ends 1\ntwice ends 0\nonce ends 0\ntwice ends 2\n"
    (folder / "runtest" / "calls").write_text(lines)
    cases = load_ltp(folder, ["calls"], GuestRoot(), "spec")
    assert [case.name for case in cases] == ["twice", "twice (2)", "once", "twice (3)"]
    assert [case.call.argv[1] for case in cases if case.call] == ["1", "0", "0", "2"]
    with pytest.raises(UsageError, match="both have a ltp::other/gone"):
        load_suites([f"ltp:{ltp}:other", f"ltp:{folder}:other"], tmp_path)


@pytest.mark.parametrize(
    ("name", "words"),
    [("cut.tar.gz", "in the middle"), ("cut.tar.xz", "in the middle"), ("bad.tar.zst", "no tarb")],
)
def test_a_damaged_root_is_one_line(tmp_path: Path, name: str, words: str) -> None:
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "data").write_bytes(os.urandom(200_000))
    if name.startswith("cut"):
        subprocess.run(["tar", "-caf", tmp_path / name, "-C", tmp_path, "root"], check=True)
        os.truncate(tmp_path / name, 100_000)
    else:
        (tmp_path / name).write_bytes(b"\x28\xb5\x2f\xfd" + os.urandom(100))
    with pytest.raises(UsageError, match=words) as caught:
        read_rootfs(tmp_path / name)
    assert "\n" not in str(caught.value)


def test_a_program_is_made_to_print_line_by_line(made: tuple[Path, Path]) -> None:
    root = GuestRoot()
    preload, how = root.line_buffering(made[0])
    assert how == "_STDBUF_O=L"
    assert preload.removeprefix("LD_PRELOAD=") in root.files
    assert GuestRoot({}).line_buffering(made[0]) == ()


@pytest.mark.parametrize("between", [" ", "\t", "\t\t", " \t "])
def test_a_runtest_file_may_have_tabs(ltp: Path, tmp_path: Path, between: str) -> None:
    folder = tmp_path / "ltp"
    shutil.copytree(ltp, folder)
    script = folder / "testcases" / "bin" / "cgroup_regression_test.sh"
    script.write_text("#!/bin/sh\n")
    script.chmod(0o755)
    lines = [f"cgroup{between}cgroup_regression_test.sh", f"\tonce{between}sh -c{between}true"]
    (folder / "runtest" / "calls").write_text("\n".join(["#\tno test", "", *lines, ""]))
    cases = load_ltp(folder, ["calls"], GuestRoot(), "spec")
    assert [case.name for case in cases] == ["cgroup", "once"]
    commands = [case.call.argv for case in cases if case.call]
    assert commands[0] == ("/opt/ltp/testcases/bin/cgroup_regression_test.sh",)
    assert commands[1][1:] == ("-c", "true")


def _packed(path: Path, *members: tuple[str, bytes, str]) -> Path:
    """A tarball of names, types and what they link to."""
    with tarfile.open(path, "w") as archive:
        for name, kind, target in members:
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, target
            archive.addfile(member)
    return path


def test_a_hard_link_is_what_it_links_to(tmp_path: Path) -> None:
    root = _packed(
        tmp_path / "root.tar",
        *(("bin/a", tarfile.REGTYPE, ""), ("./bin/b", tarfile.LNKTYPE, "./bin/a")),
        *(("c", tarfile.SYMTYPE, "d"), ("d", tarfile.SYMTYPE, "c"), ("e", tarfile.LNKTYPE, "c")),
        *(("dev/null", tarfile.CHRTYPE, ""), ("dev/zero", tarfile.LNKTYPE, "dev/null")),
    )
    files = read_rootfs(root)
    assert files["/bin/b"] == files["/bin/a"]
    assert files["/e"] == files["/c"]
    assert "/dev/zero" not in files


@pytest.mark.parametrize("target", ["gone", "a"])
def test_a_hard_link_to_nothing_is_told_in_one_line(tmp_path: Path, target: str) -> None:
    root = _packed(tmp_path / "root.tar", ("a", tarfile.LNKTYPE, target))
    words = f"a is a hard link to {target}, which is not in it"
    with pytest.raises(UsageError, match=words):
        read_rootfs(root)
