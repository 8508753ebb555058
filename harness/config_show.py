# SPDX-License-Identifier: GPL-2.0-only
"""Every setting with its value and where it came from; the JSON Schema of harness.toml."""

import json
from dataclasses import dataclass
from typing import Any

from harness.config import Settings, Source
from harness.config_check import find_line, model_in
from harness.config_env import sections

SCHEMA = "http://json-schema.org/draft-07/schema#"
"""What editors know; nothing newer is needed."""


@dataclass(frozen=True)
class Setting:
    """A setting.

    Attributes:
        name: ``run.timeout_s``.
        value: plain data.
        origin: ``default``, ``file`` or ``environment``.
        where: ``harness.toml:12``, a variable's name, or empty.
        description: one line.
    """

    name: str
    value: Any
    origin: str
    where: str
    description: str


def settings_of(source: Source) -> list[Setting]:
    """All settings, in the model's order; ``source`` has no problem."""
    settings = Settings.model_validate(source.merged())
    plain = settings.model_dump(mode="json")
    rows = []
    tables = sections(Settings)
    for name, field in Settings.model_fields.items():
        if name not in tables:
            inner = model_in(field.annotation)
            about = field.description or (inner.__doc__ if inner else "")
            rows.append(_setting(source, (name,), plain[name], about))
            continue
        for key, sub in tables[name].model_fields.items():
            rows.append(_setting(source, (name, key), plain[name][key], sub.description))
    return rows


def _setting(
    source: Source, place: tuple[str, ...], value: Any, description: str | None
) -> Setting:
    name = ".".join(place)
    about = " ".join((description or "").split())
    for one in source.overrides:
        if (one.section, one.key) == place:
            return Setting(name, value, "environment", one.name, about)
    data: Any = source.data
    for part in place:
        if not isinstance(data, dict) or part not in data:
            return Setting(name, value, "default", "", about)
        data = data[part]
    line = find_line(source.text, place) or find_line(source.text, (*place, 0))
    where = f"{source.file}:{line}" if line else str(source.file)
    return Setting(name, value, "file", where, about)


def schema_text() -> str:
    """The JSON Schema of harness.toml, as it lies in docs/harness.schema.json."""
    schema = {
        "$schema": SCHEMA,
        "$comment": "SPDX-License-Identifier: GPL-2.0-only; made by `kharness config schema`",
        **_tidy(Settings.model_json_schema()),
        "title": "harness.toml",
    }
    return json.dumps(schema, indent=2) + "\n"


def _tidy(node: Any) -> Any:
    """Leaves out the titles that are names again, and the line breaks of descriptions."""
    if isinstance(node, list):
        return [_tidy(part) for part in node]
    if not isinstance(node, dict):
        return node
    kept = {k: v for k, v in node.items() if not (k == "title" and isinstance(v, str))}
    if isinstance(kept.get("description"), str):
        kept["description"] = " ".join(kept["description"].split()).replace("``", "`")
    return {key: _tidy(value) for key, value in kept.items()}
