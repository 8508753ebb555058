# SPDX-License-Identifier: GPL-2.0-only
"""Fragments: an option that did not take effect is an error that says why."""

from pathlib import Path

import pytest

from harness.errors import KernelError, UsageError
from harness.kernels.configure import check_config, fragment_text, read_fragments
from harness.kernels.kconfig import parse_kconfig


def fragment(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "x.config"
    file.write_text(text)
    return file


def test_of_two_that_speak_of_one_option_the_later_counts(tmp_path: Path) -> None:
    first = fragment(tmp_path, "CONFIG_A=y\nCONFIG_B=5\n# a comment\n\n")
    second = tmp_path / "y.config"
    second.write_text('# CONFIG_A is not set\nCONFIG_S="text"\n')
    asked = read_fragments([first, second])
    assert fragment_text(asked) == '# CONFIG_A is not set\nCONFIG_B=5\nCONFIG_S="text"\n'


def test_what_is_no_option_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"x\.config:2: 'CONFIGA' is no option"):
        read_fragments([fragment(tmp_path, "CONFIG_A=y\nCONFIGA\n")])


def test_what_took_effect_passes(tmp_path: Path, tree: Path) -> None:
    asked = read_fragments(
        [fragment(tmp_path, 'CONFIG_A=y\n# CONFIG_B is not set\nCONFIG_S="t"\nCONFIG_E=""\n')]
    )
    check_config(asked, parse_kconfig('CONFIG_A=y\nCONFIG_S="t"\nCONFIG_E=""\n'), tree)


def said(tmp_path: Path, tree: Path, asked: str, got: str) -> str:
    with pytest.raises(KernelError) as caught:
        check_config(read_fragments([fragment(tmp_path, asked)]), parse_kconfig(got), tree)
    return caught.value.what


def test_what_it_depends_on_is_named(tmp_path: Path, tree: Path) -> None:
    words = said(tmp_path, tree, "CONFIG_LOCKED=y\n", "CONFIG_NET=y\nCONFIG_B=y\n")
    assert "x.config:1: CONFIG_LOCKED=y did not take effect, it is n" in words
    assert "it depends on NET && (PROC_FS && (A || B)); not set: PROC_FS, A" in words
    assert "Kconfig:4" in words


def test_the_block_around_it_counts(tmp_path: Path, tree: Path) -> None:
    words = said(tmp_path, tree, "CONFIG_MISSING=y\n", "CONFIG_NET=y\n")
    assert "it depends on EXPERT; not set: EXPERT" in words


@pytest.mark.parametrize(
    ("asked", "got", "why"),
    [
        ("CONFIG_NOWHERE=y\n", "CONFIG_X=y\n", "this kernel has no such option"),
        ("# CONFIG_LOCKED is not set\n", "CONFIG_LOCKED=y\n", "another option selects it"),
        ("CONFIG_HIDDEN=y\n", "CONFIG_NET=y\n", "it cannot be set by hand"),
        ("CONFIG_LOCKED=y\n", "CONFIG_LOCKED=m\n", "it is m"),
    ],
)
def test_reasons(tmp_path: Path, tree: Path, asked: str, got: str, why: str) -> None:
    assert why in said(tmp_path, tree, asked, got)
