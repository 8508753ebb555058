# SPDX-License-Identifier: GPL-2.0-only
"""What a Python test is called: its name without the kernel, and what its result is found by."""

from pathlib import Path

import pytest

from harness.kernels.kernel import Kernel
from harness.verdict.outcome import HOST


def kernel_of(item: pytest.Item) -> Kernel | None:
    """The kernel that a test runs on, None for a test without a guest."""
    callspec = getattr(item, "callspec", None)
    kernel = callspec.params.get("kernel") if callspec else None
    # A project may have parameters of this name.
    return kernel if isinstance(kernel, Kernel) else None


def name_of_test(item: pytest.Item, kernel: Kernel | None) -> str:
    """A test's name with its classes, without the kernel: ``TestFoo::test_bar[3]``."""
    inner = item.nodeid.partition("::")[2] or item.name
    plain, bracket, ids = inner.partition("[")
    if not bracket or not kernel:
        return inner
    ids = ids.removesuffix("]")
    name = kernel.name
    if ids == name:
        return plain
    rest = ids.removeprefix(f"{name}-") if ids.startswith(f"{name}-") else ids
    rest = rest.removesuffix(f"-{name}") if rest == ids else rest
    return f"{plain}[{rest}]"


def key_of(item: pytest.Item, start: Path) -> tuple[str, str]:
    """A test's node id without the kernel, and the kernel's name: what a result is found by.

    Args:
        item: the test.
        start: folder that the run was started in.
    """
    kernel = kernel_of(item)
    name = name_of_test(item, kernel)
    return f"{relative(item.path, start)}::{name}", kernel.name if kernel else HOST


def relative(path: Path, start: Path) -> str:
    """A path as the user of a folder writes it."""
    path = start / path
    return str(path.relative_to(start) if path.is_relative_to(start) else path)
