# SPDX-License-Identifier: GPL-2.0-only
"""What a case is: finding cases in C sources, compiling them, what each of them needs."""
