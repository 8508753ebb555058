# SPDX-License-Identifier: GPL-2.0-only
"""Completion of kharness's words in bash, zsh and fish: quick, so nothing is compiled or imported.

Values come from file names and the text of sources. A word may have a ``:``, which bash takes for
the start of a new one, and a ``,``, at which click's script for fish cuts; so those two scripts are
ours, and zsh's is click's.
"""

# click calls what completes with context and parameter, whether they are wanted or not.
# ruff: noqa: ARG001

import os
import re
from pathlib import Path

import click
from click.shell_completion import (
    BashComplete,
    CompletionItem,
    FishComplete,
    ShellComplete,
    ZshComplete,
    add_completion_class,
    split_arg_string,
)

from harness.cases.python_files import is_python_test
from harness.report.formats import AUTO, FORMATS

SERIES = ("6.12", "6.1")
"""Debian's series that README names; those in the cache are added."""
TEST = re.compile(r"^TEST\(\s*(\w+)", re.MULTILINE)
PYTHON_TEST = re.compile(r"^(?:async )?def (test\w*)\(", re.MULTILINE)
SUITES = ("exec:", "kselftest:", "ltp:")

BASH = """\
%(complete_func)s() {
    local line="${COMP_LINE:0:COMP_POINT}" type value prefix=""
    local word="${line##*[[:space:]]}"
    # readline replaces what follows the last of COMP_WORDBREAKS, so what is before it goes.
    if [[ $COMP_WORDBREAKS == *:* && $word == *:* ]]; then
        prefix="${word%%"${word##*:}"}"
    fi
    if [[ $COMP_WORDBREAKS == *=* && ${word#"$prefix"} == *=* ]]; then
        prefix="${word%%"${word##*=}"}"
    fi
    COMPREPLY=()
    while IFS=, read -r type value; do
        case $type in
        dir) compopt -o dirnames 2>/dev/null ;;
        file) compopt -o default 2>/dev/null ;;
        open) compopt -o nospace 2>/dev/null; COMPREPLY+=("${value#"$prefix"}") ;;
        plain) COMPREPLY+=("${value#"$prefix"}") ;;
        esac
    done < <(COMP_LINE="$line" %(complete_var)s=bash_complete "$1" 2>/dev/null)
}
complete -F %(complete_func)s %(prog_name)s
"""

FISH = """\
function %(complete_func)s
    for line in (env %(complete_var)s=fish_complete COMP_WORDS=(commandline -cp) \\
            COMP_CWORD=(commandline -t) %(prog_name)s 2>/dev/null)
        set -l parts (string split -m 1 "," -- $line)
        switch $parts[1]
            case dir
                __fish_complete_directories (commandline -ct)
            case file
                __fish_complete_path (commandline -ct)
            case plain open
                echo $parts[2]
        end
    end
end
complete --no-files --command %(prog_name)s --arguments "(%(complete_func)s)"
"""


class _Bash(BashComplete):
    source_template = BASH

    @staticmethod
    def _check_version() -> None:
        """Any bash does."""

    def get_completion_args(self) -> tuple[list[str], str]:
        """The words of the line up to the cursor, and the one that is being written."""
        line = os.environ.get("COMP_LINE", "")
        words = split_arg_string(line)
        incomplete = words.pop() if words and not line[-1:].isspace() else ""
        return words[1:], incomplete

    def format_completion(self, item: CompletionItem) -> str:
        """``type,value``."""
        return f"{item.type},{item.value}"


class _Zsh(ZshComplete):
    def format_completion(self, item: CompletionItem) -> str:
        """As click's script wants it."""
        plain = "plain" if item.type == "open" else item.type
        return super().format_completion(CompletionItem(item.value, plain, item.help))


class _Fish(FishComplete):
    source_template = FISH


SHELLS: dict[str, type[ShellComplete]] = {"bash": _Bash, "fish": _Fish, "zsh": _Zsh}


def register() -> None:
    """Makes click use the classes above."""
    for name, kind in SHELLS.items():
        add_completion_class(kind, name)


def script(command: click.Command, shell: str) -> str:
    """The script for a shell: a key of :data:`SHELLS`."""
    return SHELLS[shell](command, {}, "kharness", "_KHARNESS_COMPLETE").source()


