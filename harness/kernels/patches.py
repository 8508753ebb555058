# SPDX-License-Identifier: GPL-2.0-only
"""Patches: reading them from files, folders and mailboxes, and applying them beside a tree.

Sources: git-format-patch(1), patch(1); public-inbox serves a thread as ``t.mbox.gz``.
"""

import gzip
import mailbox
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

from harness.cache import cache_root, owned
from harness.errors import HostError, KernelError, UsageError
from harness.kernels.source import Source

DIFF = re.compile(r"^(diff --git |--- (a/|/dev/null))", re.MULTILINE)
SUBJECT = re.compile(r"^(?:\[[^\]]*\]\s*)+")
NUMBER = re.compile(r"\[[^\]]*?\bPATCH\b(?P<rest>[^\]]*)\]", re.IGNORECASE)
FROM_LINE = re.compile(rb"^From \S+.*\d{4}", re.MULTILINE)
PATCH_LIMIT = 64 << 20


@dataclass(frozen=True)
class Patch:
    """One patch.

    Attributes:
        name: what to call it: its subject, or its file's name.
        diff: the diff, with whatever stands before it.
        origin: file that it came from.
    """

    name: str
    diff: bytes
    origin: Path

    def paths(self) -> list[str]:
        """Files that it touches, relative to the tree.

        Raises:
            UsageError: a path leads out of the tree.
        """
        found: dict[str, None] = {}
        text = self.diff.decode("utf-8", "surrogateescape")
        for line in text.splitlines():
            match = re.match(r"(?:---|\+\+\+) ([^\t\n]+)|rename (?:from|to) (.+)", line)
            if match is None:
                continue
            name = match[2] or match[1].partition("/")[2]
            if match[1] == "/dev/null" or not name:
                continue
            parts = Path(name).parts
            if name.startswith("/") or ".." in parts:
                raise UsageError(f"{self.origin}: {self.name}: touches {name!r}, out of the tree")
            found[name] = None
        return list(found)


def load_patches(path: Path) -> list[Patch]:
    """The patches of a file, a mailbox or a folder, in the order in which they apply.

    A folder is read in the order of its ``series`` file (quilt) or of its names. In a mailbox the
    numbers of the subjects decide; replies and cover letters are left out, and of several versions
    of a series the newest is taken.

    Raises:
        UsageError: there is none.
    """
    try:
        if path.is_dir():
            files = _in_folder(path)
        elif path.is_file():
            files = [path]
        else:
            raise UsageError(f"no patches at {path}", "give a patch, a mailbox or a folder")
        patches = [patch for file in files for patch in _in_file(file)]
    except (OSError, EOFError, gzip.BadGzipFile) as error:
        raise UsageError(f"cannot read {path}: {error}") from error
    if not patches:
        raise UsageError(f"{path} has no patch in it", "give a patch, a mailbox or a folder")
    return patches


def _in_folder(folder: Path) -> list[Path]:
    series = folder / "series"
    if series.is_file():
        names = [line.split("#")[0].split() for line in series.read_text().splitlines()]
        return [folder / words[0] for words in names if words]
    return sorted(p for p in folder.iterdir() if p.suffix in (".patch", ".diff"))


def _in_file(file: Path) -> Iterator[Patch]:
    data = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
    if len(data) > PATCH_LIMIT:
        raise UsageError(f"{file} is too large for patches")
    if not FROM_LINE.match(data):
        if DIFF.search(data.decode("utf-8", "replace")):
            yield Patch(_subject(data) or file.name, data, file)
        return
    with tempfile.TemporaryDirectory(prefix=owned(".mbox-"), dir=cache_root()) as folder:
        copy = Path(folder) / "mbox"
        copy.write_bytes(data)
        box = mailbox.mbox(copy, create=False)
        messages = [message_from_bytes(m.as_bytes(), policy=policy.default) for m in box]
        box.close()
    yield from _ordered([m for m in messages if isinstance(m, EmailMessage)], file)


