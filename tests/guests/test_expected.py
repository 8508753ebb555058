# SPDX-License-Identifier: GPL-2.0-only
"""Which reports are expected, in consoles that are longer than what is kept of them."""

import asyncio
import re
import time
from types import SimpleNamespace
from typing import Any, cast

import pytest

from harness.guests.session import GuestSession
from harness.guests.transcript import LineSearch, Mark, Transcript
from harness.kernels.kernel import Kernel
from harness.vm.console import Console
from harness.vm.pool import Fork

KERNEL = cast(Kernel, SimpleNamespace(release="6.12.0"))


async def no_guest(boot: bool) -> Fork:
    raise AssertionError


def session(limit: int) -> GuestSession:
    made = GuestSession(no_guest, KERNEL)
    made.transcript = Transcript(limit)
    return made


def chatter(size: int) -> bytes:
    line = b"[   10.000000] usb 1-1: new device\r\n"
    return line * (size // len(line))


def report(number: int, second: int = 100) -> bytes:
    stamp = f"[  {second}.000000] "
    lines = (
        f"WARNING: CPU: 0 PID: 1 at fs/x{number}.c:{number} x{number}+0x1/0x2",
        "Call Trace:",
        " <TASK>",
        f" x{number}+0x1/0x2",
        " </TASK>",
        "---[ end trace 0000000000000000 ]---",
    )
    return "".join(f"{stamp}{line}\r\n" for line in lines).encode()


def expected_now(guest: GuestSession) -> dict[str, str]:
    found = (re.search(r"x\d+", s.title) for s in guest.splats(0))
    return dict(zip((f[0] for f in found if f), (s.expected for s in guest.splats(0)), strict=True))


def test_what_comes_after_a_range_is_unexpected_also_when_the_start_was_dropped() -> None:
    async def printed() -> dict[str, str]:
        guest = session(4000)
        guest.transcript.feed(chatter(6000))
        expected = guest.expect("the test", re.compile("x1"))
        guest.transcript.feed(report(1))
        assert await guest.expected_came(expected, 0)
        guest.transcript.feed(chatter(9000))
        assert guest.transcript.dropped_lines > 0
        guest.transcript.feed(report(1, 200))
        return expected_now(guest)

    assert asyncio.run(printed()) == {"x1": ""}


def test_what_is_expected_stays_so_when_the_start_is_dropped() -> None:
    async def printed() -> tuple[dict[str, str], dict[str, str]]:
        guest = session(4000)
        guest.transcript.feed(chatter(6000) + report(1))
        expected = guest.expect("the test", re.compile("x"))
        guest.transcript.feed(report(2, 200))
        assert [s.first for s in await guest.expected_came(expected, 0)]
        guest.transcript.feed(report(3, 300))
        before = expected_now(guest)
        guest.transcript.feed(chatter(2000))
        assert guest.transcript.dropped_lines > 0
        return before, expected_now(guest)

    before, after = asyncio.run(printed())
    assert before == after == {"x1": "", "x2": "the test", "x3": ""}


@pytest.mark.parametrize("limit", [600, 1500, 5000])
def test_lines_keep_their_numbers(limit: int) -> None:
    async def numbered() -> None:
        transcript, said = Transcript(limit), 0
        for number in range(1, 400):
            place = transcript.end
            assert transcript.line_at(place) == number
            data = b"[%5d.0] line\r\n" % number
            transcript.feed(data)
            said += len(data)
            assert transcript.last_line() == number
            first = transcript.text().splitlines()[0]
            assert first == f"[{transcript.dropped_lines + 1:5d}.0] line"
        assert transcript.end == said

    asyncio.run(numbered())


def test_a_line_without_an_end_is_bounded() -> None:
    async def endless() -> int:
        transcript = Transcript(10_000)
        transcript.feed(b"first\n")
        for _ in range(100):
            transcript.feed(b"x" * 1000)
        return len(transcript.raw())

    assert asyncio.run(endless()) <= 20_000


def test_a_line_search_reads_nothing_twice_where_the_start_was_dropped() -> None:
    async def searched() -> list[bool]:
        transcript = Transcript(1000)
        search = LineSearch(transcript, re.compile("usb"), Mark(0))
        transcript.feed(b"other\n" * 1000)
        seen = [search.look() is not None]
        transcript.feed(b"usb\n")
        seen.append(search.look() is not None)
        seen.append(search.look() is not None)
        return seen

    assert asyncio.run(searched()) == [False, True, False]


def test_a_report_that_is_waited_for_comes_in_pieces() -> None:
    async def waited() -> list[str]:
        guest = await alive()
        expected = guest.expect("the test", re.compile("x7"))

        async def prints() -> None:
            data = chatter(200_000) + report(7)
            for at in range(0, len(data), 1000):
                guest.transcript.feed(data[at : at + 1000])
                await asyncio.sleep(0)

        printing = asyncio.ensure_future(prints())
        found = await guest.expected_came(expected, 30)
        await printing
        return [splat.title for splat in found]

    (title,) = asyncio.run(waited())
    assert "x7" in title


def test_waiting_for_a_report_does_not_read_all_of_the_console_for_each_piece() -> None:
    async def waited() -> tuple[float, float]:
        guest = await alive()
        guest.transcript.feed(b"".join(report(n % 50) for n in range(600)))
        start = time.process_time()
        assert guest.splats(0)
        once = time.process_time() - start
        expected = guest.expect("the test", re.compile("never"))

        async def prints() -> None:
            for _ in range(25):
                guest.transcript.feed(chatter(100))
                await asyncio.sleep(0)
            await guest.kill()

        start = time.process_time()
        printing = asyncio.ensure_future(prints())
        assert await guest.expected_came(expected, 300) == []
        await printing
        return once, time.process_time() - start

    once, all_pieces = asyncio.run(waited())
    assert all_pieces < 8 * once


async def alive() -> GuestSession:
    """A session whose guest runs, of which nothing but the console is asked."""
    gone = asyncio.Event()
    machine = SimpleNamespace(
        console=Console(None),
        gone=gone,
        end_reason="",
        launch=SimpleNamespace(accel=SimpleNamespace(value="tcg"), incoming=True),
        kill=gone.set,
        drain=lambda: asyncio.sleep(0),
    )
    fork: Any = SimpleNamespace(
        guest=SimpleNamespace(machine=machine), capture=machine.console.begin()
    )

    async def opener(boot: bool) -> Fork:
        return cast(Fork, fork)

    guest = GuestSession(opener, KERNEL)
    await guest.start(boot=False)
    return guest