def kernels(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Specs: recipes, Debian's series, paths."""
    specs = [f"debian:{series}" for series in dict.fromkeys([*SERIES, *_fetched()])]
    specs += [f"recipe:{name}" for name in _recipes()]
    found = [CompletionItem(spec) for spec in specs if spec.startswith(incomplete)]
    if not found or incomplete[:1] in ("/", ".", "~"):
        found.append(CompletionItem(incomplete, type="file"))
    return found


def recipes(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Recipes by name, and folders."""
    found = [CompletionItem(name) for name in _recipes() if name.startswith(incomplete)]
    return found or [CompletionItem(incomplete, type="dir")]


def nodes(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Paths of sources, and behind ``::`` the cases in one."""
    path, colons, _ = incomplete.partition("::")
    if not colons:
        return sources(context, parameter, incomplete)
    try:
        text = Path(path).expanduser().read_text("utf-8", "replace")
    except OSError:
        return []
    tests = PYTHON_TEST if path.endswith(".py") else TEST
    names = (f"{path}::{name}" for name in dict.fromkeys(tests.findall(text)))
    return [CompletionItem(node) for node in names if node.startswith(incomplete)]


def sources(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Folders, C files and Python's tests."""
    folder, _, start = incomplete.rpartition("/")
    base = f"{folder}/" if folder or incomplete.startswith("/") else ""
    try:
        entries = sorted(Path(base or ".").expanduser().iterdir())
    except OSError:
        return []
    found = []
    for entry in entries:
        if not entry.name.startswith(start) or (entry.name.startswith(".") and not start):
            continue
        if entry.is_dir():
            found.append(CompletionItem(f"{base}{entry.name}/", type="open"))
        elif entry.suffix == ".c" or is_python_test(entry):
            found.append(CompletionItem(f"{base}{entry.name}"))
    return found


def files(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Any file."""
    return [CompletionItem(incomplete, type="file")]


def suites(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Kinds of suites; folders and files behind the colon."""
    kind, colon, start = incomplete.partition(":")
    if not colon:
        return [CompletionItem(s, type="open") for s in SUITES if s.startswith(incomplete)]
    folder, slash, name = start.rpartition("/")
    try:
        entries = sorted(Path(f"{folder}{slash}" or ".").expanduser().iterdir())
    except OSError:
        return []
    return [
        CompletionItem(f"{kind}:{folder}{slash}{e.name}{'/' if e.is_dir() else ''}", type="open")
        for e in entries
        if e.name.startswith(name) and (e.is_dir() or kind == "exec")
    ]


def runs(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Run folders, newest first; else files, since JUnit of any tool does as well."""
    folder = Path(".kharness") / "runs"
    try:
        names = sorted((entry.name for entry in folder.iterdir()), reverse=True)
    except OSError:
        names = []
    paths = [str(folder / name) for name in names if not name.startswith(".")]
    found = [CompletionItem(path) for path in paths if path.startswith(incomplete)]
    return found or [CompletionItem(incomplete, type="file")]


def formats(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Names of formats, also behind a comma; a file behind ``=``."""
    before, comma, last = incomplete.rpartition(",")
    if "=" in last:
        return [CompletionItem(last.partition("=")[2], type="file")]
    about = {**{row.name: row.description for row in FORMATS.values()}, AUTO: "what the CI wants"}
    return [
        CompletionItem(f"{before}{comma}{name}", help=words)
        for name, words in about.items()
        if name.startswith(last)
    ]


def _recipes() -> list[str]:
    from harness.resources import resource  # noqa: PLC0415

    try:
        folders = sorted(resource("images/kernels").iterdir())
    except OSError:
        return []
    return [folder.name for folder in folders if (folder / "recipe.toml").is_file()]


def _fetched() -> list[str]:
    """Debian's series in the cache; asks nobody."""
    from harness.cache import cache_root  # noqa: PLC0415

    names = (path.name for path in (cache_root() / "kernels" / "debian").glob("linux-image-*"))
    found = {m[1] for name in names if (m := re.match(r"linux-image-(\d+\.\d+)", name))}
    return sorted(found, key=lambda series: tuple(map(int, series.split("."))), reverse=True)
