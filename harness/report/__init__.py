# SPDX-License-Identifier: GPL-2.0-only
"""What people read: the journal and everything that is made from it."""
