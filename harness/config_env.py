# SPDX-License-Identifier: GPL-2.0-only
"""Settings from the environment: ``KHARNESS_<SECTION>_<KEY>``, ``KHARNESS_RUN_TIMEOUT_S=30``.

``KHARNESS_CACHE`` and ``KHARNESS_QEMU`` name a folder and a program, and are no settings.
"""

import difflib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, get_origin

from pydantic import BaseModel

from harness.config_check import Problem

PREFIX = "KHARNESS_"


@dataclass(frozen=True)
class Override:
    """A setting that a variable has.

    Attributes:
        name: of the variable.
        section: ``run``.
        key: ``timeout_s``.
        value: as it would stand in harness.toml, or a string that becomes it.
    """

    name: str
    section: str
    key: str
    value: Any


def variable(section: str, key: str) -> str:
    """The variable of a setting."""
    return f"{PREFIX}{section}_{key}".upper()


def overrides(
    environment: Mapping[str, str], model: type[BaseModel]
) -> tuple[tuple[Override, ...], list[Problem]]:
    """Settings in the environment, and what is wrong with the names of some.

    Args:
        environment: variables by name.
        model: of all settings; its fields that are models are the sections.

    Returns:
        the settings in the model's order, and a problem for each variable of a section that has no
        such key.
    """
    found: list[Override] = []
    wrong: list[Problem] = []
    for section, sub in sections(model).items():
        known = {variable(section, key): key for key in sub.model_fields}
        for name in sorted(n for n in environment if n.startswith(variable(section, ""))):
            if name in known:
                key = known[name]
                value = _value(environment[name], sub.model_fields[key].annotation)
                found.append(Override(name, section, key, value))
            else:
                near = difflib.get_close_matches(name, known, 1, 0.6)
                hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(known)}"
                wrong.append(Problem(name, f"no setting is called [{section}] so", hint))
    return tuple(found), wrong


def sections(model: type[BaseModel]) -> dict[str, type[BaseModel]]:
    """The tables of the settings, by name."""
    return {
        name: field.annotation
        for name, field in model.model_fields.items()
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)
    }


def _value(text: str, annotation: Any) -> Any:
    """A list is written as in TOML, or with commas; of everything else pydantic reads the text."""
    if get_origin(annotation) not in (tuple, list):
        return text
    if text.lstrip().startswith("["):
        try:
            return tomllib.loads(f"value = {text}")["value"]
        except tomllib.TOMLDecodeError:
            return text
    return [part.strip() for part in text.split(",") if part.strip()]
