# SPDX-License-Identifier: GPL-2.0-only
"""From C sources to cases."""

from collections.abc import Sequence
from pathlib import Path

from harness.cases.case import Abi, Case
from harness.cases.elf import read_records
from harness.cases.python_files import is_python_test
from harness.errors import UsageError
from harness.resources import resource
from harness.toolchain import M32, compile_program, makes_32_bit


def is_case_source(path: Path) -> bool:
    """True for a C file that includes kcase.h, or a header beside it that may."""
    if path.suffix != ".c":
        return False
    try:
        return "KCASE_MAIN" in path.read_text("utf-8", "replace")
    except OSError:
        return False


def split_node(words: str) -> tuple[Path, str]:
    """The path of a node id, and the case in it; of a path, the path and nothing."""
    path, _, name = words.partition("::")
    return Path(path), name


def of_abis(words: str, abis: Sequence[Abi]) -> list[str]:
    """What a node id without an ABI names: the case for each; a native one has no ABI in its name.

    Args:
        words: path or node id; only that of a C case without an ABI is another then.
        abis: that programs are made for.
    """
    path, name = split_node(words)
    if path.suffix != ".c" or not name or "@" in name:
        return [words]
    plain, bracket, kernel = name.partition("[")
    marks = ("" if abi is Abi.NATIVE else f"@{abi.value}" for abi in abis)
    return [f"{path}::{plain}{mark}{bracket}{kernel}" for mark in marks]


def named(cases: Sequence[Case], words: str) -> list[Case]:
    """The cases of a path that a node id names; of a path, all.

    Args:
        cases: of the path.
        words: path or node id. Who names a class of Python names what is in it.

    Raises:
        UsageError: there is no such case.
    """
    path, name = split_node(words)
    # Behind the name pytest has the kernel, and behind it the harness what it was compiled for.
    plain = name.partition("[")[0].partition("@")[0]
    found = [c for c in cases if not name or f"{c.name}::".startswith(f"{plain}::")]
    if name and not found:
        raise UsageError(f"no case {words}", f"kharness cases {path} lists what there is")
    return found


def find_sources(path: Path) -> list[Path]:
    """The C sources of cases at or below ``path``, in order; none for a file of Python cases.

    Raises:
        UsageError: there is no such path, or a file that cannot hold cases.
    """
    if path.is_file():
        if is_python_test(path):
            return []
        if path.suffix != ".c":
            raise UsageError(f"no cases in {path}", "give a C file or a folder")
        return [path]
    if not path.is_dir():
        raise UsageError(f"no cases at {path}", "give a C file or a folder")
    return sorted(p for p in path.rglob("*.c") if is_case_source(p))


def load(source: Path, root: Path, abi: Abi = Abi.NATIVE) -> list[Case]:
    """Compiles a source and reads its cases.

    Args:
        source: the C file.
        root: folder that names of cases are relative to, where the source lies below it.
        abi: what the programs are compiled for.

    Raises:
        UsageError: it does not compile, or its records are malformed.
        HostError: no compiler.
    """
    source = source.absolute()
    include = (resource("cases/include"), source.parent)
    native = compile_program(source, include=include)
    records = read_records(native)
    program: Path | None = native
    name = classname(source)
    if abi is Abi.COMPAT32:
        name = f"{name}.{abi.value}"
        program = compile_program(source, include=include, flags=M32) if makes_32_bit() else None
    shown = source.relative_to(root) if source.is_relative_to(root) else source
    return [
        Case(
            source=shown,
            name=record.name,
            line=record.line,
            program=program,
            needs=record.needs,
            timeout_s=record.timeout_s,
            settle_s=record.settle_s,
            description=record.description,
            promised=record.promised,
            slow=record.slow,
            classname=name,
            abi=abi,
        )
        for record in records
    ]


def classname(source: Path) -> str:
    """``.../cases/pidfd/open.c`` is ``pidfd.open``: the folders below ``cases``, else the last."""
    parts = [*source.absolute().parts[1:-1], source.stem]
    below = len(parts) - parts[::-1].index("cases") if "cases" in parts[:-1] else len(parts) - 2
    return ".".join(part.replace(".", "_") for part in parts[max(0, below) :])
