# SPDX-License-Identifier: GPL-2.0-only
"""The pipelines of docs/ci: right by their schemas, and their shell lines run."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from groovy_parser.parser import parse_groovy_content
from lark import UnexpectedInput
from ruamel.yaml import YAML

from harness.report.formats import FORMATS

pytestmark = pytest.mark.long

CI = Path("docs/ci").absolute()
ROOT = Path.cwd()


def load(name: str) -> Any:
    return YAML(typ="safe").load((CI / name).read_text())


@pytest.mark.parametrize(
    ("schema", "name"),
    [("vendor.github-workflows", "github-actions.yml"), ("vendor.gitlab-ci", "gitlab-ci.yml")],
)
def test_yaml_fits_the_schema(schema: str, name: str, tmp_path: Path) -> None:
    def check(file: Path) -> int:
        command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema]
        if "gitlab" in schema:
            command += ["--data-transform", "gitlab-ci"]
        return subprocess.run([*command, str(file)], capture_output=True, check=False).returncode

    assert check(CI / name) == 0
    broken = tmp_path / name
    text = (CI / name).read_text()
    broken.write_text(text.replace("timeout-minutes", "timeout-minuets").replace("1h\n", "[1]\n"))
    assert check(broken) != 0


def test_the_jenkinsfile_is_groovy() -> None:
    text = (CI / "Jenkinsfile").read_text()
    parse_groovy_content(text)
    with pytest.raises(UnexpectedInput):
        parse_groovy_content(text.replace("stages {", "stages {{"))


def github_lines() -> list[str]:
    return [
        step["run"]
        for step in load("github-actions.yml")["jobs"]["cases"]["steps"]
        if "run" in step
    ]


def gitlab_lines() -> list[str]:
    job = load("gitlab-ci.yml")["kharness"]
    return [*job["before_script"], *job["script"], *job["after_script"]]


def jenkins_lines() -> list[str]:
    text = (CI / "Jenkinsfile").read_text()
    return [found[1] for found in re.finditer(r"(?:sh|script:) '([^']*)'", text)]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout whose set-up does nothing: kharness is that of the tests."""
    folder = tmp_path / "checkout"
    (folder / "scripts").mkdir(parents=True)
    (folder / "scripts" / "setup").write_text("#!/bin/sh\n")
    (folder / "scripts" / "setup").chmod(0o755)
    (folder / ".venv" / "bin").mkdir(parents=True)
    command = folder / ".venv" / "bin" / "kharness"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m harness.cli "$@"\n')
    command.chmod(0o755)
    (folder / "cases").symlink_to(ROOT / "cases")
    (folder / "harness.toml").write_text(
        '[run]\nkernels = ["debian:6.12"]\ncases = ["cases/pidfd/open.c::rejects_pid_zero"]\n'
    )
    return folder


def run_lines(checkout: Path, lines: list[str], **variables: str) -> str:
    """Runs a job's lines as its runner does: bash, stops at the first that fails."""
    system = {k: v for k, v in os.environ.items() if not k.startswith(("GITHUB_", "CI", "GITLAB"))}
    environment = {**system, "PYTHONPATH": str(ROOT), **variables}
    said = []
    for line in lines:
        # Templates that other tests use stay.
        shown = line.replace("cache prune --limit-mib 0", "cache list")
        done = subprocess.run(
            ["bash", "-e", "-o", "pipefail", "-c", shown],
            cwd=checkout,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{shown}\n{done.stdout}\n{done.stderr}"
        said.append(done.stdout)
    return "".join(said)


@pytest.mark.guest
def test_the_lines_for_github_run(checkout: Path) -> None:
    output, summary = checkout / "output", checkout / "summary"
    said = run_lines(
        checkout,
        github_lines(),
        GITHUB_ACTIONS="true",
        GITHUB_OUTPUT=str(output),
        GITHUB_STEP_SUMMARY=str(summary),
    )
    assert re.fullmatch(r"name=\d{4}-\d{2}\n", output.read_text())
    assert "::notice title=kharness::PASS: 1 pass" in said
    assert "PASS: 1 pass" in summary.read_text()
    assert (checkout / "run" / "junit.xml").is_file()


@pytest.mark.guest
def test_the_lines_for_gitlab_run_and_the_reports_are_there(checkout: Path) -> None:
    # The doctor was there in GitHub's.
    lines = [line for line in gitlab_lines() if "doctor" not in line]
    run_lines(checkout, lines, GITLAB_CI="true")
    for path in load("gitlab-ci.yml")["kharness"]["artifacts"]["reports"].values():
        assert list(checkout.glob(path))
    assert (
        FORMATS["gitlab"].file
        in load("gitlab-ci.yml")["kharness"]["artifacts"]["reports"]["codequality"]
    )


def test_gitlab_gets_its_flavour_and_every_part_of_it() -> None:
    (line,) = [line for line in gitlab_lines() if " run " in line]
    assert "--junit-flavour gitlab" in line
    pattern = load("gitlab-ci.yml")["kharness"]["artifacts"]["reports"]["junit"]
    for part in ("run/junit.xml", "run/junit-2.xml"):
        assert Path(part).match(pattern)
    assert pattern.removeprefix("run/") in Path("docs/reports.md").read_text()


@pytest.mark.guest
def test_the_lines_for_jenkins_run(checkout: Path) -> None:
    assert len(jenkins_lines()) == 4
    run_lines(checkout, [line for line in jenkins_lines() if "doctor" not in line])
    assert (checkout / "run" / "junit.xml").is_file()
    assert (checkout / "run" / "summary.md").is_file()


def makefiles() -> list[str]:
    text = (CI / "kernel-makefile.md").read_text()
    return re.findall(r"```make\n(.*?)```", text, re.DOTALL)


@pytest.mark.parametrize(
    ("number", "name", "place"),
    [(0, "GNUmakefile", "."), (1, "Makefile", "tools/testing/selftests")],
)
def test_lines_for_a_kernel_tree_call_kharness_with_the_tree(
    tmp_path: Path, number: int, name: str, place: str
) -> None:
    tree = tmp_path / "linux"
    (tree / place).mkdir(parents=True)
    (tree / "Makefile").write_text("all:\n\t@echo the kernel\n")
    (tree / place / name).write_text(makefiles()[number])
    command = ["make", "-n", "-C", str(tree / place), "kharness", "ARGS=-k x"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    (line,) = [line for line in done.stdout.splitlines() if " run " in line]
    words = shlex.split(line.split("&& ")[-1])
    assert words[1:5] == ["run", "--build", "--kernel", str(tree)]
    assert "-k" in words
    if place == ".":
        plain = ["make", "-s", "-C", str(tree)]
        assert (
            subprocess.run(plain, capture_output=True, text=True, check=True).stdout
            == "the kernel\n"
        )


def test_every_format_is_in_the_docs() -> None:
    text = Path("docs/formats.md").read_text()
    for row in FORMATS.values():
        assert f"| `{row.name}` |" in text
        assert not row.file or f"`{row.file}`" in text
