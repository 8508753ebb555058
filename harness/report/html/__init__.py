# SPDX-License-Identifier: GPL-2.0-only
"""report.html: a run as one page to look at. Everything in it is made from the journal."""

from harness.report.html.page import html_pieces, html_text, write_html

__all__ = ["html_pieces", "html_text", "write_html"]
