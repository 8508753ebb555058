# SPDX-License-Identifier: GPL-2.0-only
"""How a user names a suite: ``kselftest:DIR``, ``ltp:DIR:syscalls``, ``exec:PROGRAM ARGUMENTS``."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from harness.errors import UsageError
from harness.suites.kselftest import is_installed, load_kselftest
from harness.suites.ltp import load_ltp
from harness.suites.programs import load_program
from harness.suites.rootfs import GuestRoot
from harness.suites.selftests_build import build_selftests
from harness.suites.suite import Suite
from harness.vm.initramfs import File

FORMS = (
    "kselftest:DIR[:COLLECTION,...], kselftest:TREE:TARGET,..., ltp:DIR[:RUNTEST,...], exec:PROGRAM"
)
SOURCE_ALONE = r"kselftest:debian:[^:]*:?"
"""A source that is no folder, and no target."""


def load_suites(
    specs: Sequence[str],
    start: Path,
    *,
    rootfs: Mapping[str, File] | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> list[Suite]:
    """The suites that ``specs`` name, in order; a kernel tree's selftests are built first.

    Args:
        specs: see :data:`FORMS`.
        start: folder that relative paths are relative to.
        rootfs: the user's root.
        say: takes a line for a person, before something that takes time.

    Raises:
        UsageError: a spec names nothing, or two name different tests by one name.
        KernelError, HostError: the selftests cannot be built.
    """
    suites = [_load(spec, start, rootfs, say) for spec in dict.fromkeys(specs)]
    seen: dict[str, Suite] = {}
    unique = []
    for suite in suites:
        own = []
        for case in suite.cases:
            first = seen.setdefault(case.node, suite)
            if first is suite:
                own.append(case)
            elif first.origin != suite.origin:
                raise UsageError(
                    f"{first.spec} and {suite.spec} both have a {case.node}",
                    "give them in two runs, and merge: kharness junit merge",
                )
        unique.append(replace(suite, cases=tuple(own)))
    return unique


def _load(
    spec: str, start: Path, rootfs: Mapping[str, File] | None, say: Callable[[str], None]
) -> Suite:
    origin = ""
    kind, colon, rest = spec.partition(":")
    if re.fullmatch(SOURCE_ALONE, spec):
        raise UsageError(f"{spec}: no targets", f"say which selftests to build: {spec}:pidfd")
    root = GuestRoot(rootfs)
    if kind == "exec" and rest:
        cases = [load_program(rest, start, root, spec, rootfs)]
    elif kind == "ltp" and rest:
        place, names = _place(rest, start)
        origin, cases = place, load_ltp(Path(place), names, root, spec)
    elif kind == "kselftest" and rest:
        place, names = _place(rest, start)
        if is_installed(Path(place)):
            folder, chosen = Path(place), names
        elif names:
            folder, chosen = build_selftests(place, names, say), []
        else:
            raise UsageError(
                f"{spec}: no kselftest-list.txt in {place}",
                "give an installed folder, or a kernel tree with targets: kselftest:TREE:pidfd",
            )
        origin, cases = place, load_kselftest(folder, chosen, root, spec)
    else:
        raise UsageError(f"--suite {spec}: not a suite" if colon else f"no suite {spec}", FORMS)
    return Suite(spec, tuple(cases), root.finish(), origin or spec)


def _place(text: str, start: Path) -> tuple[str, list[str]]:
    """Folder, or another kernel source's spec, and the names after the last colon."""
    whole = start / Path(text).expanduser()
    if whole.is_dir():
        return str(whole), []
    place, colon, names = text.rpartition(":")
    if not colon:
        raise UsageError(f"no folder {text}", FORMS)
    folder = start / Path(place).expanduser()
    listed = [name.strip("/") for name in names.split(",") if name.strip("/")]
    return str(folder) if folder.is_dir() else place, listed
