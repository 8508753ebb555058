# SPDX-License-Identifier: GPL-2.0-only

KERNELS ?=
ARGS ?=

.PHONY: help check test lint bench clean

help:
	@echo "make check   set everything up and run the cases (KERNELS=\"debian:6.12 ...\" ARGS=\"-k recycled\")"
	@echo "make test    set everything up and run kharness's own tests (ARGS=\"-k protocol\")"
	@echo "make lint    ruff and mypy"
	@echo "make bench   measure against bare QEMU"
	@echo "make clean   remove the virtual environment and what tools left"

check:
	@scripts/setup
	@.venv/bin/kharness run $(foreach spec,$(KERNELS),--kernel $(spec)) $(ARGS)

test:
	@scripts/setup --dev
	@.venv/bin/pytest -n auto --dist loadfile tests $(ARGS)

lint:
	@scripts/setup --dev
	@.venv/bin/ruff check harness tests scripts/bare.py scripts/bench
	@.venv/bin/ruff format --check harness tests scripts/bare.py scripts/bench
	@.venv/bin/mypy

bench:
	@scripts/setup
	@.venv/bin/python scripts/bench $(ARGS)

clean:
	rm -rf .venv .venv.lock .venv.log .tox .pytest_cache .mypy_cache .ruff_cache .hypothesis build dist
