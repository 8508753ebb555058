# SPDX-License-Identifier: GPL-2.0-only
import os
from collections.abc import Iterator

import pytest

from harness.host import Qemu
from harness.vm.console import Console
from harness.vm.loop import VmLoop
from harness.vm.machine import Machine
from harness.vm.qemu import Launch


class Fleeting(dict[str, str]):
    """An environment with a variable that is gone when it is looked at."""

    def __iter__(self) -> Iterator[str]:
        yield "GONE_BY_NOW"
        yield from super().__iter__()

    def keys(self) -> list[str]:  # type: ignore[override]
        return list(self)


@pytest.mark.guest
def test_a_variable_that_goes_away_keeps_no_guest_from_starting(
    loop: VmLoop, qemu: Qemu, launch: Launch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """pytest takes one away in the main thread while guests are started in another."""
    monkeypatch.setattr("harness.vm.machine.os.environ", Fleeting(os.environ))
    machine = loop.run(Machine.start(qemu.path, launch, Console(None)))
    try:
        assert machine.returncode is None
    finally:
        loop.run(machine.close())
