# SPDX-License-Identifier: GPL-2.0-only
"""Where kernels come from: a Debian package, an image, a built tree."""
