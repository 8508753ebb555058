# SPDX-License-Identifier: GPL-2.0-only
"""What is no number, and names that are longer than any file's: one line, exit 4."""

from pathlib import Path

import click
import pytest

from harness.cli import main
from harness.config import load_settings
from harness.errors import ExitCode, UsageError
from tests.judging import run_pytest

LONG = "x" * 300


@pytest.mark.parametrize("option", ["--timeout", "--settle", "--timeout-factor"])
@pytest.mark.parametrize("value", ["nan", "inf"])
def test_no_limit_is_nan_or_inf(option: str, value: str) -> None:
    with pytest.raises(click.BadParameter) as caught:
        main.main(["run", option, value, "no/such/path"], standalone_mode=False)
    assert option in str(caught.value.format_message())
    assert "\n" not in caught.value.format_message()


@pytest.mark.parametrize("option", ["--case-timeout", "--settle", "--timeout-factor"])
def test_no_limit_of_plain_pytest_is_nan(option: str, tmp_path: Path) -> None:
    done = run_pytest(tmp_path, f"{option}=nan")
    assert done.returncode == ExitCode.USAGE
    assert f"argument {option}: invalid" in done.stderr


@pytest.mark.parametrize("key", ["timeout_s", "boot_timeout_s", "timeout_factor", "settle_s"])
@pytest.mark.parametrize("value", ["nan", "inf"])
def test_no_limit_of_a_file_is_nan_or_inf(key: str, value: str, tmp_path: Path) -> None:
    (tmp_path / "harness.toml").write_text(f"[run]\n{key} = {value}\n")
    with pytest.raises(UsageError, match=f"run.{key}"):
        load_settings(None, tmp_path)


@pytest.mark.parametrize(
    "words",
    [
        ("resume", LONG),
        ("report", LONG),
        ("compare", LONG, LONG),
        ("parse", LONG),
        ("html", LONG),
        ("cases", LONG),
        ("kernels", "fetch", LONG),
        ("shell", "--kernel", LONG),
        ("serve", LONG),
    ],
    ids=lambda words: words[0],
)
def test_a_name_that_is_too_long_is_one_line(
    words: tuple[str, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as caught:
        main.main(list(words), standalone_mode=False)
    assert caught.value.code == ExitCode.USAGE
    (line,) = capsys.readouterr().err.splitlines()
    assert "File name too long" in line
