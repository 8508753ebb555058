# SPDX-License-Identifier: GPL-2.0-only
"""An installed folder of the kernel's selftests, as run_kselftest.sh sees it.

Source of the conventions: tools/testing/selftests/run_kselftest.sh and kselftest/runner.sh (6.12).
"""

import json
import os
import posixpath
import re
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

from harness.cases.case import USUAL_ENV, Call, Case, CaseKind
from harness.errors import UsageError
from harness.suites.rootfs import GuestRoot
from harness.suites.suite import program_case

LIST = "kselftest-list.txt"
NOT_BUILT = "kharness-not-built.json"
"""Beside the list: why a target that was asked for does not build, by its name."""
GUEST = "/suite/kselftest"
DEFAULT_TIMEOUT_S = 45.0
"""runner.sh, kselftest_default_timeout."""
DURATION = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)([smhd]?)")
UNITS_S = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}
"""timeout(1)."""


def is_installed(folder: Path) -> bool:
    """Whether a folder is what ``make kselftest-install`` leaves."""
    return (folder / LIST).is_file()


def load_kselftest(
    folder: Path,
    collections: Sequence[str],
    root: GuestRoot,
    spec: str,
    environment: Mapping[str, str] | None = None,
) -> list[Case]:
    """The tests of an installed folder.

    Args:
        folder: has kselftest-list.txt.
        collections: such as ``pidfd``; all when empty.
        root: takes the files that they need.
        spec: the suite's, as the user gave it.
        environment: has ``KSELFTEST_<NAME>_ARGS``; this process's by default.

    Raises:
        UsageError: a collection is not in the list, or nothing is.
    """
    listed = _listed(folder)
    known = list(dict.fromkeys(collection for collection, _ in listed))
    for name in collections:
        if name not in known:
            raise UsageError(f"{folder} has no collection {name}", f"known: {', '.join(known)}")
    wanted = [(c, t) for c, t in listed if not collections or c in collections]
    if not wanted:
        raise UsageError(f"{folder / LIST} lists no test", "is the folder installed?")
    # What is no collection of its own is there for all (kselftest/, net/lib).
    tops = {c.split("/")[0] for c in known} - {c.split("/")[0] for c, _ in wanted}
    for entry in sorted(folder.iterdir()):
        if entry.is_dir() and entry.name not in tops:
            root.add_tree(f"{GUEST}/{entry.name}", entry)
        elif entry.is_file():
            root.add(f"{GUEST}/{entry.name}", entry)
    root.require_all(GUEST)
    environ = os.environ if environment is None else environment
    cases = [_case(folder, entry, root, spec, environ) for entry in wanted]
    return [*cases, *_not_built(folder, spec)]


def _not_built(folder: Path, spec: str) -> list[Case]:
    """A case for each target that was asked for and does not build, which says why."""
    if not (folder / NOT_BUILT).is_file():
        return []
    failed = json.loads((folder / NOT_BUILT).read_text("utf-8"))
    return [
        program_case(
            CaseKind.KSELFTEST,
            target,
            "build",
            Call((), suite=spec, problem=f"{target}: {why}"),
            source=Path(target) / "Makefile",
            timeout_s=None,
        )
        for target, why in failed.items()
    ]


def _listed(folder: Path) -> list[tuple[str, str]]:
    """``collection:test`` a line; comments and empty lines are none."""
    found: dict[tuple[str, str], None] = {}
    lines = (folder / LIST).read_text("utf-8", "replace").splitlines()
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.startswith("#"):
            continue
        collection, _, test = line.strip().partition(":")
        if not collection.strip("/") or not test:
            raise UsageError(
                f"{folder / LIST}, line {number}: {line.strip()!r} is no COLLECTION:TEST",
                "install the selftests again (make -C tools/testing/selftests install)",
            )
        found[collection.strip("/"), test] = None
    return list(found)


def _case(
    folder: Path, entry: tuple[str, str], root: GuestRoot, spec: str, environ: Mapping[str, str]
) -> Case:
    collection, test = entry
    host, guest = folder / collection / test, f"{GUEST}/{collection}/{test}"
    words, told = arguments(test, environ)
    argv = [guest, *words]
    runner = folder / collection / "ksft_runner.sh"
    if not host.is_file():
        problem = f"{collection}:{test} is listed in {LIST} and is not there"
    else:
        if not os.access(host, os.X_OK) and os.access(runner, os.X_OK):
            argv = [f"{GUEST}/{collection}/ksft_runner.sh", f"./{test}"]
            host = runner
        root.add(argv[0], host, executable=True)
        problem = root.require(argv[0], host)
    env = (*USUAL_ENV, *root.line_buffering(host)) if not problem else ()
    call = Call(tuple(argv), posixpath.dirname(guest), env, suite=spec, problem=problem, told=told)
    return program_case(
        CaseKind.KSELFTEST,
        collection,
        test,
        call,
        source=Path(collection) / test,
        timeout_s=timeout_s(folder / collection),
    )


def arguments(test: str, environment: Mapping[str, str]) -> tuple[list[str], tuple[str, ...]]:
    """What ``KSELFTEST_<NAME>_ARGS`` says: the name in upper case, ``_`` for what is not in it.

    Returns:
        The arguments, and the ``NAME=value`` that says so, if any.
    """
    name = re.sub(r"[^A-Z0-9_]", "_", re.sub(r"[\s\x00-\x1f]", "", test).upper())
    variable = f"KSELFTEST_{name}_ARGS"
    text = environment.get(variable, "")
    try:
        return shlex.split(text), (f"{variable}={text}",) if text else ()
    except ValueError as error:
        raise UsageError(f"{variable}: {error}") from error


def timeout_s(folder: Path) -> float | None:
    """The time limit of a collection in seconds: ``timeout=`` of its settings, where 0 is none.

    It is what timeout(1) takes, since runner.sh hands it over as it stands.

    Raises:
        UsageError: it is no time.
    """
    value = DEFAULT_TIMEOUT_S
    settings = folder / "settings"
    if settings.is_file():
        for line in settings.read_text("utf-8", "replace").splitlines():
            field, _, text = line.partition("=")
            if field.strip() != "timeout":
                continue
            found = DURATION.fullmatch(text.strip().strip("\"'"))
            if found is None:
                raise UsageError(
                    f"{settings}: {line.strip()!r} is no time limit", "seconds, such as timeout=180"
                )
            value = float(found[1]) * UNITS_S[found[2]]
    return value or None
