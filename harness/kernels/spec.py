# SPDX-License-Identifier: GPL-2.0-only
"""From the words of a user to a kernel."""

import platform
import re
from dataclasses import replace
from pathlib import Path

from harness.errors import KernelError, UsageError
from harness.kernels.build import Plan, Progress, build, kernel_of, plan_recipe, plan_tree
from harness.kernels.debian import debian_kernel
from harness.kernels.kernel import Arch, Kernel
from harness.kernels.read import read_kernel
from harness.kernels.recipe import find_recipe
from harness.kernels.tree import tree_kernel

SMALL = "mainline"
"""The recipe whose configuration a tree without a ``.config`` is built with."""


def resolve(spec: str, *, build_tree: bool = False, progress: Progress | None = None) -> Kernel:
    """The kernel that ``spec`` names; fetched or built when it must be.

    Args:
        spec: ``debian:6.12``, ``recipe:procfd``, a path to an image, or a path to a built tree.
        build_tree: build what is a kernel tree, outside of it.
        progress: is told how far a build is.

    Raises:
        UsageError: it names nothing.
        KernelError: what it names cannot be had or is not a kernel.
    """
    source, colon, rest = spec.partition(":")
    if colon and source == "debian":
        return debian_kernel(rest)
    if colon and source == "recipe":
        plan = plan_of(spec)
        return kernel_of(plan, build(plan, progress=progress))
    path = Path(spec).expanduser()
    if path.is_dir():
        if build_tree:
            plan = plan_of(spec)
            built = kernel_of(plan, build(plan, progress=progress))
            return replace(built, options="--build ")
        return tree_kernel(path, spec=spec, name=short_name(path))
    if path.exists():
        return read_kernel(path, spec=spec, name=short_name(path))
    raise UsageError(
        f"no kernel {spec!r}",
        "give debian:SERIES (debian:6.12), recipe:NAME, a kernel image, or a built kernel tree",
    )


def resolve_to_boot(
    spec: str, *, build_tree: bool = False, progress: Progress | None = None
) -> Kernel:
    """The same, for a guest: its programs, the agent first, are compiled for this host.

    Raises:
        UsageError: it names nothing.
        KernelError: what it names cannot be had, is not a kernel, or is one for other machines.
    """
    kernel = resolve(spec, build_tree=build_tree, progress=progress)
    host = platform.machine()
    # A machine of another name may run programs of both.
    if host in tuple(Arch) and host != kernel.arch:
        raise KernelError(
            f"{spec} is a kernel for {kernel.arch.value}: programs of this host are for {host}",
            f"give a kernel for {host}, or run kharness on {kernel.arch.value}",
        )
    return kernel


def plan_of(what: str, source: str | None = None) -> Plan:
    """The plan of what a user names: a recipe, its folder, a kernel tree, or a Debian series.

    Raises:
        UsageError: it names nothing that can be built.
    """
    path = Path(what).expanduser()
    if path.is_dir() and not (path / "recipe.toml").exists():
        if source:
            raise UsageError(f"{what} is a tree: it has no other source", "leave --source out")
        return plan_tree(path, find_recipe(SMALL), name=short_name(path))
    if what.startswith("debian:"):
        # Distribution's options take an hour to build; the small configuration is what is meant.
        return plan_recipe(find_recipe(SMALL), source or what)
    return plan_recipe(find_recipe(what.removeprefix("recipe:")), source)


def short_name(path: Path) -> str:
    """A name for node ids and files, made of a path's last part."""
    name = re.sub(r"[^A-Za-z0-9._+-]+", "-", path.resolve().name).strip("-.")
    return name or "kernel"
