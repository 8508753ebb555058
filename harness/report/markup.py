# SPDX-License-Identifier: GPL-2.0-only
"""Text of a guest or a patch in Markdown: it stays text, and it calls nobody.

GitHub and GitLab look for ``@name``, ``#1`` and commit ids after Markdown has been read, so an
entity alone does not stop them; what stands in ``code`` or ``pre`` they leave alone, and a comment
behind the character parts it from the name.
"""

import html
import re

from harness.verdict.text import clean, one_line


def escaped(text: str) -> str:
    """The text in one line of Markdown: never markup, never a new column, a link or a mention."""
    return re.sub(r"&#(?:64|35);(?=\w)", r"\g<0><!-- -->", _entities(text))


def code(text: str) -> str:
    """The text in one line, as code: commit ids and references in it are no links."""
    line = _entities(text)
    return f"<code>{line}</code>" if line else ""


def fenced(text: str) -> list[str]:
    """Lines of a code block; its fence is longer than any row of backticks in the text."""
    text = clean(text)
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", text)), default=0))
    return [f"{fence}text", *text.splitlines(), fence]


def _entities(text: str) -> str:
    line = html.escape(one_line(text), quote=False)
    return re.sub(r"[\\`*_~\[\]|#@$!]|:(?=//)", lambda mark: f"&#{ord(mark[0])};", line)
