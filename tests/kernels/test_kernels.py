# SPDX-License-Identifier: GPL-2.0-only
import contextlib
import gzip
import os
import platform
import signal
import struct
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.cache import owned
from harness.errors import KernelError, UsageError
from harness.kernels.debian import debian_kernel
from harness.kernels.image import read_image
from harness.kernels.kconfig import config_version, parse_kconfig
from harness.kernels.kernel import Arch, Kernel
from harness.kernels.read import read_kernel, version_numbers
from harness.kernels.spec import resolve, resolve_to_boot, short_name
from tests.judging import COMMAND


@pytest.fixture
def fresh_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KHARNESS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_real_kernels_say_what_they_are(kernel: Kernel) -> None:
    series = kernel.spec.removeprefix("debian:")
    assert kernel.release.startswith(series)
    assert kernel.version[:2] == tuple(int(n) for n in series.split("."))
    assert kernel.arch is Arch.X86_64
    assert kernel.config.built_in("CONFIG_PVH")
    assert kernel.config.get("VIRTIO_CONSOLE") == ("y" if series == "6.12" else "m")
    assert kernel.boot.read_bytes()[:4] == b"\x7fELF"


def test_name_of_the_file_says_nothing(one_kernel: Kernel, tmp_path: Path) -> None:
    image = tmp_path / "vmlinuz-2.4.1-wrong"
    image.write_bytes(one_kernel.image.read_bytes())
    found = resolve(str(image))
    assert (found.release, found.sha256) == (one_kernel.release, one_kernel.sha256)
    assert found.name == "vmlinuz-2.4.1-wrong"
    assert not found.config.known


def test_uncompressed_kernel_is_read_too(one_kernel: Kernel, tmp_path: Path) -> None:
    image = tmp_path / "vmlinux"
    image.write_bytes(one_kernel.boot.read_bytes())
    found = resolve(str(image))
    assert (found.release, found.boot) == (one_kernel.release, image)


