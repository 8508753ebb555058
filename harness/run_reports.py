# SPDX-License-Identifier: GPL-2.0-only
"""The reports of a run: those of every run folder, those asked for beside them, and when what is
printed may be obeyed."""

import os
import sys
from contextlib import ExitStack
from pathlib import Path

from harness.config import ReportSection
from harness.outputs import Failures, Output, check_outputs
from harness.report.flavour import FLAVOURS
from harness.report.formats import ReportSettings, outputs_of, parse_formats, write_reports
from harness.report.github import no_commands
from harness.report.html import write_html
from harness.report.journal import NAME
from harness.report.junit import write_junit
from harness.report.kcidb import Source
from harness.report.stream import JournalIndex


def report_settings(section: ReportSection, flavour: str | None = None) -> ReportSettings:
    """What reports need of harness.toml; ``flavour`` goes before that of harness.toml."""
    return ReportSettings(
        Source(
            section.kcidb_origin,
            section.kcidb_tree,
            section.kcidb_git_url,
            section.kcidb_git_commit,
        ),
        flavour=flavour or section.junit_flavour,
    )


class RunReports:
    """The reports that a run writes at its end.

    Args:
        asked: as in ``--format``; when empty, those of harness.toml.
        section: ``[report]`` of harness.toml.
        start: folder that relative paths are in.
        flavour: of JUnit, when not that of harness.toml.
        summary: add to a step's summary where ``auto`` says so.

    Raises:
        UsageError: no format is called so.
    """

    def __init__(
        self,
        asked: tuple[str, ...],
        section: ReportSection,
        start: Path,
        flavour: str | None = None,
        *,
        summary: bool = True,
    ) -> None:
        wanted = parse_formats(asked or section.formats, os.environ)
        self._wanted = tuple(one for one in wanted if summary or not one.append)
        self._settings = report_settings(section, flavour)
        self._start = start

    def guard(self, stack: ExitStack) -> None:
        """Until ``stack`` is closed, no line that a guest prints is a command for GitHub."""
        if any(one.name == "github" and one.on_stdout for one in self._wanted):
            stack.enter_context(no_commands(sys.__stdout__ or sys.stdout))

    def check(self, folder: Path, *, junit: Path | None = None, html: Path | None = None) -> None:
        """Looks at every place that will be written to, before there is anything to lose.

        Args:
            folder: the run folder, whether it is there or not.
            junit: further place for junit.xml, or None.
            html: further place for the page, or None.

        Raises:
            UsageError: one cannot be written, is the run's journal, or is another one's.
        """
        outputs = [
            Output("the run's own", folder / "junit.xml", "junit", own=True),
            Output("the run's own", folder / "report.html", "html", own=True),
            *([Output(f"--junit {junit}", self._start / junit, "junit")] if junit else []),
            *([Output(f"--html {html}", self._start / html, "html")] if html else []),
            *outputs_of(self._wanted, folder, self._start),
        ]
        check_outputs(outputs, [folder / NAME])

    def write(self, index: JournalIndex, folder: Path) -> list[Path]:
        """Writes them into the run folder, or where they were asked for; returns the files.

        Raises:
            HostError: one cannot be written.
        """
        settings = self._settings
        return write_reports(index, folder, self._wanted, settings=settings, start=self._start)


def write_folder_reports(
    index: JournalIndex,
    folder: Path,
    flavour: str,
    start: Path,
    *,
    junit: Path | None = None,
    html: Path | None = None,
) -> None:
    """Writes the reports that every run folder has; each is whole or not there.

    One that cannot be written does not keep the others from being written.

    Args:
        index: of the run's journal.
        folder: the run folder.
        flavour: of junit.xml, by name.
        start: folder that attachments are named from.
        junit: further place for junit.xml, or None.
        html: further place for the page, or None.

    Raises:
        HostError: the journal cannot be read, or a report not be written.
    """
    failures = Failures()
    for path in [folder / "junit.xml", *([junit] if junit else [])]:
        with failures.kept():
            write_junit(index, path, FLAVOURS[flavour], files=folder, base=start)
    with failures.kept():
        write_html(index, folder / "report.html")
    if html:
        with failures.kept():
            write_html(index, html, folder=folder)
    failures.tell()
