# SPDX-License-Identifier: GPL-2.0-only
"""What the readers of JUnit files take, and what they choke on: facts, each with its reason."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Flavour:
    """A kind of reader.

    Attributes:
        name: what ``--junit-flavour`` takes.
        reader: who reads it.
        because: why its facts are as they are.
        strict: only elements and attributes of the schema junit-10.xsd, which has ``skipped`` in a
            testsuite and not in testsuites; some readers count that and nothing else.
        properties: a testcase may have properties.
        places: a testcase may have the attributes ``file`` and ``line``.
        reruns: ``flakyFailure`` and ``rerunFailure`` are read; else the earlier attempts are told
            in the output.
        zone: timestamps have their offset from UTC; else they are in UTC and do not say so.
        ordered: a testsuite has, in this order, properties, testcases and output, and must say
            when and where it ran.
        message: a failure's attribute ``message`` is read; else only its text.
        attachments: a line ``[[ATTACHMENT|path]]`` of the output names a file.
        output_limit: of a testcase's output, characters; what is longer is cut in its middle.
        text_limit: of a failure's text, characters.
        file_limit: of a file, bytes; a longer report goes into several files. 0: none.
        cases_limit: testcases in a file. 0: none.
    """

    name: str
    reader: str
    because: str
    strict: bool = False
    properties: bool = False
    places: bool = False
    reruns: bool = False
    zone: bool = True
    ordered: bool = False
    message: bool = True
    attachments: bool = False
    output_limit: int = 60_000
    text_limit: int = 60_000
    file_limit: int = 0
    cases_limit: int = 0


_ALL = (
    Flavour(
        "jenkins",
        "Jenkins: the plugins JUnit and xUnit",
        "xUnit refuses what junit-10.xsd does not have, such as a testcase's properties; JUnit"
        " shows flakyFailure and rerunFailure, wants an offset in timestamps, and cuts what is"
        " longer than 100,000 characters",
        strict=True,
        reruns=True,
    ),
    Flavour(
        "gitlab",
        "GitLab: artifacts:reports:junit",
        "files must be smaller than 30 MB and simpler than 250,000 objects, of which a testcase"
        " is about ten; of two testcases of one name the first counts; the attribute file is used,"
        " a failure's message, properties and reruns are not; the first [[ATTACHMENT|path]] is"
        " shown; long output is cut on the page",
        places=True,
        message=False,
        attachments=True,
        output_limit=20_000,
        file_limit=30_000_000,
        cases_limit=20_000,
    ),
    Flavour(
        "github",
        "GitHub: the actions publish-unit-test-result and junit-report",
        "annotations stand at file and line; a check takes 65,535 characters, an annotation"
        " 64,000 bytes; properties are not used",
        places=True,
        reruns=True,
        output_limit=20_000,
        text_limit=15_000,  # four bytes a character, at worst
    ),
    Flavour(
        "azure",
        "Azure DevOps: PublishTestResults",
        "the failure's text becomes the stack trace and the output a file beside it; what it does"
        " not know, such as reruns and properties of a testcase, is lost",
    ),
    Flavour(
        "ant",
        "whatever holds a file against the schema of Ant's JUnit task",
        "its timestamp has no offset and its testsuite needs a hostname; it knows no reruns",
        strict=True,
        zone=False,
        ordered=True,
    ),
    Flavour(
        "generic",
        "dashboards and libraries that skip what they do not know, such as junitparser",
        "everything that any of them takes",
        properties=True,
        places=True,
        reruns=True,
    ),
)
FLAVOURS = {flavour.name: flavour for flavour in _ALL}
JENKINS = FLAVOURS["jenkins"]
"""The default: readers of all flavours but ant take it as well, as far as their limits go."""