def test_a_cache_is_its_own_wherever_it_lies(
    one_kernel: Kernel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is in it holds no path, so that it can be moved, and be shared by a link."""
    image = tmp_path / "bzImage"
    image.write_bytes(one_kernel.image.read_bytes())
    monkeypatch.setenv("KHARNESS_CACHE", str(tmp_path / "before"))
    before = read_kernel(image, spec="s", name="n").boot
    assert before.is_relative_to(tmp_path / "before")
    (tmp_path / "before").rename(tmp_path / "after")
    monkeypatch.setenv("KHARNESS_CACHE", str(tmp_path / "after"))
    (record,) = (tmp_path / "after" / "kernels" / "read").glob("*.json")
    written = record.stat().st_mtime_ns
    after = read_kernel(image, spec="s", name="n").boot
    assert after.is_relative_to(tmp_path / "after")
    assert after.is_file()
    assert record.stat().st_mtime_ns == written
    (link := tmp_path / "link").symlink_to(tmp_path / "after")
    monkeypatch.setenv("KHARNESS_CACHE", str(link))
    assert read_kernel(image, spec="s", name="n").boot.samefile(after)


@pytest.mark.parametrize(
    ("image", "config"),
    [
        ("bzImage", ".config"),
        ("bzImage", "config"),
        ("linux/arch/x86/boot/bzImage", "linux/.config"),
    ],
)
def test_config_of_another_kernel_is_not_believed(
    one_kernel: Kernel, tmp_path: Path, image: str, config: str
) -> None:
    (tmp_path / image).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / image).write_bytes(one_kernel.image.read_bytes())
    header = "# Linux/x86 5.4.0 Kernel Configuration\nCONFIG_X=y\n"
    (tmp_path / config).write_text(header)
    assert not read_kernel(tmp_path / image, spec="s", name="n").config.known
    (tmp_path / config).write_text(header.replace("5.4.0", "6.12.117"))
    ours = one_kernel.version == (6, 12, 117)
    assert read_kernel(tmp_path / image, spec="s", name="n").config.built_in("X") == ours


def test_a_built_tree_is_found(one_kernel: Kernel, tmp_path: Path) -> None:
    tree = tmp_path / "linux"
    boot = tree / "arch" / "x86" / "boot"
    boot.mkdir(parents=True)
    (tree / "Kconfig").touch()
    with pytest.raises(KernelError, match=r"make -C .*linux bzImage"):
        resolve(str(tree))
    (boot / "bzImage").write_bytes(one_kernel.image.read_bytes())
    (tree / ".config").write_text("CONFIG_PID_NS=y\n")
    found = resolve(str(tree))
    assert (found.name, found.release) == ("linux", one_kernel.release)
    assert found.config.built_in("PID_NS")


def test_a_recipe_s_folder_has_to_be_built(tmp_path: Path) -> None:
    with pytest.raises(KernelError, match="is no kernel tree"):
        resolve(str(tmp_path))
    (tmp_path / "recipe.toml").touch()
    with pytest.raises(KernelError, match="is a recipe, not a kernel") as told:
        resolve(str(tmp_path))
    assert told.value.hint == "run with --build, or build it first"


def test_a_changed_image_is_read_anew(one_kernel: Kernel, tmp_path: Path) -> None:
    image = tmp_path / "bzImage"
    image.write_bytes(one_kernel.image.read_bytes())
    resolve(str(image))
    image.write_bytes(b"no kernel any more")
    with pytest.raises(KernelError, match="not a kernel"):
        resolve(str(image))


def arm64_image(release: bytes) -> bytes:
    head = bytearray(0x40)
    head[0x38:0x3C] = b"ARM\x64"
    return bytes(head) + b"Linux version " + release + b" (x) #1\0"


def test_arm64_image_packed_or_not(tmp_path: Path) -> None:
    data = arm64_image(b"6.9.1-test")
    for name, content in (("Image", data), ("Image.gz", gzip.compress(data))):
        (tmp_path / name).write_bytes(content)
        facts = read_image(tmp_path / name)
        assert (facts.arch, facts.release) == (Arch.AARCH64, "6.9.1-test")


@pytest.mark.parametrize(
    ("host", "says"),
    [("aarch64", ""), ("x86_64", "is a kernel for aarch64: programs of this host are for x86_64")],
)
def test_a_kernel_for_another_machine_is_not_booted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, host: str, says: str
) -> None:
    monkeypatch.setattr("platform.machine", lambda: host)
    (tmp_path / "Image").write_bytes(arm64_image(b"6.9.1"))
    assert resolve(str(tmp_path / "Image")).arch is Arch.AARCH64
    if not says:
        assert resolve_to_boot(str(tmp_path / "Image")).arch is Arch.AARCH64
        return
    with pytest.raises(KernelError, match=says) as caught:
        resolve_to_boot(str(tmp_path / "Image"))
    assert "\n" not in str(caught.value)


@pytest.mark.skipif(platform.machine() == "aarch64", reason="the image is for this host")
@pytest.mark.parametrize("words", [("run", "a.c"), ("shell",)], ids=" ".join)
def test_a_kernel_for_another_machine_is_refused_in_one_line(
    tmp_path: Path, words: tuple[str, ...]
) -> None:
    (tmp_path / "Image").write_bytes(arm64_image(b"6.9.1"))
    (tmp_path / "a.c").write_text('#include "kcase.h"\nTEST(a) {}\nKCASE_MAIN\n')
    done = subprocess.run(
        [*COMMAND, *words, "--kernel", "Image"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 3
    assert done.stderr.startswith("kharness: Image is a kernel for aarch64: ")
    assert done.stderr.count("\n") == 1


def test_built_in_config_is_found(tmp_path: Path) -> None:
    config = b"IKCFG_ST" + gzip.compress(b"CONFIG_A=y\n") + b"IKCFG_ED"
    (tmp_path / "Image").write_bytes(arm64_image(b"6.9.1") + config)
    assert resolve(str(tmp_path / "Image")).config.built_in("A")


@pytest.mark.parametrize(
    "data", [b"", b"\x7fELF", b"\x7fELF" + bytes(100), b"MZ" + bytes(600), b"\x1f\x8bgarbage"]
)
def test_what_is_no_kernel_is_one_line(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "x").write_bytes(data)
    with pytest.raises(KernelError, match="is not a kernel") as caught:
        resolve(str(tmp_path / "x"))
    assert "\n" not in str(caught.value)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.binary(max_size=64), st.integers(0, 0x300), st.integers(0, 4096), st.binary(max_size=40))
def test_a_damaged_header_raises_nothing_else(
    tmp_path: Path, patch: bytes, at: int, length: int, payload: bytes
) -> None:
    data = bytearray(0x400)
    data[0x202:0x206] = b"HdrS"
    struct.pack_into("<H", data, 0x206, 0x20F)
    struct.pack_into("<H", data, 0x20E, 0x100)
    data[0x300:0x310] = b"6.12.1 (x) #1\0\0\0"
    struct.pack_into("<II", data, 0x248, 0, length)
    data[0x1F1] = 1
    data[at : at + len(patch)] = patch
    (tmp_path / "x").write_bytes(bytes(data) + payload)
    with contextlib.suppress(KernelError):
        read_image(tmp_path / "x")


def test_config_is_parsed() -> None:
    text = '# Linux/x86 6.1.0 Kernel Configuration\nCONFIG_A=y\nCONFIG_B="t x"\n'
    text += "# CONFIG_C is not set\n"
    config = parse_kconfig(text)
    assert (config.get("A"), config.get("CONFIG_B"), config.get("C")) == ("y", "t x", "n")
    assert config_version(text) == "6.1.0"


def test_names_and_numbers() -> None:
    assert version_numbers("6.12-rc1") == (6, 12, 0)
    assert short_name(Path("/x/my kernel!")) == "my-kernel"
    with pytest.raises(UsageError, match="debian:SERIES"):
        resolve("debain:6.12")
    with pytest.raises(UsageError, match="no series"):
        resolve("debian:sid")


def fake_apt(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    for name in ("apt-get", "apt-cache"):
        (folder / name).write_text(f"#!/bin/sh\n{script}\n")
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")


@pytest.mark.usefixtures("fresh_cache")
@pytest.mark.parametrize(
    ("script", "says"),
    [
        ("echo 'E: Could not resolve host' >&2; exit 100", "Could not resolve host"),
        ("exit 0", "no cloud kernel 6.12"),
        (
            'case "$*" in *search*) echo "linux-image-6.12.1+x-cloud-amd64 - k";;'
            ' *download*) echo "E: Hash Sum mismatch" >&2; exit 100;; esac',
            "Hash Sum mismatch",
        ),
        (
            'case "$*" in *search*) echo "linux-image-6.12.1+x-cloud-amd64 - k";; esac',
            "brought 0 files",
        ),
    ],
)
def test_apt_that_fails_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, says: str
) -> None:
    fake_apt(tmp_path, monkeypatch, script)
    with pytest.raises(KernelError, match=says) as caught:
        debian_kernel("6.12")
    assert "\n" not in str(caught.value)


def test_a_fetch_leaves_the_download_of_another_series_alone(
    fresh_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = 'case "$*" in *search*) echo "linux-image-6.12.1+x-cloud-amd64 - k";; *) exit 1; esac'
    fake_apt(tmp_path, monkeypatch, script)
    folder = fresh_cache / "kernels" / "debian"
    running, killed = folder / owned(".new-6.1"), folder / ".new-~0123456789abcdef~6.1"
    running.mkdir(parents=True)
    killed.mkdir()
    with pytest.raises(KernelError):
        debian_kernel("6.12")
    assert (running.exists(), killed.exists()) == (True, False)


def test_no_apt_says_what_to_do(fresh_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(fresh_cache))
    with pytest.raises(KernelError, match="give a path to a kernel"):
        debian_kernel("6.12")


FETCH = "from harness.kernels.spec import resolve; print(resolve('debian:6.1').release)"


def test_two_fetch_at_once_and_one_is_killed(fresh_cache: Path) -> None:
    first = subprocess.Popen([sys.executable, "-c", FETCH], stdout=subprocess.DEVNULL)
    time.sleep(0.7)  # when the kill comes is what chance may vary
    others = [
        subprocess.Popen([sys.executable, "-c", FETCH], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    first.send_signal(signal.SIGKILL)
    first.wait()
    releases = {other.communicate(timeout=300)[0].strip() for other in others}
    assert len(releases) == 1
    assert releases.pop().startswith("6.1.")
    assert list((fresh_cache / "kernels" / "debian").glob(".new-*")) == []
    assert len(list((fresh_cache / "kernels" / "debian").glob("linux-image-*"))) == 1
