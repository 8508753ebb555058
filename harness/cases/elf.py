# SPDX-License-Identifier: GPL-2.0-only
"""Reads what a compiled program says of its cases: the ELF section ``.kharness.tests``.

Each record is text, ``key=value`` lines, and ends with a NUL; kcase.h makes them. Text needs no
relocation and no byte order, so the host reads programs of any architecture without running them.
"""

from dataclasses import dataclass
from pathlib import Path

from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile

from harness.cases.case import Needs
from harness.errors import UsageError

SECTION = ".kharness.tests"
KEYS = {
    *("test", "file", "line", "kernel", "config", "probe", "root", "cpus", "memory"),
    "isolate",
    *("timeout", "describe", "define-probe", "since"),
}


@dataclass(frozen=True)
class Record:
    """One ``TEST`` as its program states it.

    Attributes:
        name: of the test.
        file: as the compiler was given it.
        line: from 1.
        needs: what it requires.
        timeout_s: its own time limit in seconds, or None.
        description: one line.
    """

    name: str
    file: str
    line: int
    needs: Needs
    timeout_s: float | None
    description: str


def read_records(program: Path) -> list[Record]:
    """The tests of a program, in the order of their lines.

    Raises:
        UsageError: not a program with cases, or its records are malformed.
    """
    try:
        with program.open("rb") as stream:
            section = ELFFile(stream).get_section_by_name(SECTION)
            data = section.data() if section is not None else None
    except (ELFError, OSError) as error:
        raise UsageError(f"cannot read the cases of {program.name}: {error}") from error
    if data is None:
        raise UsageError(f"{program.name} has no TEST in it", "see docs/writing-a-case.md")
    return parse_records(data, program.name)


def parse_records(data: bytes, where: str) -> list[Record]:
    """Parses the section's bytes; ``where`` is named in errors."""
    texts = [part.decode("utf-8", "replace") for part in data.split(b"\0") if part]
    fields = [_fields(text, where) for text in texts]
    probes = {
        f["define-probe"][0]: _version(f.get("since", ["0.0"])[0], where)
        for f in fields
        if "define-probe" in f
    }
    records = [_record(f, probes, where) for f in fields if "test" in f]
    names = [record.name for record in records]
    for name in names:
        if names.count(name) > 1:
            raise UsageError(f"{where} has two cases called {name}")
    return sorted(records, key=lambda record: record.line)


def _fields(text: str, where: str) -> dict[str, list[str]]:
    fields: dict[str, list[str]] = {}
    for line in text.splitlines():
        key, equals, value = line.partition("=")
        if not equals or key not in KEYS:
            raise UsageError(
                f"{where} states something that is not known: {line[:60]!r}",
                "was it compiled with another kcase.h?",
            )
        fields.setdefault(key, []).append(value)
    return fields


def _record(fields: dict[str, list[str]], probes: dict[str, tuple[int, int]], where: str) -> Record:
    def last(key: str, default: str = "") -> str:
        return fields.get(key, [default])[-1]

    wanted = []
    for name in fields.get("probe", []):
        if name not in probes:
            raise UsageError(f"{where}: {last('test')} needs the probe {name}, which is not there")
        since = probes[name]
        wanted.append((name, since if since != (0, 0) else None))
    try:
        needs = Needs(
            kernel=_version(last("kernel"), where) if "kernel" in fields else None,
            config=tuple(fields.get("config", [])),
            probes=tuple(wanted),
            root="root" in fields,
            cpus=int(last("cpus", "1")),
            memory_mib=int(last("memory", "0")),
            isolate=_isolate(last("isolate"), where),
        )
        timeout = float(last("timeout")) if "timeout" in fields else None
        line = int(last("line"))
    except ValueError as error:
        raise UsageError(f"{where}: {last('test')}: {error}") from error
    return Record(last("test"), last("file"), line, needs, timeout, last("describe"))


def _isolate(text: str, where: str) -> str:
    if text not in ("", "fork", "boot"):
        raise UsageError(f"{where}: ISOLATE({text})", "ISOLATE(fork) or ISOLATE(boot)")
    return text


def _version(text: str, where: str) -> tuple[int, int]:
    major, _, minor = text.partition(".")
    if not (major.isdigit() and minor.isdigit()):
        raise UsageError(f"{where}: {text!r} is no kernel version")
    return int(major), int(minor)
