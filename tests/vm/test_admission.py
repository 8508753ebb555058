# SPDX-License-Identifier: GPL-2.0-only
"""Memory is admitted: by the books that all processes share."""

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from harness.errors import HostError
from harness.locks import Lock
from harness.vm.admission import OVERHEAD_MIB, Admission

GUEST = 128
NEED = GUEST + OVERHEAD_MIB


def test_no_more_than_fit_are_admitted(tmp_path: Path) -> None:
    admission = Admission(tmp_path, lambda: 3 * NEED + 100, reserve_mib=50)
    tickets = [admission.try_admit(GUEST) for _ in range(5)]
    assert [ticket is not None for ticket in tickets] == [True, True, True, False, False]


def test_one_that_ends_makes_room(tmp_path: Path) -> None:
    admission = Admission(tmp_path, lambda: NEED, reserve_mib=0)
    said: list[str] = []

    async def second() -> None:
        first = await admission.admit(GUEST, said.append)
        waiting = asyncio.ensure_future(admission.admit(GUEST, said.append))
        await asyncio.sleep(0.2)
        assert not waiting.done()
        first.release()
        (await waiting).release()

    asyncio.run(second())
    assert "waiting for one of 1 guests to end" in said[0]
    assert list(tmp_path.glob("*.guest")) == []


def test_another_process_counts_and_a_dead_one_does_not(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from harness.vm.admission import Admission\n"
        f"t = Admission(Path(sys.argv[1]), lambda: 10000).try_admit({GUEST})\n"
        "print('has it', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, tmp_path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "has it\n"
        admission = Admission(tmp_path, lambda: NEED, reserve_mib=0)
        assert admission.try_admit(GUEST) is None
        other.kill()
        other.wait()
        assert admission.try_admit(GUEST) is not None


def test_what_a_guest_has_taken_is_not_counted_twice(tmp_path: Path) -> None:
    free = 2 * NEED
    admission = Admission(tmp_path, lambda: free, reserve_mib=0)
    first = admission.try_admit(GUEST)
    assert first is not None
    hog = subprocess.Popen(
        [sys.executable, "-c", f"b = b'x' * ({NEED} << 20); print(1, flush=True); input()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert hog.stdout is not None
    hog.stdout.readline()
    first.guest(hog.pid)
    free = NEED  # what the guest took is gone from what can be had
    assert admission.try_admit(GUEST) is not None
    hog.communicate(b"\n")


def test_where_memory_is_plenty_other_tickets_are_not_opened(tmp_path: Path) -> None:
    """With hundreds of guests that would be all that the loop does."""
    others = Admission(tmp_path, lambda: 1_000_000)
    tickets = [others.try_admit(GUEST) for _ in range(50)]
    admission = Admission(tmp_path, lambda: 1_000_000)
    admission.try_admit(GUEST)  # the first looks for what dead processes left
    opened: list[str] = []
    watches = True

    def watch(event: str, arguments: tuple[object, ...]) -> None:
        if watches and event == "open":
            opened.append(str(arguments[0]))

    sys.addaudithook(watch)  # and there it stays
    assert admission.try_admit(GUEST) is not None
    watches = False
    assert len([path for path in opened if path.endswith(".guest")]) == 1
    assert all(tickets)


def test_tickets_of_an_older_kharness_count(tmp_path: Path) -> None:
    with Lock(tmp_path / "1-7f00-1.guest", shared=False):
        (tmp_path / "1-7f00-1.guest").write_text(f"{NEED} 0\n")
        admission = Admission(tmp_path, lambda: 2 * NEED, reserve_mib=0)
        tickets = [admission.try_admit(GUEST) for _ in range(2)]
    assert [ticket is not None for ticket in tickets] == [True, False]


def test_what_can_never_fit_is_an_error(tmp_path: Path) -> None:
    admission = Admission(tmp_path, lambda: NEED - 1)
    with pytest.raises(HostError, match="no memory for a guest of 128 MiB: 191 MiB can be had"):
        asyncio.run(admission.admit(GUEST, print))


def test_what_is_idle_is_given_up_before_anybody_waits(tmp_path: Path) -> None:
    admission = Admission(tmp_path, lambda: NEED, reserve_mib=0)
    idle = [admission.try_admit(GUEST)]

    async def give_up() -> bool:
        ticket = idle.pop() if idle else None
        if ticket:
            ticket.release()
        return ticket is not None

    admission.when_short(give_up)
    said: list[str] = []
    asyncio.run(asyncio.wait_for(admission.admit(GUEST, said.append), 10)).release()
    assert (idle, said) == ([], [])


def test_nothing_is_made_ahead_while_somebody_waits(tmp_path: Path) -> None:
    admission = Admission(tmp_path, lambda: 3 * NEED, reserve_mib=0)

    async def wait() -> None:
        first = await admission.admit(GUEST, print)
        large = asyncio.ensure_future(admission.admit(GUEST + 2 * NEED - 1, print))
        await asyncio.sleep(0.1)
        assert admission.try_admit(GUEST) is None
        first.release()
        (await large).release()

    asyncio.run(asyncio.wait_for(wait(), 10))


def test_a_test_with_guests_does_not_stand_behind_who_waits_for_them(tmp_path: Path) -> None:
    admission = Admission(tmp_path, lambda: 2 * NEED, reserve_mib=0)

    async def two_and_a_large_one() -> None:
        first = await admission.admit(GUEST, print, kept=True)
        large = asyncio.ensure_future(admission.admit(GUEST + NEED, print))
        await asyncio.sleep(0.1)
        second = await admission.admit(GUEST, print, kept=True)
        with pytest.raises(HostError, match="beside the 2 that the test has"):
            await admission.admit(GUEST, print, kept=True)
        assert not large.done()
        first.release()
        second.release()
        (await large).release()

    asyncio.run(asyncio.wait_for(two_and_a_large_one(), 10))
