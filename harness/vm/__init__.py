# SPDX-License-Identifier: GPL-2.0-only
"""The life of one guest: accelerator, initramfs, QEMU, the agent and its protocol."""
