# SPDX-License-Identifier: GPL-2.0-only
"""The formats of a report, by name, and writing those that were asked for.

A format's module is imported when it is written: names are needed more often, for help, completion
and errors.
"""

import difflib
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import HostError, UsageError

if TYPE_CHECKING:
    from harness.outputs import Output
    from harness.report.journal import Journal
    from harness.report.kcidb import Source
    from harness.report.stream import JournalIndex

STDOUT = "-"
AUTO = "auto"
SUMMARY_LIMIT = 1 << 20
"""Bytes of a step's summary on GitHub ("Workflow commands", "Step isolation and limits")."""


@dataclass(frozen=True)
class ReportSettings:
    """What reports need to know beside the journal.

    Attributes:
        source: where results and kernel come from, for KCIDB; None for its defaults.
        limit: bytes that Markdown may have; None for what a comment on GitHub may have.
        flavour: of JUnit, by name (:mod:`harness.report.flavour`).
        base: from the report's folder to the run folder, for links; empty when it lies there.
    """

    source: "Source | None" = None
    limit: int | None = None
    flavour: str = "jenkins"
    base: str = ""


Render = Callable[["JournalIndex", ReportSettings], Iterator[str]]


@dataclass(frozen=True)
class Format:
    """A format.

    Attributes:
        name: as in ``--format``.
        file: its file in the run folder; empty for one that goes to stdout.
        description: one line.
        render: from a journal to the text, in pieces: no report is held whole.
    """

    name: str
    file: str
    description: str
    render: Render

    def text(self, source: "JournalIndex | Journal", settings: ReportSettings) -> str:
        """The whole text, whatever its size."""
        from harness.report.stream import opened  # noqa: PLC0415

        with opened(source) as index:
            return "".join(self.render(index, settings))


@dataclass(frozen=True)
class Wanted:
    """A report that was asked for.

    Attributes:
        name: of its format.
        to: a file, ``-`` for stdout, or empty for the format's own place.
        append: after what is in the file, as a step's summary wants it.
    """

    name: str
    to: str = ""
    append: bool = False

    @property
    def on_stdout(self) -> bool:
        """It is printed."""
        return self.to == STDOUT or (not self.to and not FORMATS[self.name].file)

    def place(self, folder: Path, start: Path) -> Path:
        """The file of one that is not printed.

        Args:
            folder: run folder, for one that names no place.
            start: folder that a relative path is in.
        """
        return start / Path(self.to).expanduser() if self.to else folder / FORMATS[self.name].file


def _junit(index: "JournalIndex", settings: ReportSettings) -> Iterator[str]:
    from harness.report.flavour import FLAVOURS  # noqa: PLC0415
    from harness.report.junit import junit_pieces  # noqa: PLC0415

    return junit_pieces(index, FLAVOURS[settings.flavour])


def _html(index: "JournalIndex", settings: ReportSettings) -> Iterator[str]:
    from harness.report.html import html_pieces  # noqa: PLC0415

    return html_pieces(index, base=settings.base)


def _json(index: "JournalIndex", _: ReportSettings) -> Iterator[str]:
    from harness.report.results import results_json  # noqa: PLC0415

    return results_json(index)


def _markdown(index: "JournalIndex", settings: ReportSettings) -> Iterator[str]:
    from harness.report.markdown import COMMENT_LIMIT, markdown  # noqa: PLC0415

    yield markdown(index, settings.limit or COMMENT_LIMIT)


def _github(index: "JournalIndex", _: ReportSettings) -> Iterator[str]:
    from harness.report.github import annotations  # noqa: PLC0415

    return annotations(index)


def _gitlab(index: "JournalIndex", _: ReportSettings) -> Iterator[str]:
    from harness.report.gitlab import code_quality  # noqa: PLC0415

    return code_quality(index)


def _teamcity(index: "JournalIndex", _: ReportSettings) -> Iterator[str]:
    from harness.report.teamcity import messages  # noqa: PLC0415

    return messages(index)


def _kcidb(index: "JournalIndex", settings: ReportSettings) -> Iterator[str]:
    from harness.report.kcidb import kcidb  # noqa: PLC0415

    return kcidb(index, settings.source)


def _tap(index: "JournalIndex", _: ReportSettings) -> Iterator[str]:
    from harness.report.tap import tap  # noqa: PLC0415

    return tap(index)


FORMATS: dict[str, Format] = {
    row.name: row
    for row in (
        Format("junit", "junit.xml", "JUnit XML; always in the run folder", _junit),
        Format("html", "report.html", "one page to look at; always in the run folder", _html),
        Format("json", "results.json", "everything, as one JSON document", _json),
        Format("markdown", "summary.md", "for a pull request or GITHUB_STEP_SUMMARY", _markdown),
        Format("github", "", "annotations for GitHub Actions, on stdout", _github),
        Format("gitlab", "gl-code-quality.json", "findings for GitLab's merge requests", _gitlab),
        Format("teamcity", "", "service messages for TeamCity, on stdout", _teamcity),
        Format("kcidb", "kcidb.json", "KCIDB JSON v5.3 for KernelCI", _kcidb),
        Format("tap", "results.tap", "TAP version 13", _tap),
    )
}


