# SPDX-License-Identifier: GPL-2.0-only
"""``kharness serve``: many runs in one database, and pages, JSON and badges made from it."""
