# SPDX-License-Identifier: GPL-2.0-only
"""kharness config: where values come from, what is wrong, the schema."""

import json
import subprocess
import sys
import tomllib
from pathlib import Path

import jsonschema
import pytest

from harness.config import Settings, load_settings, read_source
from harness.config_check import find_line
from harness.config_env import sections
from harness.config_show import schema_text, settings_of
from harness.errors import UsageError

TOML = """[run]
kernels = [
  "debian:6.12",
]
timeout_s = 7  # not much
[guest]
cpus = 2
"""


def kharness(folder: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "harness.cli", *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_the_environment_goes_before_the_file_and_that_before_the_default(tmp_path: Path) -> None:
    file = tmp_path / "harness.toml"
    file.write_text(TOML)
    environment = {"KHARNESS_RUN_TIMEOUT_S": "30", "KHARNESS_RUN_KERNELS": "recipe:procfd, ~/linux"}
    settings = load_settings(None, tmp_path, environment)
    assert settings.run.timeout_s == 30
    assert settings.run.kernels == ("recipe:procfd", "~/linux")
    assert (settings.guest.cpus, settings.guest.memory_mib) == (2, 128)
    rows = {row.name: row for row in settings_of(read_source(None, tmp_path, environment))}
    assert rows["run.timeout_s"].where == "KHARNESS_RUN_TIMEOUT_S"
    assert rows["guest.cpus"].where == f"{file}:7"
    assert (rows["run.accel"].origin, rows["run.accel"].value) == ("default", "auto")


def test_a_list_may_be_written_as_in_toml(tmp_path: Path) -> None:
    environment = {"KHARNESS_RUN_CASES": '["a,b", "c"]'}
    assert load_settings(None, tmp_path, environment).run.cases == ("a,b", "c")


def test_variables_that_are_no_settings_are_let_alone(tmp_path: Path) -> None:
    environment = {"KHARNESS_CACHE": "/x", "KHARNESS_QEMU": "/q", "KHARNESS_FOO_BAR": "1"}
    assert load_settings(None, tmp_path, environment) == Settings()


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("KHARNESS_RUN_TIMEOUT", "3", "did you mean KHARNESS_RUN_TIMEOUT_S?"),
        ("KHARNESS_GUEST_CPUS", "two", "KHARNESS_GUEST_CPUS: guest.cpus: Input should be a valid"),
        ("KHARNESS_RUN_ISOLATE", "none", "KHARNESS_RUN_ISOLATE: run.isolate: Input should be"),
        ("KHARNESS_REPORT_FORMATS", "tab", "did you mean tap?"),
    ],
)
def test_a_wrong_variable_is_named(tmp_path: Path, name: str, value: str, says: str) -> None:
    with pytest.raises(UsageError) as caught:
        load_settings(None, tmp_path, {name: value})
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("place", "line"),
    [
        (("run",), 1),
        (("run", "kernels"), 2),
        (("run", "kernels", 0), 2),
        (("run", "timeout_s"), 5),
        (("guest", "cpus"), 7),
        (("nix",), 0),
    ],
)
def test_lines_are_found(place: tuple[str | int, ...], line: int) -> None:
    assert find_line(TOML, place) == line


def test_lines_of_lists_of_tables_are_found() -> None:
    text = '[[expect]]\ncase = "a"\n[[ expect ]] # two\ncase = "b"\n[a."b"]\nc.d = 1\n'
    assert find_line(text, ("expect", 0, "case")) == 2
    assert find_line(text, ("expect", 1, "case")) == 4
    assert find_line(text, ("a", "b", "c", "d")) == 6


def test_check_says_everything_that_is_wrong_in_the_order_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "harness.toml").write_text(
        '[run]\nkernals = ["x"]\ntimeout_s = -1\n[report]\nformats = ["markdwon"]\n[rum]\n'
    )
    done = kharness(tmp_path, "config", "check", "harness.toml")
    assert done.returncode == 4
    assert done.stdout.splitlines() == [
        "harness.toml:2: unknown key run.kernals: did you mean kernels?",
        "harness.toml:3: run.timeout_s: Input should be greater than 0",
        "harness.toml:5: report.formats: markdwon: no format is called 'markdwon':"
        " did you mean markdown?",
        "harness.toml:6: unknown key rum: did you mean run?",
    ]


def test_check_names_the_line_of_what_is_no_toml(tmp_path: Path) -> None:
    (tmp_path / "harness.toml").write_text("[run]\nx = = 1\n")
    done = kharness(tmp_path, "config", "check")
    assert done.returncode == 4
    assert "harness.toml:2: is no TOML" in done.stdout


def test_check_of_what_is_right(tmp_path: Path) -> None:
    (tmp_path / "harness.toml").write_text(TOML)
    done = kharness(tmp_path, "config", "check")
    assert (done.returncode, done.stdout.strip()[-8:]) == (0, "no error")


def test_show_prints_toml_and_json(tmp_path: Path) -> None:
    (tmp_path / "harness.toml").write_text(TOML)
    done = kharness(tmp_path, "config", "show")
    assert done.returncode == 0, done.stderr
    # The lines are TOML: dotted keys and comments.
    assert tomllib.loads(done.stdout)["run"]["timeout_s"] == 7
    rows = json.loads(kharness(tmp_path, "config", "show", "--json").stdout)
    assert {row["name"]: row["value"] for row in rows}["guest.cpus"] == 2
    assert all(row["description"] for row in rows)


def test_the_schema_in_docs_is_current() -> None:
    assert Path("docs/harness.schema.json").read_text() == schema_text(), (
        "kharness config schema > docs/harness.schema.json"
    )


def test_the_schema_takes_our_file_and_refuses_others() -> None:
    schema = json.loads(schema_text())
    check = jsonschema.validators.validator_for(schema)
    check.check_schema(schema)
    ours = tomllib.loads(Path("harness.toml").read_text())
    assert check(schema).is_valid(ours)
    assert check(schema).is_valid(tomllib.loads(TOML))
    refused: list[dict[str, object]] = [
        {"rum": {}},
        {"run": {"kernel": "x"}},
        {"run": {"cases": 0}},
    ]
    for wrong in refused:
        assert not check(schema).is_valid(wrong)


def test_every_setting_has_a_description() -> None:
    for model in sections(Settings).values():
        assert not [name for name, field in model.model_fields.items() if not field.description]


def test_our_file_points_to_the_schema() -> None:
    first = Path("harness.toml").read_text().splitlines()[0]
    assert first == "#:schema ./docs/harness.schema.json"
