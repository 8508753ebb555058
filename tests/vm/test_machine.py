# SPDX-License-Identifier: GPL-2.0-only
import asyncio
import os
from collections.abc import Iterator

import pytest

from harness.errors import GuestError
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


@pytest.mark.guest
def test_a_descriptor_for_a_qemu_that_is_gone_is_the_guest_s_end(
    loop: VmLoop, qemu: Qemu, launch: Launch
) -> None:
    """Whoever is killed just then is lost like any other; it is no defect of the harness."""

    async def lose() -> None:
        machine = await Machine.start(qemu.path, launch, Console(None))
        try:
            machine.kill()
            await machine.gone.wait()
            for _ in range(100):  # the connection ends a little later
                with pytest.raises(GuestError, match=r"QEMU is gone \(killed by SIGKILL\)"):
                    await machine.hand_over("state", 2)
                await asyncio.sleep(0)
        finally:
            await machine.close()

    loop.run(lose())
