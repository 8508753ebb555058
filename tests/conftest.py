# SPDX-License-Identifier: GPL-2.0-only
"""What tests share: real kernels, and guests in a loop of their own."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.host import Qemu, cpu_count, find_busybox, find_qemu
from harness.kernels.kernel import Kernel
from harness.kernels.spec import resolve
from harness.toolchain import compile_program
from harness.vm.archives import store_initramfs
from harness.vm.loop import VmLoop
from harness.vm.qemu import Accel, Launch, channel_for
from tests.faults.injection import print_figures


def pytest_xdist_auto_num_workers() -> int:
    """More than there are CPUs: many tests wait for a guest that hangs, or for a browser."""
    return cpu_count() * 3 // 2


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files that are marked `long` come first, then those with most tests: no CPU idles at the end.

    It needs --no-loadscope-reorder: xdist by itself goes by the number of tests alone.
    """
    tests = Counter(item.path for item in items)
    items.sort(key=lambda item: (item.get_closest_marker("long") is None, -tests[item.path]))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Here, since the controller of xdist reads no file of tests below this one."""
    print_figures(terminalreporter)


@pytest.fixture(scope="session", params=["debian:6.12", "debian:6.1"])
def kernel(request: pytest.FixtureRequest) -> Kernel:
    return resolve(request.param)


@pytest.fixture(scope="session")
def one_kernel() -> Kernel:
    return resolve("debian:6.12")


@pytest.fixture(scope="session")
def qemu() -> Qemu:
    return find_qemu()


@pytest.fixture(scope="session")
def hostile() -> Path:
    return compile_program(Path(__file__).parent / "data" / "hostile.c")


@pytest.fixture(scope="session")
def initramfs(hostile: Path) -> Path:
    return store_initramfs({"/case/hostile": hostile}, busybox=find_busybox())


@pytest.fixture(scope="session")
def launch(one_kernel: Kernel, initramfs: Path) -> Launch:
    return Launch(one_kernel, initramfs, Accel.TCG, channel_for(one_kernel))


@pytest.fixture(scope="session")
def every_launch(kernel: Kernel, initramfs: Path) -> Launch:
    return Launch(kernel, initramfs, Accel.TCG, channel_for(kernel))


@pytest.fixture(scope="module")
def loop() -> Iterator[VmLoop]:
    with VmLoop() as running:
        yield running
