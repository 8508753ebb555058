# SPDX-License-Identifier: GPL-2.0-only
"""Templates and forks, with real guests."""

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from harness.cache import cache_root
from harness.errors import GuestError, HostError
from harness.host import Qemu, cpu_model
from harness.kernels.kernel import Kernel
from harness.locks import Lock
from harness.vm import shelf, tmpfs
from harness.vm import template as module
from harness.vm.admission import Admission
from harness.vm.agent import RunReport
from harness.vm.archives import store_initramfs
from harness.vm.console import Console
from harness.vm.loop import VmLoop
from harness.vm.pool import Pool
from harness.vm.protocol import Run, RunFlags
from harness.vm.qemu import Accel, Launch, channel_for
from harness.vm.shelf import prune_templates, roots, saved_templates
from harness.vm.template import Template, obtain_template, template_in_use, template_key

pytestmark = pytest.mark.guest


@pytest.fixture(scope="module")
def template(loop: VmLoop, qemu: Qemu, every_launch: Launch) -> Template:
    return loop.run(obtain_template(qemu, every_launch, Console(None)))


async def run_in_fork(template: Template, *words: str) -> bytes:
    guest = await template.fork(Console(None))
    try:
        report = await guest.agent.run(Run(words), timeout_s=30, sync=os.urandom(64))
    finally:
        await guest.close()
    return report.stdout


def test_a_fork_does_not_see_what_another_left(loop: VmLoop, template: Template) -> None:
    for _ in range(3):
        assert loop.run(run_in_fork(template, "/case/hostile", "mark")) == b"(none)\n"


def test_forks_draw_different_random_numbers(loop: VmLoop, template: Template) -> None:
    script = ("/bin/sh", "-c", "head -c 16 /dev/urandom | od -x || busybox od -x")
    drawn = {loop.run(run_in_fork(template, *script)) for _ in range(4)}
    assert len(drawn) == 4


def test_a_fork_knows_what_time_it_is(loop: VmLoop, template: Template) -> None:
    before = int(time.time())
    said = int(loop.run(run_in_fork(template, "/bin/busybox", "date", "+%s")))
    assert before <= said <= time.time() + 1


def test_many_forks_at_once(loop: VmLoop, template: Template) -> None:
    async def all_at_once() -> list[bytes]:
        return await asyncio.gather(
            *(run_in_fork(template, "/bin/sh", "-c", f"echo {n}") for n in range(8))
        )

    assert loop.run(all_at_once()) == [b"%d\n" % n for n in range(8)]


def test_forks_leave_no_process_and_no_descriptor(loop: VmLoop, template: Template) -> None:
    def count() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    loop.run(run_in_fork(template, "/bin/sh", "-c", "true"))
    before = count()
    for _ in range(10):
        loop.run(run_in_fork(template, "/bin/sh", "-c", "true"))
    assert count() == before
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    assert not [c for c in children if "qemu" in Path(f"/proc/{c}/cmdline").read_text()]


def left_behind(template: Template) -> tuple[int, int, set[str], int]:
    """Descriptors, child processes, tickets and files of guests; and private memory in MiB."""
    fds = len(list(Path("/proc/self/fd").iterdir()))
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    files = {str(path) for path in template.folder.rglob("*")}
    files |= {str(path) for path in (cache_root() / "guests").glob(f"{os.getpid()}-*")}
    status = Path("/proc/self/status").read_text()
    memory = int(status.partition("RssAnon:")[2].split()[0]) // 1024
    return fds, len(children), files, memory


def test_a_thousand_forks_leave_nothing_behind(loop: VmLoop, qemu: Qemu, launch: Launch) -> None:
    template = loop.run(obtain_template(qemu, launch, Console(None)))
    run = Run(("/case/hostile", "mark"), flags=RunFlags.DISPOSABLE)

    async def fork(pool: Pool, number: int, *, ahead: bool) -> None:
        one = await pool.take()
        if ahead:
            pool.prepare()
        try:
            if number % 10 == 0:
                assert (await one.guest.agent.run(run, timeout_s=30, sync=os.urandom(64))).stdout
        finally:
            await one.close()

    async def forks(first: int, count: int) -> None:
        pool = Pool(template, Admission(), print, print)
        for number in range(first, first + count, 2):
            await asyncio.gather(*(fork(pool, number + k, ahead=k == 0) for k in range(2)))
        await pool.close()

    loop.run(forks(0, 50))
    before = left_behind(template)
    loop.run(forks(50, 1000))
    after = left_behind(template)
    assert after[:3] == before[:3]
    assert after[3] - before[3] < 10


