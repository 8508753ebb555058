# SPDX-License-Identifier: GPL-2.0-only
"""Compiling C on the host into static programs, once per content.

The key of a program is its preprocessed text, its flags and the compiler's version, so a change in
a header is noticed and a touched file is not.
"""

import os
import shutil
import subprocess
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from harness.cache import cache_root, digest, locked, replacing
from harness.errors import HostError, UsageError

WARNINGS = ("-Wall", "-Wextra", "-Werror")
COMPILE_TIMEOUT_S = 300.0


@dataclass(frozen=True)
class Compiler:
    """A C compiler.

    Attributes:
        path: the executable.
        version: first line of ``--version``; part of every program's key.
    """

    path: str
    version: str


@lru_cache(maxsize=8)
def find_compiler(name: str | None = None) -> Compiler:
    """The compiler named, else ``$CC``, else ``gcc`` or ``cc``.

    Raises:
        HostError: there is none, or it does not run.
    """
    wanted = [name] if name else [os.environ.get("CC") or "gcc", "cc"]
    for candidate in wanted:
        path = shutil.which(candidate)
        if path:
            done = subprocess.run(
                [path, "--version"], capture_output=True, text=True, check=False, timeout=30
            )
            if done.returncode == 0:
                return Compiler(path, done.stdout.partition("\n")[0])
    raise HostError(
        f"no C compiler ({' or '.join(wanted)})", "apt-get install gcc libc6-dev, or set CC"
    )


def compile_program(
    source: Path,
    *,
    include: tuple[Path, ...] = (),
    flags: tuple[str, ...] = (),
    compiler: Compiler | None = None,
) -> Path:
    """Compiles one C file into a static program in the cache and returns the program's path.

    Args:
        source: the C file.
        include: folders searched for its headers.
        flags: further compiler flags, such as ``-m32``.
        compiler: which compiler; :func:`find_compiler` by default.

    Raises:
        UsageError: the source does not compile; the compiler's words are in ``detail``.
        HostError: no compiler.
    """
    cc = compiler or find_compiler()
    options = [
        *("-std=gnu11", "-O2", "-g", *WARNINGS),
        *(f"-I{folder}" for folder in include),
        *flags,
    ]
    text = _run([cc.path, *options, "-E", "-P", str(source)], source)
    # __FILE__ ends up in the program but not in the text of -P: the path is part of the key.
    key = digest(text, cc.version, cc.path, "\0".join(flags), str(source))
    target = cache_root() / "programs" / key[:32] / source.stem
    if target.exists():
        return target
    with locked(target.parent):
        if not target.exists():
            with replacing(target) as output:
                _run(
                    [cc.path, *options, "-static", "-pthread", "-o", str(output), str(source)],
                    source,
                )
                output.chmod(0o755)
    return target


def _run(command: list[str], source: Path) -> bytes:
    try:
        done = subprocess.run(command, capture_output=True, check=False, timeout=COMPILE_TIMEOUT_S)
    except subprocess.TimeoutExpired as error:
        raise HostError(f"compiling {source} took over {COMPILE_TIMEOUT_S:.0f} s") from error
    if done.returncode != 0:
        words = done.stderr.decode("utf-8", "replace")
        first = next((line for line in words.splitlines() if "error" in line), words[:200])
        raise UsageError(f"{source} does not compile", first.strip(), words)
    return done.stdout
