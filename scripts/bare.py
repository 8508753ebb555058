# SPDX-License-Identifier: GPL-2.0-only
"""Bare QEMU doing what kharness does, without any of it: what scripts/bench compares with.

Boot: an init that exits at once. Fork: a template saved by QMP, restored, one trivial command over
the second serial port, killed; blocking sockets and JSON by hand, a thread for each loop.
"""

import json
import os
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from harness.closing import Closing
from harness.toolchain import compile_program
from harness.vm.initramfs import File, build
from harness.vm.qemu import BOARDS, SANDBOX, Launch

EXITS = "int main(void) { return 0; }\n"
AGENT = r"""
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

int main(void)
{
	struct termios t;
	int fd, status;
	pid_t pid;
	char c;

	mkdir("/dev", 0755);
	mkdir("/proc", 0755);
	mount("dev", "/dev", "devtmpfs", 0, NULL);
	mount("proc", "/proc", "proc", 0, NULL);
	fd = open("/dev/ttyS1", O_RDWR | O_NOCTTY);
	tcgetattr(fd, &t);
	cfmakeraw(&t);
	tcsetattr(fd, TCSANOW, &t);
	dprintf(fd, "READY\n");
	for (;;) {
		do {
			if (read(fd, &c, 1) != 1)
				c = 0;
		} while (c != '\n');
		pid = fork();
		if (pid == 0) {
			syscall(434, getpid(), 0xffff);
			_exit(errno == EINVAL ? 0 : 1);
		}
		waitpid(pid, &status, 0);
		dprintf(fd, "DONE %d\n", status);
	}
}
"""
IGNORE_SHARED = {"capabilities": [{"capability": "x-ignore-shared", "state": True}]}
IDLE_S = 1.5


class _Qmp:
    """A QMP conversation on a blocking socket."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._lines = sock.makefile("rb")
        self._lines.readline()
        self.execute("qmp_capabilities")

    def execute(self, command: str, arguments: dict[str, Any] | None = None, fd: int = -1) -> Any:
        """Runs a command; ``fd`` goes along with it."""
        data = json.dumps({"execute": command, "arguments": arguments or {}}).encode()
        if fd >= 0:
            socket.send_fds(self._sock, [data], [fd])
        else:
            self._sock.sendall(data)
        while True:
            answer = json.loads(self._lines.readline())
            if "error" in answer:
                raise RuntimeError(f"{command}: {answer['error']}")
            if "return" in answer:
                return answer["return"]

    def close(self) -> None:
        """Closes the connection."""
        self._lines.close()
        self._sock.close()


class Bare(Closing):
    """Bare boots and bare forks of one kernel; a context manager.

    Args:
        qemu: the executable.
        launch: kernel and accelerator are taken from here.
    """

    def __init__(self, qemu: Path, launch: Launch) -> None:
        self._qemu, self._launch = qemu, launch
        self._folder = Path(tempfile.mkdtemp(prefix="bare-", dir="/dev/shm"))
        for name, text in (("exits", EXITS), ("agent", AGENT)):
            source = self._folder / f"{name}.c"
            source.write_text(text)
            data = build({"/init": File(compile_program(source), 0o755)})
            (self._folder / name).write_bytes(data)

    def close(self) -> None:
        """Removes its files."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def boot(self) -> float:
        """Seconds from QEMU's start to its end; the init's exit panics the kernel: a reset."""
        start = time.perf_counter()
        subprocess.run(
            [
                *self._machine(str(self._launch.kernel.image), "exits"),
                *("-m", "128M", "-serial", "null"),
            ],
            check=True,
            stderr=subprocess.DEVNULL,
        )
        return time.perf_counter() - start

    def save(self) -> None:
        """Makes the template."""
        process, qmp_socket, channel = self._start(share="on")
        lines = channel.makefile("rb")
        if lines.readline() != b"READY\n":
            raise RuntimeError("the bare guest did not come up")
        time.sleep(IDLE_S)
        qmp = _Qmp(qmp_socket)
        qmp.execute("stop")
        qmp.execute("migrate-set-capabilities", IGNORE_SHARED)
        fd = os.open(self._folder / "state", os.O_CREAT | os.O_RDWR, 0o600)
        qmp.execute("getfd", {"fdname": "state"}, fd)
        qmp.execute("migrate", {"uri": "fd:state"})
        while qmp.execute("query-migrate").get("status") != "completed":
            time.sleep(0.002)
        os.close(fd)
        process.kill()
        process.wait()
        lines.close()
        channel.close()
        qmp.close()

    def fork(self) -> float:
        """Seconds of one fork: QEMU's start, restored, one command, killed, gone."""
        start = time.perf_counter()
        process, qmp_socket, channel = self._start(share="off")
        qmp = _Qmp(qmp_socket)
        qmp.execute("migrate-set-capabilities", IGNORE_SHARED)
        fd = os.open(self._folder / "state", os.O_RDONLY)
        qmp.execute("getfd", {"fdname": "state"}, fd)
        os.close(fd)
        qmp.execute("migrate-incoming", {"uri": "fd:state"})
        while qmp.execute("query-status")["status"] == "inmigrate":
            time.sleep(0.0005)
        qmp.execute("cont")
        channel.sendall(b"go\n")
        said = b""
        while not said.endswith(b"\n"):
            said += channel.recv(64)
        if said != b"DONE 0\n":
            raise RuntimeError(f"the bare guest said {said!r}")
        process.kill()
        process.wait()
        channel.close()
        qmp.close()
        return time.perf_counter() - start

    def forks_per_second(self, workers: int, forks: int) -> float:
        """Throughput of so many loops side by side."""
        left = iter(range(forks))
        lock = threading.Lock()

        def loop() -> None:
            while True:
                with lock:
                    if next(left, None) is None:
                        return
                self.fork()

        threads = [threading.Thread(target=loop) for _ in range(workers)]
        start = time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return forks / (time.perf_counter() - start)

    def _machine(self, kernel: str, initrd: str) -> list[str]:
        launch = self._launch
        board = BOARDS[launch.kernel.arch]
        return [
            *(str(self._qemu), "-M", "pc", "-accel", launch.accel.value),
            *("-cpu", board.cpu[launch.accel], "-sandbox", SANDBOX),
            *("-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-nic", "none"),
            *("-kernel", kernel, "-initrd", str(self._folder / initrd)),
            *("-append", f"console={board.console} panic=-1"),
        ]

    def _start(self, share: str) -> tuple[subprocess.Popen[bytes], socket.socket, socket.socket]:
        qmp, theirs_qmp = socket.socketpair()
        channel, theirs_channel = socket.socketpair()
        memory = f"memory-backend-file,id=m,size=128M,mem-path={self._folder}/ram,share={share}"
        process = subprocess.Popen(
            [
                *self._machine(str(self._launch.kernel.boot), "agent"),
                *("-m", "128M", "-object", memory, "-machine", "memory-backend=m"),
                *("-chardev", f"socket,id=q,fd={theirs_qmp.fileno()}"),
                *("-mon", "chardev=q,mode=control", "-serial", "null"),
                *("-chardev", f"socket,id=c,fd={theirs_channel.fileno()}", "-serial", "chardev:c"),
                *(("-incoming", "defer") if share == "off" else ()),
            ],
            pass_fds=[theirs_qmp.fileno(), theirs_channel.fileno()],
            stderr=subprocess.DEVNULL,
        )
        theirs_qmp.close()
        theirs_channel.close()
        return process, qmp, channel