def _ordered(messages: Sequence[EmailMessage], file: Path) -> list[Patch]:
    found: list[tuple[int, int, int, Patch]] = []
    for position, message in enumerate(messages):
        subject = " ".join(str(message["subject"] or "").split())
        body = _body(message)
        if not DIFF.search(body.decode("utf-8", "replace")) or subject.lower().startswith("re:"):
            continue
        tag = NUMBER.search(subject)
        rest = tag["rest"] if tag else ""
        version = re.search(r"\bv(\d+)\b", rest)
        number = re.search(r"\b(\d+)/\d+", rest)
        name = SUBJECT.sub("", subject) or file.name
        key = (int(version[1]) if version else 1, int(number[1]) if number else position)
        found.append((*key, position, Patch(name, body, file)))
    newest = max((version for version, *_ in found), default=0)
    return [entry[3] for entry in sorted(found, key=lambda e: e[:3]) if entry[0] == newest]


def _body(message: EmailMessage) -> bytes:
    """The text of a message, transfer encodings undone; a patch may be an attachment."""
    parts = [p for p in message.walk() if p.get_content_maintype() == "text"]
    data = b""
    for part in parts:
        payload = part.get_payload(decode=True)
        data += payload if isinstance(payload, bytes) else b""
    return data.replace(b"\r\n", b"\n")


def _subject(data: bytes) -> str:
    """The subject of a patch that is no mailbox but has headers, as quilt's have."""
    found = re.search(rb"^Subject: (.*(?:\n[ \t].*)*)", data[:4000], re.MULTILINE)
    text = " ".join(found[1].decode("utf-8", "replace").split()) if found else ""
    return SUBJECT.sub("", text)


def apply_patches(source: Source, patches: Sequence[Patch], folder: Path) -> dict[str, Path | None]:
    """Applies patches to copies of the files that they touch.

    Nothing may be fuzzy: a hunk whose context has changed may be in the wrong place.

    Args:
        source: the tree that they apply to; it is read only.
        patches: in order.
        folder: empty folder for the copies.

    Returns:
        Path relative to the tree to the file as patched; None where it was removed.

    Raises:
        KernelError: one does not apply; names patch, file and hunk.
        HostError: no patch(1).
    """
    touched = {name: None for patch in patches for name in patch.paths()}
    for name in touched:
        if (source.folder / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source.folder / name, folder / name)
            (folder / name).chmod((source.folder / name).stat().st_mode & 0o777 | 0o600)
    for patch in patches:
        _apply(patch, folder, source)
    return {name: folder / name if (folder / name).exists() else None for name in touched}


def check_patches(source: Source, patches: Sequence[Patch]) -> None:
    """Looks whether patches apply, before anything is built.

    Args:
        source: the tree that they are to apply to; it is read only.
        patches: in order.

    Raises:
        KernelError: one does not apply; names patch, file and hunk.
        HostError: no patch(1).
    """
    with tempfile.TemporaryDirectory(prefix=owned(".patched-"), dir=cache_root()) as folder:
        apply_patches(source, patches, Path(folder))


def _apply(patch: Patch, folder: Path, source: Source) -> None:
    command = ["patch", "-p1", "-F0", "--forward", "--batch", "--no-backup-if-mismatch", "-r", "-"]
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            input=patch.diff,
            capture_output=True,
            check=False,
            env={**os.environ, "LC_ALL": "C"},
        )
    except FileNotFoundError as error:
        raise HostError("no patch(1)", "apt-get install patch") from error
    if done.returncode == 0:
        return
    words = (done.stdout + done.stderr).decode("utf-8", "replace")
    place = _first_failure(words)
    raise KernelError(
        f"{patch.origin}: '{patch.name}' does not apply to {source.spec}: {place}",
        "bring it forward to this version",
        words,
    )


def _first_failure(words: str) -> str:
    """File and hunk of the first failure in patch(1)'s words."""
    file, lines = "", words.splitlines()
    for number, line in enumerate(lines):
        if match := re.match(r"(?:patching|checking) file (.+?)(?: \(.*)?$", line):
            file = match[1].strip("'")
        elif match := re.match(r"Hunk #(\d+) (?:FAILED|ignored) at (\d+)", line):
            return f"{file}, hunk {match[1]} at line {match[2]}"
        elif "Reversed (or previously applied)" in line:
            return f"{file}: it is in the source already, or was reverted there"
        elif match := re.match(r"patch: \**\s*(malformed patch at line \d+.*|.+)", line):
            return f"{file}: {match[1]}".lstrip(": ")
        elif "can't find file to patch" in line:
            names = [n.split()[1] for n in lines[number:] if re.match(r"\|(---|\+\+\+) ", n)]
            return f"{names[-1].partition('/')[2] if names else 'a file'}: no such file there"
    return lines[-1] if lines else "patch(1) failed"
