# SPDX-License-Identifier: GPL-2.0-only
"""harness.toml into typed settings; an unknown key is an error that names the nearest known one."""

import difflib
import tomllib
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from harness.errors import UsageError

FILE = "harness.toml"


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)


class RunSection(_Section):
    """``[run]``: what is run, and how."""

    kernels: tuple[str, ...] = Field(("debian:6.12", "debian:6.1"), min_length=1)
    cases: tuple[str, ...] = ("cases",)
    accel: Literal["auto", "kvm", "tcg"] = "auto"
    isolate: Literal["fork", "boot", "shared"] = "fork"
    timeout_s: float = Field(60.0, gt=0)
    boot_timeout_s: float = Field(120.0, gt=0)
    folder: str = ".kharness/runs"


class GuestSection(_Section):
    """``[guest]``: the guest's size, unless a case needs more."""

    memory_mib: int = Field(128, ge=64)
    cpus: int = Field(1, ge=1)


class CacheSection(_Section):
    """``[cache]``: what may stay on the host."""

    limit_mib: int = Field(2048, ge=0)


class Settings(_Section):
    """All of harness.toml."""

    run: RunSection = RunSection()
    guest: GuestSection = GuestSection()
    cache: CacheSection = CacheSection()


def load_settings(path: Path | None, start: Path) -> Settings:
    """The settings of ``path``, else of the nearest harness.toml at or above ``start``, else none.

    Raises:
        UsageError: the file is missing or wrong; says where.
    """
    found = path or next(
        (folder / FILE for folder in (start, *start.parents) if (folder / FILE).is_file()), None
    )
    if found is None:
        return Settings()
    try:
        data = tomllib.loads(found.read_text("utf-8"))
    except OSError as error:
        raise UsageError(f"cannot read {found}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{found} is no TOML: {error}") from error
    try:
        return Settings.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        if first["type"] == "extra_forbidden":
            raise UsageError(f"{found}: unknown key {where}", _nearest(first["loc"])) from error
        raise UsageError(f"{found}: {where}: {first['msg']}") from error


def _nearest(place: tuple[Any, ...]) -> str:
    model: type[BaseModel] = Settings
    for part in place[:-1]:
        field = model.model_fields.get(str(part))
        if field is None or not isinstance(field.annotation, type):
            return ""
        model = field.annotation
    near = difflib.get_close_matches(str(place[-1]), model.model_fields, 1, 0.4)
    return f"did you mean {near[0]}?" if near else f"known: {', '.join(model.model_fields)}"
