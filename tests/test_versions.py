# SPDX-License-Identifier: GPL-2.0-only
import pytest

from harness.versions import KernelRange, parse_release


@pytest.mark.parametrize(
    ("text", "version", "within"),
    [
        (">=6.1,<6.12", (6, 1, 0), True),
        (">=6.1,<6.12", (6, 11, 9), True),
        (">=6.1,<6.12", (6, 12, 0), False),
        (">=6.1,<6.12", (6, 0, 19), False),
        ("6.12", (6, 12, 117), True),
        ("6.12.*", (6, 12, 117), True),
        ("==6.12.117", (6, 12, 117), True),
        ("6.12.116", (6, 12, 117), False),
        ("!=6.12", (6, 12, 117), False),
        ("<=6.12", (6, 12, 117), True),
        (">6.12", (6, 12, 117), False),
        (">6.12.3", (6, 12, 117), True),
        (">=6.12.3", (6, 12), False),
        ("", (4, 4), True),
        ("*", (4, 4), True),
        (" >= 6.1 , < 6.12 ", (6, 6), True),
    ],
)
def test_a_range_of_versions(text: str, version: tuple[int, ...], within: bool) -> None:
    assert (version in KernelRange.parse(text)) is within


@pytest.mark.parametrize("text", ["x", ">=", ">=6.1,", "6.1 6.2", "~6.1", "6.1.2.3.4"])
def test_what_is_no_range_is_told(text: str) -> None:
    with pytest.raises(ValueError, match="no range of kernel versions"):
        KernelRange.parse(text)


def test_releases() -> None:
    assert parse_release("6.12.117+deb12-cloud-amd64") == (6, 12, 117)
    assert parse_release("6.13-rc1") == (6, 13)
    with pytest.raises(ValueError, match="no release"):
        parse_release("linux")
