# SPDX-License-Identifier: GPL-2.0-only
"""Recipes: how to build a kernel, as a folder with ``recipe.toml``, config fragments and patches.

A recipe may extend another one: it then has that one's source, base and patches, and its fragments
before its own. So what kernels have in common is written once.
"""

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from harness.errors import UsageError
from harness.resources import resource

FILE = "recipe.toml"
VERSION = r"^\d+\.\d+(\.\d+)?$"
TARGETS = ("tinyconfig", "allnoconfig", "defconfig")
DEPTH_LIMIT = 8


class PatchEntry(BaseModel):
    """``[[patches]]``: a patch, and which versions it applies to.

    Attributes:
        file: relative to the recipe's folder; a patch, a mailbox or a folder of patches.
        since: first version that it applies to; empty for all.
        before: first version that it does not apply to any more; empty for all.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    file: str
    since: str = Field("", pattern=rf"{VERSION}|^$")
    before: str = Field("", pattern=rf"{VERSION}|^$")


class RecipeFile(BaseModel):
    """``recipe.toml``, as it is written.

    Attributes:
        description: one line.
        extends: name of the recipe that this one adds to.
        source: ``debian:SERIES``, or a path to a tarball or folder.
        base: ``tinyconfig``, ``allnoconfig``, ``defconfig``, or a file with a configuration.
        fragments: files with options, relative to the recipe's folder; a later one wins.
        patches: applied in order.
        provides: probes of cases that this kernel must say yes to.
        memory_mib: what a guest of it needs, where that is more than usual.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    description: str = ""
    extends: str = ""
    source: str = ""
    base: str = ""
    fragments: tuple[str, ...] = ()
    patches: tuple[PatchEntry, ...] = ()
    provides: tuple[str, ...] | None = None
    memory_mib: int = Field(0, ge=0)


@dataclass(frozen=True)
class Recipe:
    """A recipe with what it extends worked in.

    Attributes:
        name: its folder's name.
        description: one line.
        source: spec of the source.
        base: a make target, or a path to a configuration.
        fragments: files, in order.
        patches: path and version range each, in order.
        provides: probes of cases that this kernel must say yes to.
        memory_mib: what a guest of it needs, 0 for the usual.
        place: name of the recipe that it is built beside: the one that it adds nothing but patches
            to, or it itself. Most objects of the two are the same.
    """

    name: str
    description: str
    source: str
    base: str | Path
    fragments: tuple[Path, ...]
    patches: tuple[tuple[Path, PatchEntry], ...]
    provides: tuple[str, ...] = ()
    memory_mib: int = 0
    place: str = ""

    def patch_files(self, version: tuple[int, int, int]) -> list[Path]:
        """The patches for a kernel of ``version``."""
        return [path for path, entry in self.patches if _applies(entry, version)]


def _applies(entry: PatchEntry, version: tuple[int, int, int]) -> bool:
    since, before = _numbers(entry.since), _numbers(entry.before)
    return (since is None or version >= since) and (before is None or version < before)


def _numbers(text: str) -> tuple[int, int, int] | None:
    numbers = [int(part) for part in text.split(".")] if text else []
    if not numbers:
        return None
    return numbers[0], numbers[1], numbers[2] if len(numbers) > 2 else 0


def recipe_folders(start: Path | None = None) -> list[Path]:
    """Folders that hold recipes: ``images/kernels`` of the project at hand, and kharness's own."""
    here = (start or Path.cwd()) / "images" / "kernels"
    own = resource("images/kernels")
    return [folder for folder in dict.fromkeys([here.resolve(), own]) if folder.is_dir()]


def recipe_names() -> list[str]:
    """Names of all recipes."""
    found = {file.parent.name for folder in recipe_folders() for file in folder.glob(f"*/{FILE}")}
    return sorted(found)


def find_recipe(name: str) -> Recipe:
    """The recipe of that name, or in that folder.

    Raises:
        UsageError: there is none, or it is wrong; says where.
    """
    path = Path(name).expanduser()
    if (path / FILE).is_file():
        return _load(path.resolve(), path.resolve().parent, 0)
    for folder in recipe_folders():
        if "/" not in name and (folder / name / FILE).is_file():
            return _load(folder / name, folder, 0)
    known = ", ".join(recipe_names()) or "none"
    raise UsageError(f"no recipe {name!r}", f"known: {known}; or give a folder with {FILE}")


def _load(folder: Path, siblings: Path, depth: int) -> Recipe:
    file = folder / FILE
    try:
        written = RecipeFile.model_validate(tomllib.loads(file.read_text("utf-8")))
    except OSError as error:
        raise UsageError(f"cannot read {file}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{file} is no TOML: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        known = ", ".join(RecipeFile.model_fields)
        if first["type"] == "extra_forbidden":
            raise UsageError(f"{file}: unknown key {where}", f"known: {known}") from error
        raise UsageError(f"{file}: {where}: {first['msg']}") from error
    parent = None
    if written.extends:
        if depth >= DEPTH_LIMIT:
            raise UsageError(f"{file}: extends: recipes extend each other in a circle")
        if not (siblings / written.extends / FILE).is_file():
            raise UsageError(f"{file}: extends: no recipe {written.extends!r} in {siblings}")
        parent = _load(siblings / written.extends, siblings, depth + 1)
    return _merged(folder, file, written, parent)


def _merged(folder: Path, file: Path, written: RecipeFile, parent: Recipe | None) -> Recipe:
    source = written.source or (parent.source if parent else "")
    if not source:
        raise UsageError(f"{file}: source: missing", "debian:6.12, or a path")
    if not re.match(r"(debian:|linux-source-)", source) and not Path(source).is_absolute():
        source = str((folder / source).resolve()) if written.source else source
    base: str | Path = parent.base if parent else "tinyconfig"
    if written.base:
        base = written.base if written.base in TARGETS else _file(folder, file, written.base)
    provides = written.provides
    if provides is None:
        provides = parent.provides if parent else ()
    return Recipe(
        name=folder.name,
        description=written.description,
        source=source,
        base=base,
        fragments=(
            *(parent.fragments if parent else ()),
            *(_file(folder, file, name) for name in written.fragments),
        ),
        patches=(
            *(parent.patches if parent else ()),
            *((_file(folder, file, entry.file), entry) for entry in written.patches),
        ),
        provides=provides,
        memory_mib=written.memory_mib or (parent.memory_mib if parent else 0),
        place=parent.place if parent and not _configures(written) else folder.name,
    )


def _configures(written: RecipeFile) -> bool:
    return bool(written.source or written.base or written.fragments)


def _file(folder: Path, recipe: Path, name: str) -> Path:
    path = (folder / name).resolve()
    if not path.exists():
        raise UsageError(f"{recipe}: no file {name}", f"make {path}")
    return path
