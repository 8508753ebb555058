# SPDX-License-Identifier: GPL-2.0-only
"""harness.toml into typed settings; an unknown key is an error that names the nearest known one.

What is written below a field is its description in the JSON Schema and in docs.
"""

import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from harness.cases.case import Abi
from harness.config_check import Problem, problems_of, toml_problem
from harness.config_env import Override, overrides
from harness.config_paths import counted_from
from harness.errors import UsageError
from harness.report.flavour import FLAVOURS
from harness.report.formats import parse_formats
from harness.verdict.expected import Expectation
from harness.verdict.known_failures import KernelPattern, KnownFailure
from harness.verdict.outcome import Outcome
from harness.versions import KernelRange

FILE = "harness.toml"


class _Section(BaseModel):
    model_config = ConfigDict(
        extra="forbid", frozen=True, str_strip_whitespace=True, use_attribute_docstrings=True
    )


class RunSection(_Section):
    """``[run]``: what is run, and how."""

    kernels: tuple[str, ...] = Field(("debian:6.12", "debian:6.1"), min_length=1)
    """Kernels to run on, by spec: ``debian:6.12``, ``recipe:procfd``, a path."""
    cases: tuple[str, ...] = ("cases",)
    """Paths and node ids of the cases that are run when none is given; with ``suites`` and without
    a folder ``cases``, none."""
    suites: tuple[str, ...] = ()
    """Programs of others: ``kselftest:DIR``, ``ltp:DIR``, ``exec:PROGRAM``."""
    rootfs: str = ""
    """The guest's root for suites: a folder or a tarball."""
    timeout_factor: float | None = Field(None, gt=0, allow_inf_nan=False)
    """What the suites' own time limits are multiplied by; by default 1 with KVM, 4 without."""
    accel: Literal["auto", "kvm", "tcg"] = "auto"
    """Accelerator; ``auto`` takes KVM where it runs guests."""
    isolate: Literal["fork", "boot", "shared"] = "fork"
    """What a case shares with those before it."""
    abi: tuple[Abi, ...] = Field((Abi.NATIVE,), min_length=1)
    """What programs are compiled for."""
    timeout_s: float = Field(60.0, gt=0, allow_inf_nan=False)
    """Time limit in seconds of a case that states none; see docs/when-things-break.md, Hangs."""
    boot_timeout_s: float = Field(120.0, gt=0, allow_inf_nan=False)
    """Time limit of a guest's boot in seconds, as for cases; half of it without a word."""
    folder: str = ".kharness/runs"
    """Folder of run folders, from where the run starts."""
    settle_s: float = Field(0.0, ge=0, le=60, allow_inf_nan=False)
    """Seconds for late reports of the kernel after a case's end."""
    warn: Literal["crash", "fail", "ignore"] = "crash"
    """What a WARNING of the kernel makes of a case."""
    dump: Literal["never", "on-crash"] = "never"
    """Whether the memory of a guest that crashed or hung is kept."""
    dump_limit: int = Field(3, ge=0)
    """So many dumps of a run are kept."""
    dump_limit_mib: int = Field(1024, ge=1)
    """What the dumps of a run may take together in MiB."""

    def paths(self, start: Path) -> tuple[str, ...]:
        """``cases`` as it counts below a folder: who names suites only needs no folder of cases."""
        implied = self.suites and "cases" not in self.model_fields_set
        return self.cases if not implied or (start / self.cases[0]).exists() else ()


class GuestSection(_Section):
    """``[guest]``: the guest's size, unless a case needs more."""

    memory_mib: int = Field(128, ge=64)
    """Memory in MiB."""
    cpus: int = Field(1, ge=1)
    """Virtual CPUs."""
    append: tuple[str, ...] = ()
    """Further words for the kernel's command line: ``["slub_debug=FZP", "loglevel=8"]``."""


class CacheSection(_Section):
    """``[cache]``: what may stay on the host."""

    limit_mib: int = Field(2048, ge=0)
    """What saved templates may take in MiB; those unused for longest go first."""


