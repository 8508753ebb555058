# SPDX-License-Identifier: GPL-2.0-only
"""Python cases as a list: read out of their source, which is not run for it."""

import ast
from collections.abc import Iterator
from pathlib import Path

from harness.cases.case import Case, Needs
from harness.cases.discover import classname
from harness.cases.python_files import PATTERNS, is_python_test
from harness.errors import UsageError

FIXTURES = {"guest", "fork", "kernel"}
"""A test that asks for one of these has to do with a guest (harness/fixtures.py)."""


def python_tests(path: Path, root: Path) -> list[Case]:
    """The Python cases at or below a path, in order.

    Args:
        path: a file or a folder.
        root: folder that names are relative to, where the source lies below it.

    Raises:
        UsageError: a file is no Python.
    """
    return [case for file in _files(path) for case in _cases(file, root)]


def python_sources(path: Path, root: Path) -> list[Path]:
    """What may shape the Python cases at or below a path; nothing where there are none.

    These are the files with them, what lies beside one, which it may import, and the conftest.py of
    the folders above, as far as ``root``.
    """
    files: set[Path] = set()
    for folder in {file.absolute().parent for file in _files(path)}:
        files.update(folder.glob("*.py"))
        above = [up for up in folder.parents if up.is_relative_to(root)]
        files.update(up / "conftest.py" for up in above if (up / "conftest.py").is_file())
    return sorted(files)


def _files(path: Path) -> list[Path]:
    found = [path] if path.is_file() else {f for p in PATTERNS for f in path.rglob(p)}
    return sorted(file for file in found if is_python_test(file))


def _cases(file: Path, root: Path) -> Iterator[Case]:
    try:
        tree = ast.parse(file.read_text("utf-8"), str(file))
    except (SyntaxError, ValueError) as error:
        raise UsageError(f"{file} is no Python: {error}") from error
    full = file.absolute()
    source = full.relative_to(root) if full.is_relative_to(root) else full
    for names, function in _tests(tree.body, ()):
        words = (ast.get_docstring(function) or "").strip().splitlines()
        yield Case(
            source=source,
            name="::".join(names),
            line=function.lineno,
            program=None,
            needs=Needs(),
            timeout_s=None,
            description=words[0] if words else "",
            promised="",
            slow=False,
            classname=classname(full),
        )


def _tests(
    body: list[ast.stmt], path: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], ast.FunctionDef | ast.AsyncFunctionDef]]:
    for node in body:
        if isinstance(node, ast.ClassDef) and node.name.startswith("Test"):
            yield from _tests(node.body, (*path, node.name))
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            asked = {arg.arg for arg in (*node.args.args, *node.args.kwonlyargs)}
            if node.name.startswith("test") and asked & FIXTURES:
                yield (*path, node.name), node
