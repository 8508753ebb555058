# SPDX-License-Identifier: GPL-2.0-only
"""What is wrong with settings, each in one line: where, what, and what was meant.

tomllib does not tell where a key stands, so its line is looked for.
"""

import difflib
import re
import typing
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ValidationError

if TYPE_CHECKING:
    from harness.config_env import Override

WORDS = {
    "tuple_type": 'a list is wanted, such as ["one", "another"]',
    "string_type": 'a string is wanted, in quotes: "..."',
    "model_type": "a table is wanted",
    "model_attributes_type": "a table is wanted",
}
"""What pydantic calls by Python's names, in TOML's."""
Place = tuple[str | int, ...]

HEADER = re.compile(r"\s*(\[\[?)\s*([^\[\]]+?)\s*\]\]?\s*(?:#.*)?$")
KEY = re.compile(r"\s*([A-Za-z0-9_.\"' -]+?)\s*=")


@dataclass(frozen=True)
class Problem:
    """Something that is wrong.

    Attributes:
        where: ``harness.toml:12``, or the name of a variable.
        what: one line.
        hint: what to do; may be empty.
    """

    where: str
    what: str
    hint: str = ""

    def __str__(self) -> str:
        return f"{self.where}: {self.what}" + (f": {self.hint}" if self.hint else "")


def toml_problem(file: str, error: Exception) -> Problem:
    """The problem of a file that is no TOML."""
    line = re.search(r"at line (\d+)", str(error))
    return Problem(f"{file}:{line[1]}" if line else file, f"is no TOML: {error}")


def problems_of(
    error: ValidationError,
    model: type[BaseModel],
    file: str,
    text: str,
    overrides: Sequence["Override"],
) -> list[Problem]:
    """Everything that pydantic found wrong, in the order of the file.

    Args:
        error: what it raised.
        model: of all settings.
        file: what to call the file.
        text: what is in it.
        overrides: settings from the environment, which are not in the file.
    """
    names = {(one.section, one.key): one.name for one in overrides}
    problems: list[tuple[int, Problem]] = []
    for one in error.errors():
        place = one["loc"]
        name = names.get((str(place[0]), str(place[1]))) if len(place) > 1 else None
        line = find_line(text, place)
        where = name or (f"{file}:{line}" if line else file)
        words = ".".join(str(part) for part in place)
        if one["type"] == "extra_forbidden":
            problem = Problem(where, f"unknown key {words}", nearest(model, place))
        else:
            message = WORDS.get(one["type"], one["msg"].removeprefix("Value error, "))
            problem = Problem(where, f"{words}: {message}")
        problems.append((line, problem))
    return [problem for _, problem in sorted(problems, key=lambda pair: pair[0])]


def nearest(model: type[BaseModel], place: Place) -> str:
    """The known key that is most like the last part of ``place``, else all that are known."""
    for part in place[:-1]:
        if isinstance(part, int):
            continue
        field = model.model_fields.get(part)
        found = model_in(field.annotation) if field else None
        if found is None:
            return ""
        model = found
    near = difflib.get_close_matches(str(place[-1]), model.model_fields, 1, 0.4)
    return f"did you mean {near[0]}?" if near else f"known: {', '.join(model.model_fields)}"


def model_in(annotation: Any) -> type[BaseModel] | None:
    """The model that a field holds, itself or in a tuple, list or union."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for part in typing.get_args(annotation):
        if (found := model_in(part)) is not None:
            return found
    return None


def find_line(text: str, place: Place) -> int:
    """The line of a file of TOML, from 1, on which a key stands; 0 when it is not found.

    Args:
        text: of the file.
        place: ``("run", "timeout_s")``, ``("expect", 1, "case")``; of a place inside of a value,
            the line on which the value's key stands.
    """
    best, line_of_best = 0, 0
    table: Place = ()
    seen: dict[str, int] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if header := HEADER.match(line):
            table = _parts(header[2])
            if header[1] == "[[":
                name = ".".join(map(str, table))
                seen[name] = seen.get(name, -1) + 1
                table = (*table, seen[name])
            known: Place = table
        elif key := KEY.match(line):
            known = (*table, *_parts(key[1]))
        else:
            continue
        if len(known) > best and known == place[: len(known)]:
            best, line_of_best = len(known), number
    return line_of_best


def _parts(name: str) -> Place:
    return tuple(part.strip().strip("\"'") for part in name.split("."))
