# SPDX-License-Identifier: GPL-2.0-only
"""Memory of guests that crashed: an ELF core that debuggers open, compressed and bounded."""

import asyncio
import gc
import io
from pathlib import Path

import drgn
import pytest
import zstandard
from elftools.elf.elffile import ELFFile
from elftools.elf.segments import NoteSegment

from harness.host import Qemu
from harness.verdict.outcome import Outcome
from harness.vm.console import Console
from harness.vm.dump import DumpError, DumpPolicy, dump
from harness.vm.guest import Guest
from harness.vm.loop import VmLoop
from harness.vm.qemu import Launch
from tests.faults.conftest import Outcomes

pytestmark = pytest.mark.guest


@pytest.fixture(scope="module")
def dumped(broken: Path) -> Outcomes:
    config = broken / "dump.toml"
    config.write_text((broken / "harness.toml").read_text() + "dump_limit = 2\n")
    words = ("--dump", "on-crash", "-n", "1", "--config", str(config))
    return Outcomes(broken, *words, "-k", "passes or panics and not late or blocks or triple")


@pytest.fixture(scope="module")
def core(dumped: Outcomes, tmp_path_factory: pytest.TempPathFactory) -> Path:
    packed = dumped.folder / dumped.results["panics"].files["dump"]
    path = tmp_path_factory.mktemp("core") / "core"
    with packed.open("rb") as source, path.open("wb") as target:
        zstandard.ZstdDecompressor().copy_stream(source, target)
    return path


def test_a_crash_and_a_hang_are_dumped_and_a_pass_is_not(dumped: Outcomes) -> None:
    outcomes = {name: result.outcome for name, result in dumped.results.items()}
    assert outcomes == {
        "passes": Outcome.PASS,
        "panics": Outcome.CRASH,
        "triple_faults": Outcome.CRASH,
        "blocks": Outcome.TIMEOUT,
    }
    assert dumped.results["passes"].files == {}
    assert dumped.results["panics"].files == {"dump": "dumps/trouble/try.trouble.panics.core.zst"}


def test_the_number_is_bounded_and_says_so(dumped: Outcomes) -> None:
    assert len(list((dumped.folder / "dumps").glob("**/*.core.zst"))) == 2
    blocked = dumped.results["blocks"]
    assert blocked.files == {}
    assert blocked.extra["dump"].startswith("not taken: 2 dumps are there already")


def test_the_size_is_bounded_and_says_so(broken: Path) -> None:
    config = broken / "small.toml"
    config.write_text((broken / "harness.toml").read_text() + "dump_limit_mib = 1\n")
    run = Outcomes(broken, "--dump", "on-crash", "--config", str(config), "-k", "triple")
    result = run.results["triple_faults"]
    assert result.outcome is Outcome.CRASH
    assert "larger than dumps may be" in result.extra["dump"]
    assert not list((run.folder / "dumps").glob("**/*.core.zst"))


def test_one_that_is_given_up_leaves_nothing(
    loop: VmLoop, qemu: Qemu, launch: Launch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """As when a run is interrupted."""

    async def given_up() -> None:
        guest = await Guest.boot(qemu.path, launch, Console(None))
        try:
            taken = asyncio.ensure_future(
                dump(guest.machine, DumpPolicy("always", tmp_path / "dumps"), "case")
            )
            while not any(path.stat().st_size for path in tmp_path.glob("dumps/*.core.zst")):
                assert not taken.done()
                await asyncio.sleep(0)
            taken.cancel()
            with pytest.raises(asyncio.CancelledError):
                await taken
        finally:
            await guest.close()

    loop.run(given_up())
    gc.collect()
    assert list(tmp_path.glob("dumps/*.core.zst")) == []
    assert [record for record in caplog.records if record.name == "asyncio"] == []


def unpacked(path: Path) -> bytes:
    """A dump's core; an error where the file is not whole."""
    with path.open("rb") as source:
        return zstandard.ZstdDecompressor().stream_reader(source, read_across_frames=True).read()


def test_dumps_of_one_name_are_two_files(
    loop: VmLoop, qemu: Qemu, launch: Launch, tmp_path: Path
) -> None:
    """As of the tries of a case, or of one that is run again."""
    folder = tmp_path / "dumps"

    async def dumped_twice() -> list[Path]:
        guest = await Guest.boot(qemu.path, launch, Console(None))
        try:
            taken = [await dump(guest.machine, DumpPolicy("always", folder), "k/x") for _ in "ab"]
            size = sum(path.stat().st_size for path in taken)
            limit_mib = size // (1024 * 1024) + 1
            with pytest.raises(DumpError, match="larger than dumps may be"):
                await dump(guest.machine, DumpPolicy("always", folder, 3, limit_mib), "k/x")
            return taken
        finally:
            await guest.close()

    taken = loop.run(dumped_twice())
    assert sorted(folder.glob("**/*.core.zst")) == sorted(taken)
    assert len(set(taken)) == 2
    for path in taken:
        assert len(unpacked(path)) > 128 * 1024 * 1024


def test_each_try_has_a_dump_of_its_own(broken: Path) -> None:
    words = ("--dump", "on-crash", "--repeat", "2", "-n", "2", "-k", "panics and not late")
    run = Outcomes(broken, *words)
    found = sorted(path.name for path in (run.folder / "dumps").glob("**/*.core.zst"))
    assert found == ["try.trouble.panics.core.zst", "try.trouble.panics.try2.core.zst"]
    for path in (run.folder / "dumps").glob("**/*.core.zst"):
        assert b"Kernel panic - not syncing: kharness trouble" in unpacked(path)


def test_it_is_a_core_with_the_kernel_s_notes(core: Path) -> None:
    elf = ELFFile(io.BytesIO(core.read_bytes()))
    assert elf.header.e_type == "ET_CORE"
    notes = {
        note["n_name"]: note["n_descdata"]
        for segment in elf.iter_segments("PT_NOTE")
        if isinstance(segment, NoteSegment)
        for note in segment.iter_notes()
    }
    assert notes["VMCOREINFO"].startswith(b"OSRELEASE=6.")
    assert "CORE" in notes
    loaded = sum(segment["p_filesz"] for segment in elf.iter_segments("PT_LOAD"))
    assert loaded >= 128 * 1024 * 1024


def test_it_holds_the_moment_of_the_crash(core: Path) -> None:
    assert b"Kernel panic - not syncing: kharness trouble" in core.read_bytes()


def test_drgn_opens_it_as_a_kernel(core: Path) -> None:
    program = drgn.Program()
    program.set_core_dump(core)
    assert program.flags & drgn.ProgramFlags.IS_LINUX_KERNEL
