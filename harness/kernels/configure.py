# SPDX-License-Identifier: GPL-2.0-only
"""Configurations: what fragments ask for, whether they got it, and why not.

``make olddefconfig`` drops without a word what cannot be set. So what was asked for is compared
with what came, and where they differ, the Kconfig files are read for the reason.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.errors import KernelError, UsageError
from harness.kernels.kernel import Kconfig

SET = re.compile(r"^(CONFIG_\w+)=(.*)$")
UNSET = re.compile(r"^# (CONFIG_\w+) is not set$")
SYMBOL = re.compile(r"(?<![\w$])[A-Z0-9][A-Z0-9_]*\b")
NO_SYMBOL = re.compile(r"\$\([^)]*\)|\"[^\"]*\"")
"""Macros and constants in a condition (Documentation/kbuild/kconfig-macro-language.rst)."""
REASONS_SHOWN = 5


@dataclass(frozen=True)
class Asked:
    """An option as a fragment asks for it.

    Attributes:
        value: ``y``, ``m``, ``n`` (not set), a number or a quoted string.
        place: the fragment's file and line.
    """

    value: str
    place: str


def read_fragments(files: Iterable[Path]) -> dict[str, Asked]:
    """What fragments ask for; of two that speak of one option, the later.

    Raises:
        UsageError: a line is neither an option nor a comment.
    """
    asked: dict[str, Asked] = {}
    for file in files:
        try:
            lines = file.read_text("utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"cannot read {file}: {error}") from error
        for number, line in enumerate(lines, 1):
            place = f"{file.parent.name}/{file.name}:{number}"
            if found := SET.match(line):
                asked[found[1]] = Asked(found[2].strip(), place)
            elif found := UNSET.match(line):
                asked[found[1]] = Asked("n", place)
            elif line.strip() and not line.startswith("#"):
                raise UsageError(f"{place}: {line!r} is no option", "CONFIG_NAME=value")
    return asked


def fragment_text(asked: Mapping[str, Asked]) -> str:
    """The options, as ``.config`` has them."""
    return "".join(
        f"# {name} is not set\n" if option.value == "n" else f"{name}={option.value}\n"
        for name, option in asked.items()
    )


def check_config(asked: Mapping[str, Asked], got: Kconfig, tree: Path) -> None:
    """Compares what was asked for with what came.

    Args:
        asked: by the fragments.
        got: the configuration after ``make olddefconfig``.
        tree: the source, for the reasons.

    Raises:
        KernelError: an option did not take effect; names it and what it depends on.
    """
    missed = {
        name: option for name, option in asked.items() if got.get(name) != option.value.strip('"')
    }
    if not missed:
        return
    entries = _entries(tree, {name.removeprefix("CONFIG_") for name in missed})
    reasons = [
        f"{option.place}: {name}={option.value} did not take effect, it is"
        f" {got.get(name)}: {_reason(name.removeprefix('CONFIG_'), option.value, entries, got)}"
        for name, option in missed.items()
    ]
    more = len(reasons) - 1
    raise KernelError(
        reasons[0] + (f" (and {more} more)" if more else ""),
        detail="\n".join(reasons[1 : REASONS_SHOWN + 1]),
    )


@dataclass
class _Entry:
    """An option in a Kconfig file: what it depends on, and whether a person can set it."""

    place: str
    depends: list[str]
    prompt: bool = False


def _reason(name: str, wanted: str, entries: Mapping[str, list[_Entry]], got: Kconfig) -> str:
    found = entries.get(name, [])
    if not found:
        return "this kernel has no such option"
    if wanted == "n":
        return "another option selects it"
    entry = found[0]
    conditions = [c for e in found for c in e.depends]
    unset = dict.fromkeys(
        symbol
        for condition in conditions
        for symbol in SYMBOL.findall(NO_SYMBOL.sub("", condition))
        if got.get(symbol) == "n" and f"!{symbol}" not in condition.replace(" ", "")
    )
    hindering = dict.fromkeys(
        found_[1]
        for condition in conditions
        for found_ in re.finditer(r"!\s*([A-Z0-9_]+)", condition)
        if got.get(found_[1]) in ("y", "m")
    )
    words = []
    if conditions:
        words.append(f"it depends on {' && '.join(dict.fromkeys(conditions))}")
    if unset:
        words.append(f"not set: {', '.join(unset)}")
    if hindering:
        words.append(f"set: {', '.join(hindering)}")
    if not any(e.prompt for e in found):
        words.append("it cannot be set by hand, other options select it")
    return "; ".join(words or ["it is one of a choice, or another option overrides it"]) + (
        f" ({entry.place})"
    )


def _entries(tree: Path, names: set[str]) -> dict[str, list[_Entry]]:
    """Where options are defined, with the conditions that they stand under in their file."""
    found: dict[str, list[_Entry]] = {}
    pattern = re.compile(
        rf"^\s*(?:menu)?config\s+(?:{'|'.join(map(re.escape, names))})\s*$", re.MULTILINE
    )
    for file in _kconfig_files(tree):
        text = file.read_text("utf-8", "replace")
        if pattern.search(text):
            for name, entry in _parse(text, str(file.relative_to(tree))):
                if name in names:
                    found.setdefault(name, []).append(entry)
    return found


def _kconfig_files(tree: Path) -> Iterator[Path]:
    """Kconfig files, but for those of other architectures."""
    for folder in sorted(p for p in tree.iterdir() if p.is_dir() or p.name == "Kconfig"):
        if folder.is_file():
            yield folder
        elif folder.name == "arch":
            yield from sorted((folder / "x86").rglob("Kconfig*"))
            yield folder / "Kconfig"
        elif folder.name not in ("Documentation", "tools", "scripts"):
            yield from sorted(folder.rglob("Kconfig*"))


def _parse(text: str, file: str) -> Iterator[tuple[str, _Entry]]:
    """Entries of a Kconfig file (Documentation/kbuild/kconfig-language.rst)."""
    blocks: list[list[str]] = []  # conditions of the if, menu and choice that enclose a line
    entry: _Entry | None = None  # the option that attributes belong to; None: the block has them
    help_indent = -1
    for number, line in _logical_lines(text):
        words, indent = line.split(), len(line) - len(line.lstrip())
        if not words or 0 <= help_indent < indent:
            continue
        help_indent = indent if words[0] in ("help", "---help---") else -1
        rest = " ".join(words[1:])
        if words[0] in ("config", "menuconfig"):
            entry = _Entry(f"{file}:{number}", [c for block in blocks for c in block])
            yield rest, entry  # filled while its attributes are read
        elif words[0] in ("if", "menu", "choice"):
            entry = None
            blocks.append([_grouped(rest)] if words[0] == "if" else [])
        elif words[0] in ("endif", "endmenu", "endchoice"):
            entry = None
            del blocks[-1:]
        elif words[0] == "depends":
            into = entry.depends if entry else (blocks[-1] if blocks else [])
            into.append(_grouped(rest.removeprefix("on ")))
        elif entry and words[0] in ("bool", "tristate", "string", "int", "hex", "prompt"):
            entry.prompt = entry.prompt or '"' in line


def _grouped(condition: str) -> str:
    condition = condition.partition("#")[0].strip()
    return f"({condition})" if "||" in condition else condition


def _logical_lines(text: str) -> Sequence[tuple[int, str]]:
    """Lines with their numbers, those that end in a backslash joined."""
    joined: list[tuple[int, str]] = []
    start, held = 0, ""
    for number, line in enumerate(text.splitlines(), 1):
        if not held:
            start = number
        if line.endswith("\\"):
            held += line[:-1]
            continue
        joined.append((start, (held + line).expandtabs()))
        held = ""
    return joined
