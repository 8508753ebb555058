# SPDX-License-Identifier: GPL-2.0-only
"""Compiling C on the host into static programs, once per content.

A program's key is made of the source and every header that the compiler read for it, the flags,
and the compiler's version. Which headers those are is remembered, so that a second run reads a few
small files and starts no compiler at all.
"""

import json
import os
import shlex
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from harness.cache import cache_root, digest, locked, owned, private_folder, replacing
from harness.errors import HostError, UsageError

FLAGS = ("-std=gnu11", "-D_GNU_SOURCE", "-O2", "-g", "-Wall", "-Wextra", "-Werror")
LINK = ("-static", "-pthread")
COMPILE_TIMEOUT_S = 300.0
CC_HINT = "set CC to a C compiler, or unset it"
M32 = ("-m32",)
"""Programs for i386: libraries and headers of their own (gcc-multilib)."""


@dataclass(frozen=True)
class Compiler:
    """A C compiler.

    Attributes:
        command: the executable, and words that go before every other: ``ccache gcc``, ``gcc -O2``.
        version: the identity of each file of the command; part of every key.
    """

    command: tuple[str, ...]
    version: str


def find_compiler() -> Compiler:
    """The compiler that ``$CC`` names, else ``gcc`` or ``cc``.

    Raises:
        HostError: there is none.
    """
    return _find(os.environ.get("CC", ""))


@lru_cache(maxsize=8)
def _find(given: str) -> Compiler:
    try:
        words = shlex.split(given)
    except ValueError as error:
        raise HostError(f"CC={given}: {error}", CC_HINT) from error
    for name in words[:1] or ("gcc", "cc"):
        path = shutil.which(name)
        if path:
            files = filter(None, (path, *map(shutil.which, words[1:])))
            about = [Path(file).resolve().stat() for file in files]
            version = " ".join(f"{one.st_size} {one.st_mtime_ns}" for one in about)
            return Compiler((path, *words[1:]), version)
    if words:
        raise HostError(f"CC={given}: there is no {words[0]}", CC_HINT)
    raise HostError("no C compiler (gcc or cc)", "apt-get install gcc libc6-dev, or set CC")


@lru_cache(maxsize=8)
def makes_32_bit() -> bool:
    """Whether the compiler and its libraries make static 32-bit programs."""
    compiler = find_compiler()
    command = [*compiler.command, *M32, *LINK, "-x", "c", "-o", "/dev/null", "-"]
    program = b"#include <pthread.h>\nint main(void) { return 0; }\n"
    try:
        done = subprocess.run(
            command, input=program, capture_output=True, check=False, timeout=COMPILE_TIMEOUT_S
        )
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0


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
    options = (*FLAGS, *(f"-I{folder}" for folder in include), *flags)
    folder = private_folder(cache_root() / "programs")
    # __FILE__ ends up in the program: the path is part of the key.
    index = folder / f"{digest(str(source), *cc.command, cc.version, *options)[:32]}.json"
    program = _known(index)
    if program is None:
        with locked(index):
            program = _known(index) or _compile(source, cc, options, folder, index)
    return program


def _compile(
    source: Path, cc: Compiler, options: tuple[str, ...], folder: Path, index: Path
) -> Path:
    work = Path(tempfile.mkdtemp(prefix=owned(".new-"), dir=folder))
    try:
        output, depends = work / source.stem, work / "depends"
        command = [*cc.command, *options, *LINK, "-MD", "-MF", str(depends)]
        _run([*command, "-o", str(output), str(source)], source, work)
        listed = depends.read_text().replace("\\\n", " ").partition(": ")[2].split()
        headers = sorted({str(Path(name).absolute()) for name in listed})
        key = digest(
            *(str(source), *cc.command[1:], cc.version), *options, *map(_content_key, headers)
        )[:32]
        target = private_folder(folder / key) / source.stem
        output.replace(target)
    except OSError as error:
        raise HostError(f"cannot store {source.name}, compiled: {error.strerror}") from error
    finally:
        shutil.rmtree(work, ignore_errors=True)
    record = {
        "program": str(target),
        "inputs": {name: _content_key(name) for name in headers},
    }
    with replacing(index) as temporary:
        temporary.write_text(json.dumps(record))
    return target


def _known(index: Path) -> Path | None:
    """The program that the record names, if nothing that it was made of has changed."""
    try:
        record = json.loads(index.read_text())
        program = Path(record["program"])
        same = all(_content_key(name) == key for name, key in record["inputs"].items())
        return program if same and program.exists() else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _content_key(name: str) -> str:
    """Of a system header its size and time, of others the content: a checkout changes times."""
    path = Path(name)
    if name.startswith("/usr/"):
        about = path.stat()
        return f"{about.st_size} {about.st_mtime_ns}"
    return digest(path.read_bytes())


def _run(command: list[str], source: Path, work: Path) -> None:
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            check=False,
            timeout=COMPILE_TIMEOUT_S,
            env={**os.environ, "TMPDIR": str(work)},  # what it leaves when it is killed
        )
    except subprocess.TimeoutExpired as error:
        raise HostError(f"compiling {source} took over {COMPILE_TIMEOUT_S:.0f} s") from error
    if done.returncode != 0:
        words = done.stderr.decode("utf-8", "replace")
        first = next((line for line in words.splitlines() if "error" in line), words[:200])
        raise UsageError(f"{source} does not compile", first.strip(), words)
