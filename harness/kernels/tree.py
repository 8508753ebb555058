# SPDX-License-Identifier: GPL-2.0-only
"""A kernel tree that was built: the image, the configuration, where make leaves them."""

import json
from dataclasses import replace
from pathlib import Path

from harness.errors import KernelError
from harness.kernels.kernel import Kernel
from harness.kernels.read import read_kernel

IMAGES = ("arch/x86/boot/bzImage", "arch/arm64/boot/Image", "vmlinux")


def tree_kernel(folder: Path, *, spec: str, name: str) -> Kernel:
    """The kernel that was built in ``folder``, a source tree or an output folder (``O=``).

    Raises:
        KernelError: it is no kernel tree, or nothing was built in it.
    """
    for relative in IMAGES:
        if (folder / relative).is_file():
            config = folder / ".config"
            kernel = read_kernel(
                folder / relative,
                spec=spec,
                name=name,
                config=config if config.is_file() else None,
            )
            vmlinux = folder / "vmlinux"
            return replace(kernel, vmlinux=vmlinux) if vmlinux.is_file() else kernel
    # What `kharness kernels build` leaves in the cache.
    if (folder / "bzImage").is_file() and (folder / "meta.json").is_file():
        return built_kernel(folder, spec=spec, name=name)
    if (folder / "Kconfig").is_file() or (folder / ".config").is_file():
        raise KernelError(
            f"no kernel was built in {folder}", f"make -C {folder} bzImage, or run with --build"
        )
    if (folder / "recipe.toml").is_file():
        hint = "run with --build, or build it first"
        raise KernelError(f"{folder} is a recipe, not a kernel", hint)
    raise KernelError(f"{folder} is no kernel tree", "give a built tree, or a kernel image")


def built_kernel(folder: Path, *, spec: str, name: str) -> Kernel:
    """A kernel that kharness built, out of the cache."""
    try:
        meta = json.loads((folder / "meta.json").read_text())
    except (OSError, ValueError) as error:
        raise KernelError(f"{folder} is no kernel of kharness: {error}") from error
    return kernel_in(
        folder,
        spec=spec,
        name=meta.get("name", name),
        provides=tuple(meta.get("provides", ())),
        memory_mib=int(meta.get("memory_mib", 0)),
    )


def kernel_in(
    folder: Path, *, spec: str, name: str, provides: tuple[str, ...], memory_mib: int
) -> Kernel:
    """The kernel in a folder of the cache, with what is known of it from elsewhere."""
    kernel = read_kernel(folder / "bzImage", spec=spec, name=name, config=folder / "config")
    return replace(kernel, provides=provides, memory_mib=memory_mib, vmlinux=folder / "vmlinux")
