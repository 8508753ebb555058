# SPDX-License-Identifier: GPL-2.0-only
"""Suites of others: kselftest, LTP, any program. What is in them, and what they need in a guest."""
