# SPDX-License-Identifier: GPL-2.0-only
"""What a suite is: somebody else's programs as cases, and the files that a guest needs for them."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.cache import digest, file_digest
from harness.cases.case import Call, Case, CaseKind, Needs
from harness.vm.initramfs import File

NAMES = tuple(kind.value for kind in CaseKind if kind is not CaseKind.KCASE)
"""What a spec, and so a node id, of a suite begins with."""


@dataclass(frozen=True)
class Suite:
    """A suite.

    Attributes:
        spec: as the user gave it.
        cases: its programs.
        files: absolute path in the guest to file.
        origin: where its programs are: suites of one origin have the same ones.
    """

    spec: str
    cases: tuple[Case, ...]
    files: Mapping[str, File]
    origin: str

    @property
    def digest(self) -> str:
        """Hex digest of everything that it runs and brings along."""
        parts = [repr((c.node, c.call, c.timeout_s)) for c in self.cases]
        for path, file in sorted(self.files.items()):
            content = file.content
            about = digest(content) if isinstance(content, bytes) else file_digest(content)
            parts.append(f"{path} {file.mode:o} {file.link} {about}")
        return digest(*parts)


def program_case(
    kind: CaseKind, group: str, name: str, call: Call, *, source: Path, timeout_s: float | None
) -> Case:
    """One program as a case.

    Args:
        kind: whose conventions it follows.
        group: collection or runtest file; empty for none.
        name: of the program in it.
        call: how it is called.
        source: the program, relative to its suite: what a report shows as its file.
        timeout_s: its own time limit in seconds, or None for the run's.
    """
    mark = {CaseKind.KSELFTEST: ":", CaseKind.LTP: "/"}.get(kind, "")
    classname = ".".join(part.replace(".", "_") for part in (kind.value, group) if part)
    return Case(
        source=source,
        name=name,
        line=0,
        program=None,
        needs=Needs(),
        timeout_s=timeout_s,
        description="",
        promised="",
        slow=False,
        classname=classname.replace("/", "."),
        kind=kind,
        call=call,
        place=f"{kind.value}::{group}{mark}{name}",
    )


def is_suite_node(node: str) -> bool:
    """Whether a node id is of a suite's program: ``kselftest::pidfd:pidfd_open_test``."""
    return node.partition("::")[0] in NAMES and "::" in node
