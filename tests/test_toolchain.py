# SPDX-License-Identifier: GPL-2.0-only
"""Which compiler is taken, and that it is the one that was asked for."""

import subprocess
from pathlib import Path

import pytest

from harness.errors import HostError
from harness.toolchain import compile_program, find_compiler


@pytest.mark.parametrize(
    ("words", "value"), [("env LANG=C gcc", 1), ("gcc -DVALUE=2", 2), ("gcc '-DVALUE=1 + 2'", 3)]
)
def test_a_compiler_may_have_words_before_and_behind_it(
    words: str, value: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "value.c"
    source.write_text("#ifndef VALUE\n#define VALUE 1\n#endif\nint main(void) { return VALUE; }\n")
    monkeypatch.setenv("CC", words)
    program = compile_program(source)
    assert subprocess.run([program], check=False).returncode == value
    # Another compiler is another program.
    monkeypatch.setenv("CC", "gcc -DVALUE=7")
    assert subprocess.run([compile_program(source)], check=False).returncode == 7
    assert subprocess.run([program], check=False).returncode == value


@pytest.mark.parametrize(
    ("words", "says"),
    [("gcc-99 -O2", "CC=gcc-99 -O2: there is no gcc-99"), ("gcc 'x", "No closing quotation")],
)
def test_a_compiler_that_is_not_there_is_not_taken_for_another(
    words: str, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CC", words)
    with pytest.raises(HostError, match=says):
        find_compiler()
