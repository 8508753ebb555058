# SPDX-License-Identifier: GPL-2.0-only
"""Call traces with files and lines, from a vmlinux with debug information.

Does the job of scripts/decode_stacktrace.sh with nm and addr2line of binutils, which read every
architecture's files. A trace has symbol and offset, so where KASLR put the kernel is no matter.
"""

import os
import re
import shutil
import struct
import subprocess
import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

from harness.errors import HostError, KharnessError, UsageError
from harness.verdict.printk import parse_line
from harness.verdict.splat import Severity, Splat
from harness.verdict.trace import in_tree, pointer

PLACE = re.compile(
    r"(?P<fn>[A-Za-z_$][\w.$]*)\+0x(?P<offset>[0-9a-f]+)/0x(?P<size>[0-9a-f]+)"
    r"(?! \[)"  # a module's: its symbols are not in vmlinux
)
FRAMES_LIMIT = 2000
"""Places looked up in one go; a console has fewer that are of use."""
TIME_LIMIT_S = 120.0
"""addr2line reads all debug information of a vmlinux: seconds, more on a loaded machine."""
RUN_LIMIT_S = 60.0
"""What a run gives for it, in seconds, however many of its cases crash."""


@dataclass(frozen=True)
class Place:
    """A place in the text of a kernel.

    Attributes:
        function: symbol.
        offset: bytes from the symbol.
        size: of the symbol, bytes.
        after_call: the address is that after a call, so the line is that of the byte before it.
    """

    function: str
    offset: int
    size: int
    after_call: bool


class Decoder:
    """Decodes what the cases of a run bring, each place once, and gives up where it costs too much.

    Args:
        vmlinux: of the kernel, or None; one without debug information is of no use.
        budget_s: time for all of it, in seconds.
    """

    def __init__(self, vmlinux: Path | None, budget_s: float = RUN_LIMIT_S) -> None:
        self._vmlinux = vmlinux
        self._left_s = budget_s
        self._known: dict[Place, tuple[str, ...]] = {}
        self._lock = threading.Lock()

    def decode(self, splats: tuple[Splat, ...]) -> tuple[Splat, ...]:
        """The splats with call traces decoded; as they are where that cannot be had.

        It takes no time where no splat is more than information. May be called from any thread.
        """
        if all(splat.severity is Severity.INFO for splat in splats) or self._vmlinux is None:
            return splats
        with self._lock:
            if self._left_s <= 0 or not has_debug_info(self._vmlinux):
                return splats
            found = [_places(splat.lines) for splat in splats]
            all_places = dict.fromkeys(place for many in found for place in many)
            new = [place for place in all_places if place not in self._known][:FRAMES_LIMIT]
            start = time.monotonic()
            try:
                self._known |= {
                    **dict.fromkeys(new, ()),
                    **_resolve(new, self._vmlinux, self._left_s),
                }
            except KharnessError:
                self._left_s = 0.0
            self._left_s -= time.monotonic() - start
            return _with_places(splats, found, self._known)


def has_debug_info(vmlinux: Path) -> bool:
    """Does an ELF file for 64 bits, little-endian, have DWARF? Its section names are read only."""
    try:
        with vmlinux.open("rb") as file:
            header = file.read(64)
            if header[:6] != b"\x7fELF\x02\x01":
                return False
            (offset,) = struct.unpack_from("<Q", header, 0x28)
            size, _, names = struct.unpack_from("<HHH", header, 0x3A)
            file.seek(offset + names * size + 0x18)
            where, length = struct.unpack("<QQ", file.read(16))
            file.seek(where)
            return b"\0.debug_info\0" in file.read(min(length, 1 << 20))
    except (OSError, struct.error):
        return False


def decode_splats(splats: Sequence[Splat], vmlinux: Path) -> tuple[Splat, ...]:
    """The splats with their call traces decoded.

    Args:
        splats: as found in a console.
        vmlinux: ELF file with symbols and debug information.

    Raises:
        HostError: nm or addr2line is missing, or does not end.
        UsageError: the file cannot be read as a kernel with debug information.
    """
    found = [_places(splat.lines) for splat in splats]
    places = list(dict.fromkeys(place for many in found for place in many))[:FRAMES_LIMIT]
    known = _resolve(places, vmlinux, TIME_LIMIT_S) if places else {}
    return _with_places(splats, found, known)