class ReportSection(_Section):
    """``[report]``: what is made of the journal."""

    junit_flavour: str = "jenkins"
    """Who reads junit.xml: ``jenkins``, ``gitlab``, ``github``, ``azure``, ``ant``, ``generic``."""
    formats: tuple[str, ...] = ()
    """Further reports, as in ``--format``: ``markdown``, ``tap=out.tap``, ``auto`` ..."""
    kcidb_origin: str = Field("kharness", pattern=r"^[a-z0-9_]+$")
    """The CI system's name in KCIDB."""
    kcidb_tree: str = ""
    """Name of the kernel tree in KCIDB: ``mainline``, ``net-next``."""
    kcidb_git_url: str = Field("", pattern=r"^(https://\S*)?$")
    """The tree's repository."""
    kcidb_git_commit: str = Field("", pattern=r"^([0-9a-f]{40})?$")
    """The commit that the kernel was built of."""

    @field_validator("formats")
    @classmethod
    def _known_formats(cls, formats: tuple[str, ...]) -> tuple[str, ...]:
        try:
            parse_formats(formats, {})
        except UsageError as error:
            raise ValueError(str(error).removeprefix("--format ")) from error
        return formats

    @field_validator("junit_flavour")
    @classmethod
    def _known_flavour(cls, name: str) -> str:
        if name not in FLAVOURS:
            raise ValueError(f"no flavour is called {name!r}; known: {', '.join(FLAVOURS)}")
        return name


class ExpectSplatSection(_Section):
    """``[[expect_splat]]``: a splat that is known, and changes no outcome."""

    title: str = Field(min_length=1)
    """Regular expression for the splat's title."""
    kernel: str = ""
    """Versions of the kernel, ``>=6.1,<6.12``; empty for all."""
    reason: str = Field(min_length=1)
    """Why it is known."""
    link: str = ""
    """Where more is written about it."""

    @field_validator("title")
    @classmethod
    def _is_pattern(cls, value: str) -> str:
        try:
            re.compile(value)
        except re.error as error:
            raise ValueError(f"no regular expression: {error}") from error
        return value

    @field_validator("kernel")
    @classmethod
    def _is_range(cls, value: str) -> str:
        KernelRange.parse(value)
        return value

    def expectation(self) -> Expectation:
        """As ``verdict`` takes it."""
        return Expectation(self.title, self.reason, KernelRange.parse(self.kernel), self.link)


def _or_one_alone(schema: dict[str, Any]) -> None:
    """A list of one may be written without its brackets."""
    several = {key: schema.pop(key) for key in ("items", "minItems", "type")}
    schema["anyOf"] = [several["items"], several]


