# SPDX-License-Identifier: GPL-2.0-only
"""Templates and forks, with real guests."""

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from harness.host import Qemu
from harness.vm import template as module
from harness.vm.console import Console
from harness.vm.loop import VmLoop
from harness.vm.protocol import Run
from harness.vm.qemu import Launch
from harness.vm.shelf import prune_templates, roots, saved_templates
from harness.vm.template import Template, obtain_template, template_in_use, template_key

pytestmark = pytest.mark.guest


@pytest.fixture(scope="module")
def template(loop: VmLoop, qemu: Qemu, every_launch: Launch) -> Template:
    return loop.run(obtain_template(qemu, every_launch, Console(None)))


async def run_in_fork(template: Template, *words: str) -> bytes:
    guest = await template.fork(Console(None))
    try:
        report = await guest.agent.run(Run(words), timeout_s=30, sync=True)
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


def test_a_saved_template_is_used_again(
    loop: VmLoop, qemu: Qemu, template: Template, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_make", None)
    again = loop.run(obtain_template(qemu, template.launch, Console(None)))
    assert again == template


def test_a_changed_command_line_is_another_template(qemu: Qemu, launch: Launch) -> None:
    other = Launch(**{**vars(launch), "append": ("nosmp",)})
    assert template_key(qemu, other) != template_key(qemu, launch)


@pytest.mark.parametrize("name", ["ram", "state", "meta.json"])
@pytest.mark.parametrize("tenth", [0, 3, 7, 9])
def test_a_truncated_template_is_noticed(
    qemu: Qemu,
    template: Template,
    tmp_path: Path,
    name: str,
    tenth: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    key = template_key(qemu, template.launch)
    subprocess.run(["cp", "-r", "--sparse=always", template.folder, tmp_path / key], check=True)
    monkeypatch.setattr(module, "roots", lambda: [tmp_path])
    assert module._find(key, qemu, template.launch) is not None
    victim = tmp_path / key / name
    os.truncate(victim, victim.stat().st_size * tenth // 10)
    assert module._find(key, qemu, template.launch) is None


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


BUILDER = """
import sys
from harness.host import find_busybox, find_qemu
from harness.kernels.spec import resolve
from harness.runner import store_initramfs
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


@pytest.mark.parametrize("after_s", [0.1, 1.0, 2.4])
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
