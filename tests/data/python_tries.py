# SPDX-License-Identifier: GPL-2.0-only
# mypy: ignore-errors
"""Python tests that tests/test_python_tries.py runs several times; some of them have to fail."""

from pathlib import Path

import pytest


@pytest.fixture
def number(request):
    """Which try of the test in this run it is, from 1."""
    name = f"tries-{request.config.getoption('--run-dir')}-{request.node.originalname}"
    file = request.config.rootpath / Path(name).name
    tries = int(file.read_text()) + 1 if file.exists() else 1
    file.write_text(str(tries))
    return tries


@pytest.fixture(scope="module")
def shared():
    return []


def test_steady(guest):
    assert guest.run("ls", "/run/kept").exit_code == 1
    guest.sh("echo kept > /run/kept", check=True)


def test_broken(guest, number, record_property):
    record_property("try", number)
    print(f"this is try {number}")
    assert number == 0


def test_flaky(guest, fork, number):
    assert guest.run("ls", "/run/kept").exit_code == 1
    guest.sh(f"echo kept > /run/kept; echo '<4>seen in try {number}' > /dev/kmsg", check=True)
    fork().sh("echo '<4>seen in the second guest' > /dev/kmsg")
    assert number > 2, f"too early: {number}"


def test_crashes_first(guest, number):
    if number == 1:
        guest.sh("echo c > /proc/sysrq-trigger")


class TestOfAClass:
    @pytest.mark.parametrize("value", [1, 2])
    def test_parametrised(self, kernel, value):
        assert value == 2


def test_known(guest, number):
    assert number == 0


def test_fixed(guest):
    pass


def test_known_with_a_broken_end(guest, request):
    request.addfinalizer(lambda: pytest.fail("at the end"))


def test_ends_by_what_is_known(guest):
    guest.sh("echo c > /proc/sysrq-trigger")
    raise AssertionError("nobody comes here")


def test_known_of_pytest(guest):
    pytest.xfail("as pytest has it")