class ExpectEntry(_Section):
    """``[[expect]]``: a known failure (docs/results.md)."""

    case: str = Field(min_length=1)
    """Pattern over node ids or names, ``cases/pidfd/*::wait_*`` or ``wait_*``."""
    reason: str = Field(min_length=1)
    """Why it is known."""
    kernel: str | None = None
    """Versions of the kernel, ``>=6.1,<6.12``, or a kernel's name, ``debian-*``; all by default."""
    outcome: tuple[Outcome, ...] = Field(
        (Outcome.FAIL,), min_length=1, json_schema_extra=_or_one_alone
    )
    """What is expected, one or several; ``flaky`` for what fails only sometimes."""
    link: str = ""
    """Where more is written about it."""
    until: date | None = None
    """Last day on which the entry counts."""

    @field_validator("outcome", mode="before")
    @classmethod
    def _one_or_more(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value

    @field_validator("outcome")
    @classmethod
    def _to_be_expected(cls, value: tuple[Outcome, ...]) -> tuple[Outcome, ...]:
        if set(value) & {Outcome.PASS, Outcome.XFAIL, Outcome.XPASS}:
            raise ValueError("fail, crash, timeout, error, skip or flaky")
        return value

    @field_validator("kernel")
    @classmethod
    def _range_or_name(cls, value: str | None) -> str | None:
        if value is not None:
            KernelPattern(value)
        return value

    def known_failure(self) -> KnownFailure:
        """As the verdict takes it."""
        kernel = KernelPattern(self.kernel) if self.kernel else None
        return KnownFailure(self.case, self.outcome, self.reason, kernel, self.link, self.until)


class Settings(_Section):
    """All of harness.toml."""

    run: RunSection = RunSection()
    guest: GuestSection = GuestSection()
    cache: CacheSection = CacheSection()
    report: ReportSection = ReportSection()
    expect_splat: tuple[ExpectSplatSection, ...] = ()
    expect: tuple[ExpectEntry, ...] = ()


@dataclass(frozen=True)
class Source:
    """Where settings come from.

    Attributes:
        file: the harness.toml, or None when there is none.
        text: what is in it.
        data: the same, read; its paths count from where kharness was started.
        overrides: of the environment.
        problems: what is wrong with any of them.
    """

    file: Path | None
    text: str
    data: dict[str, Any]
    overrides: tuple[Override, ...]
    problems: tuple[Problem, ...]

    def merged(self) -> dict[str, Any]:
        """The file's values, and those of the environment in their place."""
        merged = dict(self.data)
        for one in self.overrides:
            section = merged.get(one.section)
            known = section if isinstance(section, dict) else {}
            merged[one.section] = {**known, one.key: one.value}
        return merged


def load_settings(
    path: Path | None, start: Path, environment: Mapping[str, str] | None = None
) -> Settings:
    """The settings of ``path``, else of the nearest harness.toml at or above ``start``, else none.

    What the environment has (``KHARNESS_RUN_TIMEOUT_S=30``) goes before what the file has.

    Args:
        path: the file to read, or None to look for it.
        start: folder to look from.
        environment: variables; those of this process when not given.

    Raises:
        UsageError: the file is missing or wrong; says where.
    """
    source = read_source(path, start, environment)
    if source.problems:
        first = source.problems[0]
        more = f" (and {len(source.problems) - 1} more)" if len(source.problems) > 1 else ""
        raise UsageError(f"{first.where}: {first.what}{more}", first.hint)
    return Settings.model_validate(source.merged())


def nearest(start: Path) -> Path | None:
    """The harness.toml of a folder, or of the nearest one above it that has one."""
    files = (folder / FILE for folder in (start, *start.parents))
    return next((file for file in files if file.is_file()), None)


def read_source(
    path: Path | None, start: Path, environment: Mapping[str, str] | None = None
) -> Source:
    """What :func:`load_settings` makes settings of, with all that is wrong with it.

    Raises:
        UsageError: the file cannot be read.
    """
    environment = os.environ if environment is None else environment
    file = path or nearest(start)
    found, wrong = overrides(environment, Settings)
    try:
        text = file.read_text("utf-8") if file else ""
        data = tomllib.loads(text)
    except OSError as error:
        raise UsageError(f"cannot read {file}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        return Source(file, "", {}, found, (toml_problem(str(file), error), *wrong))
    if file:
        data = data if path else _with_cases(data, file.parent, start)
        data = counted_from(file.parent, data, start)
    source = Source(file, text, data, found, tuple(wrong))
    try:
        Settings.model_validate(source.merged())
    except ValidationError as error:
        problems = problems_of(error, Settings, str(file), text, found)
        return Source(file, text, data, found, (*problems, *wrong))
    return source


def _with_cases(data: dict[str, Any], folder: Path, start: Path) -> dict[str, Any]:
    """``cases`` without a word are those here, else those beside the file that was found above."""
    name = RunSection().cases[0]
    run = data.get("run", {})
    if not isinstance(run, dict) or "cases" in run or (start / name).exists():
        return data
    return {**data, "run": {**run, "cases": [name]}} if (folder / name).exists() else data
