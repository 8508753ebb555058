# SPDX-License-Identifier: GPL-2.0-only
"""From the words of a user to a kernel."""

import re
from collections.abc import Callable
from pathlib import Path

from harness.errors import UsageError
from harness.kernels.debian import debian_kernel
from harness.kernels.kernel import Kernel
from harness.kernels.read import read_kernel
from harness.kernels.tree import tree_kernel

SOURCES: dict[str, Callable[[str], Kernel]] = {"debian": debian_kernel}
"""What stands before the colon of a spec, and who has such kernels."""


def resolve(spec: str) -> Kernel:
    """The kernel that ``spec`` names; fetched when it must be.

    Args:
        spec: ``debian:6.12``, a path to an image, or a path to a built tree.

    Raises:
        UsageError: it names nothing.
        KernelError: what it names cannot be had or is not a kernel.
    """
    source, colon, rest = spec.partition(":")
    if colon and source in SOURCES:
        return SOURCES[source](rest)
    path = Path(spec).expanduser()
    if path.is_dir():
        return tree_kernel(path, spec=spec, name=short_name(path))
    if path.exists():
        return read_kernel(path, spec=spec, name=short_name(path))
    raise UsageError(
        f"no kernel {spec!r}",
        "give debian:SERIES (debian:6.12), a kernel image, or a built kernel tree",
    )


def short_name(path: Path) -> str:
    """A name for node ids and files, made of a path's last part."""
    name = re.sub(r"[^A-Za-z0-9._+-]+", "-", path.resolve().name).strip("-.")
    return name or "kernel"