@pytest.mark.parametrize("after_ms", range(0, 120, 8))
def test_a_fork_that_is_killed_is_an_error_and_costs_nobody_else(
    loop: VmLoop, template: Template, after_ms: int
) -> None:
    """At every stage: starting, QMP, loading, running the case, ending."""

    async def killed() -> bool:
        console = Console(None)
        task = asyncio.ensure_future(run_in_fork(template, "/bin/sh", "-c", "sleep 0.02"))
        await asyncio.sleep(after_ms / 1000)
        children = Path(f"/proc/self/task/{threading.get_native_id()}/children").read_text()
        for child in children.split():
            os.kill(int(child), signal.SIGKILL)
        try:
            await asyncio.wait_for(task, 10)
        except (GuestError, HostError):
            return True
        finally:
            console.close()
        return not children  # nobody was there to be killed

    before = left_behind(template)[:3]
    assert loop.run(killed())
    assert left_behind(template)[:3] == before
    assert loop.run(run_in_fork(template, "/bin/sh", "-c", "echo well")) == b"well\n"


def test_a_program_that_does_not_stand_by_is_started(
    loop: VmLoop, qemu: Qemu, launch: Launch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was asked to stand by, does not know how, and has ended long ago."""
    monkeypatch.setenv("KHARNESS_CACHE", str(tmp_path))
    try:
        made = loop.run(
            obtain_template(qemu, replace(launch, standby=("/case/hostile",)), Console(None))
        )

        async def run() -> RunReport:
            guest = await made.fork(Console(None))
            words = Run(("/case/hostile", "mark"), flags=RunFlags.DISPOSABLE | RunFlags.STANDBY)
            try:
                return await guest.agent.run(words, timeout_s=30, sync=os.urandom(64))
            finally:
                await guest.close()

        report = loop.run(run())
        assert report.stdout == b"(none)\n"
        assert report.exited.leftovers == 0
    finally:
        for root in roots():
            shutil.rmtree(root, ignore_errors=True)


def test_a_tmpfs_that_is_too_small_is_left_for_the_disk(
    loop: VmLoop, qemu: Qemu, launch: Launch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A real one, which is full only when the guest writes: QEMU dies of a bus error."""
    small = tmp_path / "shm"
    small.mkdir()
    monkeypatch.setenv("KHARNESS_CACHE", str(tmp_path / "cache"))
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=24m", "none", small], check=False, capture_output=True
    )
    if mounted.returncode != 0:
        pytest.skip("only root may mount a small tmpfs")
    try:
        monkeypatch.setattr(tmpfs, "SHM", small)
        real = shutil.disk_usage
        roomy = real(tmp_path)
        monkeypatch.setattr(
            shutil, "disk_usage", lambda path: roomy if small in path.parents else real(path)
        )
        made = loop.run(obtain_template(qemu, launch, Console(None)))
        assert made.folder.is_relative_to(tmp_path / "cache")
        assert loop.run(run_in_fork(made, "/bin/sh", "-c", "echo well")) == b"well\n"
        assert not any(small.rglob("ram"))
    finally:
        subprocess.run(["umount", small], check=True)


def test_a_small_dev_shm_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KHARNESS_CACHE", str(tmp_path))
    usage = shutil._ntuple_diskusage(total=64 << 20, used=0, free=64 << 20)
    real = shutil.disk_usage
    monkeypatch.setattr(
        shutil, "disk_usage", lambda path: usage if shelf.in_memory(path) else real(path)
    )
    assert shelf.root_for(128).is_relative_to(tmp_path)


