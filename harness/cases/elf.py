# SPDX-License-Identifier: GPL-2.0-only
"""Reads what a compiled program says of its cases: the ELF section ``.kharness.tests``.

Each record is text, ``key=value`` lines, and ends with a NUL; kcase.h makes them. Text needs no
relocation and no byte order, so the host reads programs of any architecture without running them.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile

from harness.cases.case import Needs
from harness.errors import UsageError

SECTION = ".kharness.tests"
KEYS = {
    *("test", "file", "line", "kernel", "config", "probe", "root", "cpus", "memory"),
    *("isolate", "splat"),
    *("timeout", "settle", "describe", "promised", "slow", "every-case"),
    *("define-probe", "since", "source"),
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
        promised: where the promise stands, one line; may be empty.
        slow: takes longer than three seconds on an idle machine.
        settle_s: seconds that the kernel has to report something after its end, or None.
    """

    name: str
    file: str
    line: int
    needs: Needs
    timeout_s: float | None
    description: str
    promised: str = ""
    slow: bool = False
    settle_s: float | None = None


@dataclass(frozen=True)
class Feature:
    """What a ``PROBE`` asks the kernel for.

    Attributes:
        name: of the probe.
        since: first version of mainline that has it, or None where none has.
        source: commit or man page that says so.
    """

    name: str
    since: tuple[int, int] | None
    source: str


def read_records(program: Path) -> list[Record]:
    """The tests of a program, in the order of their lines.

    Raises:
        UsageError: not a program with cases, or its records are malformed.
    """
    return parse_records(_section(program), program.name)


def read_features(program: Path) -> list[Feature]:
    """The probes of a program.

    Raises:
        UsageError: not a program with cases, or its records are malformed.
    """
    fields = [
        _fields(text, program.name)
        for text in _section(program).decode("utf-8", "replace").split("\0")
        if text
    ]
    return [
        Feature(
            f["define-probe"][0],
            _version(f["since"][0], program.name) if f["since"][0] != "0.0" else None,
            f.get("source", [""])[0],
        )
        for f in fields
        if "define-probe" in f
    ]


def _section(program: Path) -> bytes:
    try:
        with program.open("rb") as stream:
            section = ELFFile(stream).get_section_by_name(SECTION)
            data = section.data() if section is not None else None
    except (ELFError, OSError) as error:
        raise UsageError(f"cannot read the cases of {program.name}: {error}") from error
    if data is None:
        raise UsageError(f"{program.name} has no TEST in it", "see docs/writing-a-case.md")
    return bytes(data)


def parse_records(data: bytes, where: str) -> list[Record]:
    """Parses the section's bytes; ``where`` is named in errors."""
    texts = [part.decode("utf-8", "replace") for part in data.split(b"\0") if part]
    fields = [_fields(text, where) for text in texts]
    probes = {
        f["define-probe"][0]: _version(f.get("since", ["0.0"])[0], where)
        for f in fields
        if "define-probe" in f
    }
    every = next((f for f in fields if "every-case" in f), {})
    records = [_record(every, f, probes, where) for f in fields if "test" in f]
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


def _record(
    every: dict[str, list[str]],
    own: dict[str, list[str]],
    probes: dict[str, tuple[int, int]],
    where: str,
) -> Record:
    """A test of the file whose cases all state ``every``; what the test states itself counts."""
    fields = {key: every.get(key, []) + own.get(key, []) for key in {*every, *own}}

    def last(key: str, default: str = "") -> str:
        return fields.get(key, [default])[-1]

    wanted = []
    for name in dict.fromkeys(fields.get("probe", [])):
        if name not in probes:
            raise UsageError(f"{where}: {last('test')} needs the probe {name}, which is not there")
        since = probes[name]
        wanted.append((name, since if since != (0, 0) else None))
    try:
        needs = Needs(
            kernel=_version(last("kernel"), where) if "kernel" in fields else None,
            config=tuple(dict.fromkeys(fields.get("config", []))),
            probes=tuple(wanted),
            root="root" in fields,
            cpus=int(last("cpus", "1")),
            memory_mib=int(last("memory", "0")),
            isolate=_isolate(last("isolate"), where),
            expect_splat=_patterns(fields.get("splat", []), where),
        )
        timeout = float(last("timeout")) if "timeout" in fields else None
        settle = int(last("settle")) / 1000 if "settle" in fields else None
        line = int(last("line"))
    except ValueError as error:
        raise UsageError(f"{where}: {last('test')}: {error}") from error
    return Record(
        *(last("test"), last("file"), line, needs, timeout),
        *(last("describe"), last("promised"), "slow" in fields, settle),
    )


def _patterns(texts: list[str], where: str) -> tuple[str, ...]:
    for text in texts:
        try:
            re.compile(text)
        except re.error as error:
            hint = "a regular expression that is found in the splat's title"
            raise UsageError(f"{where}: EXPECT_SPLAT({text}): {error}", hint) from error
    return tuple(dict.fromkeys(texts))


def _isolate(text: str, where: str) -> str:
    if text not in ("", "fork", "boot"):
        raise UsageError(f"{where}: ISOLATE({text})", "ISOLATE(fork) or ISOLATE(boot)")
    return text


def _version(text: str, where: str) -> tuple[int, int]:
    major, _, minor = text.partition(".")
    if not (major.isdigit() and minor.isdigit()):
        raise UsageError(f"{where}: {text!r} is no kernel version")
    return int(major), int(minor)