def parse_formats(words: Sequence[str], environment: Mapping[str, str]) -> tuple[Wanted, ...]:
    """What ``--format`` asks for.

    Args:
        words: each ``NAME``, ``NAME=FILE``, ``NAME=-`` or several with commas; ``auto`` stands for
            what the CI system wants that this runs in.
        environment: variables that tell which one it is.

    Raises:
        UsageError: no format is called so.
    """
    found: list[Wanted] = []
    for word in (part for words_ in words for part in words_.split(",") if part.strip()):
        name, equals, to = word.strip().partition("=")
        if name == AUTO and not equals:
            found += automatic(environment)
        elif name not in FORMATS:
            near = difflib.get_close_matches(name, [*FORMATS, AUTO], 1, 0.5)
            known = f"known: {', '.join([*FORMATS, AUTO])}"
            hint = f"did you mean {near[0]}?" if near else known
            raise UsageError(f"--format {word.strip()}: no format is called {name!r}", hint)
        elif equals and not to:
            raise UsageError(
                f"--format {word.strip()}: a file is missing", f"{name}=FILE or {name}=-"
            )
        else:
            found.append(Wanted(name, to))
    return tuple(dict.fromkeys(found))


def automatic(environment: Mapping[str, str]) -> list[Wanted]:
    """What the CI system wants that this runs in; nothing outside of those that are known."""
    found: list[Wanted] = []
    if environment.get("GITHUB_ACTIONS") == "true":
        found.append(Wanted("github"))
        if summary := environment.get("GITHUB_STEP_SUMMARY"):
            found.append(Wanted("markdown", summary, append=True))
    if environment.get("GITLAB_CI"):
        found.append(Wanted("gitlab"))
    if environment.get("TEAMCITY_VERSION"):
        found.append(Wanted("teamcity"))
    return found


def write_reports(
    source: "JournalIndex | Journal",
    folder: Path,
    wanted: Sequence[Wanted],
    *,
    settings: ReportSettings | None = None,
    start: Path | None = None,
) -> list[Path]:
    """Writes reports, each whole or not at all; returns the files, in order.

    One that cannot be written does not keep the others from being written.

    Args:
        source: the run's journal.
        folder: run folder, for those that name no place.
        wanted: what to write; what goes to stdout comes last.
        settings: what they need to know beside the journal.
        start: folder that relative paths are in; the current one when not given.

    Raises:
        HostError: one cannot be written.
    """
    from harness.outputs import Failures  # noqa: PLC0415
    from harness.report.stream import opened  # noqa: PLC0415

    settings = settings or ReportSettings()
    files: list[Path] = []
    failures = Failures()
    with opened(source) as index:
        for one in sorted(wanted, key=lambda one: one.on_stdout):
            with failures.kept():
                if one.on_stdout:
                    _print(FORMATS[one.name].render(index, settings))
                    continue
                path = one.place(folder, start or Path.cwd())
                base = os.path.relpath(folder, path.parent) if path.parent != folder else ""
                _write(index, one, path, replace(settings, base=base))
                files.append(path)
    failures.tell()
    return files


def outputs_of(wanted: Sequence[Wanted], folder: Path, start: Path) -> "list[Output]":
    """The files that reports will be written to.

    Args:
        wanted: the reports; those that are printed have none.
        folder: run folder, for those that name no place.
        start: folder that relative paths are in.
    """
    from harness.outputs import Output  # noqa: PLC0415

    return [
        Output(
            f"--format {one.name}={one.to}" if one.to else f"--format {one.name}",
            one.place(folder, start),
            one.name,
            own=one.append or not one.to,
        )
        for one in wanted
        if not one.on_stdout
    ]


def _write(index: "JournalIndex", one: Wanted, path: Path, settings: ReportSettings) -> None:
    from harness.outputs import cannot_write, write_whole  # noqa: PLC0415

    render = FORMATS[one.name].render
    try:
        if one.append:
            size = path.stat().st_size if path.exists() else 0
            room = replace(settings, limit=max(4096, SUMMARY_LIMIT - size - 1))
            text = "".join(render(index, room))
            if size and text.encode() in path.read_bytes():
                return  # the same of the same run, a command before
            with path.open("a", encoding="utf-8") as stream:
                stream.write(text)
            return
        write_whole(path, render(index, settings))
    except OSError as error:
        raise cannot_write(path, error) from error


def _print(pieces: Iterable[str]) -> None:
    # pytest puts another file in sys.stdout while a test runs.
    stream = sys.__stdout__ or sys.stdout
    stream.flush()
    buffer = getattr(stream, "buffer", None)
    try:
        for text in pieces:
            if buffer is None:
                stream.write(text)
            else:
                buffer.write(text.encode())
        stream.flush()
    except BrokenPipeError:
        raise  # the reader has seen enough
    except OSError as error:
        raise HostError(f"cannot print a report: {os.strerror(error.errno or 0)}") from error