def _with_places(
    splats: Sequence[Splat], found: Sequence[list[Place]], known: dict[Place, tuple[str, ...]]
) -> tuple[Splat, ...]:
    return tuple(
        replace(splat, decoded=tuple(line for place in many for line in known.get(place, ())))
        for splat, many in zip(splats, found, strict=True)
    )


def _places(lines: Iterable[str]) -> list[Place]:
    """The places in a report, in order, each once."""
    places: dict[Place, None] = {}
    for number, raw in enumerate(lines, 1):
        for line in parse_line(number, raw):
            if line.text.lstrip().startswith("? "):
                continue
            running = bool(pointer(line.text)) or line.text.startswith(("WARNING", "BUG"))
            for match in PLACE.finditer(line.text):
                offset, size = int(match["offset"], 16), int(match["size"], 16)
                if offset <= size:
                    places[Place(match["fn"], offset, size, not running)] = None
    return list(places)


def _resolve(
    places: Sequence[Place], vmlinux: Path, limit_s: float
) -> dict[Place, tuple[str, ...]]:
    start = time.monotonic()
    symbols = _symbols({place.function for place in places}, vmlinux, limit_s)
    limit_s = max(limit_s - (time.monotonic() - start), 0.1)
    wanted = [
        (place, address + max(place.offset - place.after_call, 0))
        for place in places
        for address in symbols.get((place.function, place.size), ())[:1]
    ]
    command = [_tool("addr2line"), "--inlines", "--functions", "--addresses", "-e", str(vmlinux)]
    asked = "".join(f"{address:#x}\n" for _, address in wanted)
    answers = _answers(_run(command, asked, limit_s)) if wanted else {}
    return {
        place: tuple(f"{fn} ({_short(where)})" for fn, where in answers.get(address, ()))
        for place, address in wanted
    }


def _symbols(
    names: set[str], vmlinux: Path, limit_s: float
) -> dict[tuple[str, int], tuple[int, ...]]:
    """Addresses by name and size; %pS counts the padding up to the next symbol to the size."""
    text = _run([_tool("nm"), "--numeric-sort", str(vmlinux)], "", limit_s)
    addresses: list[tuple[int, str]] = []
    for line in text.splitlines():
        parts = line.split()
        if len(parts) == 3 and parts[1] in "tTwW":
            addresses.append((int(parts[0], 16), parts[2]))
    if not addresses:
        raise UsageError(f"{vmlinux} has no symbols", "give a vmlinux that is not stripped")
    found: dict[tuple[str, int], tuple[int, ...]] = {}
    ends = sorted({address for address, _ in addresses})
    following = dict(pairwise(ends))
    for address, name in addresses:
        if name in names:
            key = (name, following.get(address, address) - address)
            found[key] = (*found.get(key, ()), address)
    return found


def _answers(text: str) -> dict[int, list[tuple[str, str]]]:
    """addr2line's answer: an address, then function and place, for each inlined one again."""
    answers: dict[int, list[tuple[str, str]]] = {}
    current: list[tuple[str, str]] = []
    function = ""
    for line in text.splitlines():
        if re.fullmatch(r"0x[0-9a-f]+", line):
            current = answers.setdefault(int(line, 16), [])
            function = ""
        elif not function:
            function = line
        else:
            if not line.startswith("??"):
                current.append((function, line))
            function = ""
    return answers


def _short(where: str) -> str:
    """Where in the kernel's tree, and not where that was when it was compiled."""
    return in_tree(os.path.normpath(re.sub(r" \(discriminator \d+\)", "", where)))


def _tool(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        raise HostError(f"{name} is missing", "apt-get install binutils")
    return path


def _run(command: list[str], text: str, limit_s: float) -> str:
    try:
        done = subprocess.run(
            command,
            input=text,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=limit_s,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise HostError(f"{Path(command[0]).name} did not end in {limit_s:g} s") from error
    if done.returncode:
        why = done.stderr.strip().splitlines()
        raise UsageError(f"cannot decode with {command[-1]}: {why[-1] if why else 'no reason'}")
    return done.stdout
