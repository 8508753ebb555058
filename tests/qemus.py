# SPDX-License-Identifier: GPL-2.0-only
"""QEMUs that fail: stand-ins that are lost some times, and are the real one from then on."""

import sys
from enum import StrEnum
from pathlib import Path

from harness.host import Qemu

SCRIPT = """#!{python}
import json, os, signal, socket, sys

real, log, when, times = {real!r}, {log!r}, {when!r}, {times}
words = sys.argv[1:]
loads = "-incoming" in words
boots = not loads and any("memory-backend" in word and "share=on" in word for word in words)
counts = boots if when == "booting" else loads
before = 0
if counts:
    with open(log, "a+") as starts:
        starts.write("x")
        before = starts.tell() - 1
if not counts or before >= times:
    os.execv(real, [real, *words])
os.environ.clear()
if when == "loading":
    # As far as QEMU comes before it loads a state.
    number = next(word.rpartition("fd=")[2] for word in words if word.startswith("socket,id=qmp"))
    qmp = socket.socket(fileno=int(number)).makefile("rwb", buffering=0)
    version = {{"qemu": {{"major": 7, "minor": 2, "micro": 0}}, "package": ""}}
    qmp.write(json.dumps({{"QMP": {{"version": version, "capabilities": []}}}}).encode() + b"\\n")
    said = b""
    while b"migrate-incoming" not in said:
        said += (heard := qmp.read(65536))
        if b"qmp_capabilities" in heard:
            qmp.write(b'{{"return": {{}}}}\\n')
os.kill(os.getpid(), signal.SIGSEGV)
"""


class Stage(StrEnum):
    """Where a stand-in is lost."""

    BOOTING = "booting"
    """While it boots a template."""
    STARTING = "starting"
    """A fork that has just been started."""
    LOADING = "loading"
    """A fork that was told to load its state."""


def lost_qemu(folder: Path, real: Qemu, stage: Stage, times: int) -> Qemu:
    """A QEMU that dies by SIGSEGV at a stage the first ``times`` times.

    Args:
        folder: for the program and its count.
        real: what it is otherwise.
        stage: where it is lost.
        times: how often.
    """
    path = folder / "qemu"
    words = SCRIPT.format(
        python=sys.executable,
        real=str(real.path),
        log=str(folder / "starts"),
        when=stage.value,
        times=times,
    )
    path.write_text(words)
    path.chmod(0o700)
    return Qemu(path, real.version, real.version_text)


def starts(folder: Path) -> int:
    """How often the stand-in in ``folder`` has come to its stage."""
    return len((folder / "starts").read_text())
