# SPDX-License-Identifier: GPL-2.0-only
"""Paths in a harness.toml count from its folder, wherever kharness is started."""

import os
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any


def counted_from(folder: Path, data: dict[str, Any], start: Path) -> dict[str, Any]:
    """The settings of a file with its paths as they count from another folder.

    What is no path, and what has another type than it should have, stays as it is.

    Args:
        folder: of the file.
        data: what is in it.
        start: folder that kharness was started in: what lies below it is relative to it.
    """
    run = data.get("run")
    if folder.absolute() == start.absolute() or not isinstance(run, dict):
        return data

    def moved(text: str) -> str:
        path = os.path.normpath(folder.absolute() / _expanded(text))
        return os.path.relpath(path, start) if Path(path).is_relative_to(start) else path

    kinds: dict[str, Callable[[str], str]] = {
        "kernels": lambda spec: spec if spec.startswith(("debian:", "recipe:")) else moved(spec),
        "cases": lambda node: _head(node, "::", moved),
        "suites": lambda spec: _suite(spec, folder, moved),
        "rootfs": lambda text: moved(text) if text else "",
    }
    found = {key: _each(run[key], change) for key, change in kinds.items() if key in run}
    return {**data, "run": {**run, **found}}


def node_from(folder: Path, node: str, start: Path) -> str:
    """A node id as its path counts from the folder of a harness.toml; what names no file stays.

    Args:
        folder: of the file.
        node: as it counts from ``start``.
        start: folder that kharness was started in.
    """

    def moved(text: str) -> str:
        return os.path.relpath(start / text, folder) if (start / text).exists() else text

    return node if folder == start else _head(node, "::", moved)


def _expanded(text: str) -> Path:
    try:
        return Path(text).expanduser()
    except RuntimeError:  # nobody is called so
        return Path(text)


def _each(value: Any, change: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, list):
        return [change(one) if isinstance(one, str) else one for one in value]
    return value


def _head(text: str, mark: str, change: Callable[[str], str]) -> str:
    head, found, rest = text.partition(mark)
    return change(head) + found + rest


def _suite(spec: str, folder: Path, moved: Callable[[str], str]) -> str:
    """``exec:./a.sh x``, ``ltp:DIR:syscalls``; a program of ``$PATH`` and a source are no paths."""
    kind, colon, rest = spec.partition(":")
    if kind == "exec":
        try:
            words = shlex.split(rest)
        except ValueError:
            return spec
        if words and ("/" in words[0] or (folder / words[0]).is_file()):
            return f"exec:{shlex.join([moved(words[0]), *words[1:]])}"
        return spec
    if (folder / _expanded(rest)).is_dir():
        return f"{kind}{colon}{moved(rest)}"
    place, mark, names = rest.rpartition(":")
    if mark and (folder / _expanded(place)).is_dir():
        return f"{kind}{colon}{moved(place)}{mark}{names}"
    return spec
