# SPDX-License-Identifier: GPL-2.0-only
"""What a test is told before its guest is asked for anything."""

from types import SimpleNamespace
from typing import cast

import pytest

from harness.errors import HostError
from harness.guests import GuestHandle
from harness.kernels.kernel import Kernel
from harness.vm.loop import VmLoop
from harness.vm.pool import Fork


async def no_guest(boot: bool) -> Fork:
    raise AssertionError


@pytest.mark.parametrize("data", ["x", "", b"x"])
def test_input_without_busybox_says_what_is_missing(
    loop: VmLoop, monkeypatch: pytest.MonkeyPatch, data: str | bytes
) -> None:
    """A shell of the guest opens it; the program itself is there."""
    monkeypatch.setattr("harness.guests.handle.find_busybox", lambda: None)
    guest = GuestHandle(loop, cast(Kernel, SimpleNamespace(spec="debian:6.12")), no_guest)
    with pytest.raises(HostError, match="no static busybox for the guest"):
        guest.run("/run/prog", input=data)
