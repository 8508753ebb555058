# SPDX-License-Identifier: GPL-2.0-only

KERNELS ?=
ARGS ?=

.PHONY: help check test lint bench catalogue clean

help:
	@echo "make check   set everything up and run the cases (KERNELS=\"debian:6.12 ...\" ARGS=\"-k recycled\")"
	@echo "make test    set everything up and run kharness's own tests (ARGS=\"-k protocol\")"
	@echo "make lint    ruff and mypy"
	@echo "make bench   measure against bare QEMU"
	@echo "make catalogue   write docs/cases.md anew"
	@echo "make man     make docs/kharness.1 and docs/harness.schema.json anew"
	@echo "make clean   remove the virtual environment and what tools left"

check:
	@scripts/setup
	@.venv/bin/kharness run $(foreach spec,$(KERNELS),--kernel $(spec)) $(ARGS)

test:
	@scripts/setup --dev
	@.venv/bin/pytest -n auto --dist loadfile --no-loadscope-reorder tests $(ARGS)

lint:
	@scripts/setup --dev
	@.venv/bin/ruff check harness tests scripts/bare.py scripts/bench scripts/faults.py scripts/memory.py scripts/report-bench scripts/scores scripts/serve-bench scripts/soak scripts/steady
	@.venv/bin/ruff format --check harness tests scripts/bare.py scripts/bench scripts/faults.py scripts/memory.py scripts/report-bench scripts/scores scripts/serve-bench scripts/soak scripts/steady
	@.venv/bin/mypy

bench:
	@scripts/setup
	@scripts/bench $(ARGS)

catalogue:
	@scripts/setup
	@.venv/bin/kharness cases --markdown cases > docs/cases.md

man:
	@scripts/setup --dev
	@.venv/bin/python -m harness.manpage >docs/kharness.1
	@.venv/bin/kharness config schema >docs/harness.schema.json

clean:
	rm -rf .venv .venv.lock .venv.log .tox .pytest_cache .mypy_cache .ruff_cache .hypothesis build dist