def test_a_saved_template_is_used_again(
    loop: VmLoop, qemu: Qemu, template: Template, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_make", None)
    again = loop.run(obtain_template(qemu, template.launch, Console(None)))
    assert again == template


def test_a_changed_command_line_is_another_template(qemu: Qemu, launch: Launch) -> None:
    other = Launch(**{**vars(launch), "append": ("nosmp",)})
    assert template_key(qemu, other) != template_key(qemu, launch)


CPU = """processor\t: {number}
model name\t: {model}
cpu MHz\t\t: {mhz}
microcode\t: {microcode}
flags\t\t: fpu {flags}

"""


def test_with_kvm_a_template_is_of_this_boot_and_this_cpu(
    qemu: Qemu, launch: Launch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cache may be on a disk that outlives the boot, or that two machines share."""
    cpuinfo = tmp_path / "cpuinfo"

    def key(accel: Accel, boot: str = "a", **differs: str) -> str:
        words = {"model": "Xeon", "mhz": "2100.000", "microcode": "0x1", "flags": "avx", **differs}
        cpuinfo.write_text("".join(CPU.format(number=n, **words) for n in "012"))
        monkeypatch.setattr(module, "boot_id", lambda: boot, raising=False)
        monkeypatch.setattr(module, "cpu_model", lambda: cpu_model(cpuinfo), raising=False)
        return template_key(qemu, replace(launch, accel=accel))

    others = ({"model": "EPYC"}, {"microcode": "0x2"}, {"flags": "avx amx"})
    kvm = [key(Accel.KVM), key(Accel.KVM, "b"), *(key(Accel.KVM, **other) for other in others)]
    assert len(set(kvm)) == 5
    assert key(Accel.KVM, mhz="3100.000") == kvm[0]
    tcg = [key(Accel.TCG), key(Accel.TCG, "b"), *(key(Accel.TCG, **other) for other in others)]
    assert len(set(tcg)) == 1


def test_this_host_says_what_its_cpu_is() -> None:
    assert cpu_model() == cpu_model() != ""


@pytest.mark.parametrize("name", ["ram", "state", "meta.json"])
def test_a_truncated_template_is_noticed(
    qemu: Qemu, template: Template, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = template_key(qemu, template.launch)
    subprocess.run(["cp", "-r", "--sparse=always", template.folder, tmp_path / key], check=True)
    monkeypatch.setattr(module, "roots", lambda: [tmp_path])
    assert module._find(key, qemu, template.launch) is not None
    victim = tmp_path / key / name
    size = victim.stat().st_size
    for tenth in reversed(range(10)):
        os.truncate(victim, size * tenth // 10)
        assert module._find(key, qemu, template.launch) is None, tenth


def test_a_flipped_byte_is_noticed(
    qemu: Qemu, template: Template, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = template_key(qemu, template.launch)
    subprocess.run(["cp", "-r", "--sparse=always", template.folder, tmp_path / key], check=True)
    monkeypatch.setattr(module, "roots", lambda: [tmp_path])
    with (tmp_path / key / "ram").open("r+b") as ram:
        ram.seek(1 << 20)
        byte = ram.read(1)
        ram.seek(1 << 20)
        ram.write(bytes([byte[0] ^ 1]))
    assert module._find(key, qemu, template.launch) is None


def test_what_is_in_use_is_not_evicted(
    loop: VmLoop, qemu: Qemu, launch: Launch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KHARNESS_CACHE", str(tmp_path))
    key = template_key(qemu, launch)
    try:
        with template_in_use(key):
            made = loop.run(obtain_template(qemu, launch, Console(None)))
            assert [t.key for t in saved_templates()] == [key]
            assert prune_templates(0) == []
            assert made.folder.exists()
        assert prune_templates(10_000) == []
        assert [t.key for t in prune_templates(0)] == [key]
        assert not made.folder.exists()
    finally:
        for root in roots():
            shutil.rmtree(root, ignore_errors=True)


GIVEN_UP = """
import asyncio, sys
from harness.host import find_qemu
from harness.kernels.spec import resolve
from harness.vm.archives import store_initramfs
from harness.vm.console import Console
from harness.vm.loop import VmLoop
from harness.vm.qemu import Accel, Launch, channel_for
from harness.vm.template import obtain_template
kernel = resolve("debian:6.12")
launch = Launch(kernel, store_initramfs({}), Accel.TCG, channel_for(kernel), append=(sys.argv[1],))
async def impatient():
    async with asyncio.timeout(0.5):
        await obtain_template(find_qemu(), launch, Console(None))
with VmLoop() as loop:
    try:
        loop.run(impatient())
    except TimeoutError:
        print("gave up", flush=True)
"""


def test_who_gives_up_a_template_that_another_makes_can_end(one_kernel: Kernel, qemu: Qemu) -> None:
    """As after a Ctrl-C while somebody else's template is made."""
    word = f"kharness_test={os.getpid()}.given-up"
    launch = Launch(
        *(one_kernel, store_initramfs({}), Accel.TCG, channel_for(one_kernel)), append=(word,)
    )
    with Lock(shelf.lock_path(template_key(qemu, launch), "build"), shared=False):
        done = subprocess.run(
            [sys.executable, "-c", GIVEN_UP, word],
            stdout=subprocess.PIPE,
            text=True,
            check=True,
            timeout=60,
        )
    assert done.stdout == "gave up\n"


BUILDER = """
import sys
from harness.host import find_busybox, find_qemu
from harness.kernels.spec import resolve
from harness.vm.archives import store_initramfs
from harness.vm.console import Console
from harness.vm.loop import VmLoop
from harness.vm.qemu import Accel, Launch, channel_for
from harness.vm.template import obtain_template
kernel = resolve("debian:6.12")
launch = Launch(kernel, store_initramfs({}), Accel.TCG, channel_for(kernel), append=(sys.argv[1],))
with VmLoop() as loop:
    print("start", flush=True)
    template = loop.run(obtain_template(find_qemu(), launch, Console(None)))
    print(template.folder, flush=True)
"""


@pytest.mark.parametrize("after_s", [0.1, 0.6, 1.2, 1.8, 2.2, 2.6, 3.0])
def test_a_builder_that_is_killed_leaves_nothing_half_made(after_s: float) -> None:
    word = f"kharness_test={os.getpid()}.{after_s}"
    command = [sys.executable, "-c", BUILDER, word]
    first = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert first.stdout is not None
    first.stdout.readline()
    second = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    # The moment of the kill is what is varied here; whatever it hits, the outcome is the same.
    time.sleep(after_s)
    first.send_signal(signal.SIGKILL)
    first.wait()
    first.stdout.close()
    out, _ = second.communicate(timeout=120)
    folder = Path(out.splitlines()[-1])
    assert second.returncode == 0
    assert json.loads((folder / "meta.json").read_text())["format"] == module.FORMAT
    assert list(folder.parent.glob(f"{folder.name}.new.*")) == []
    subprocess.run(["rm", "-r", folder], check=True)
