# SPDX-License-Identifier: GPL-2.0-only
"""What happened: pure functions from text to outcomes."""
