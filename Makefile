# Two commands for a fresh machine with Python 3.11 or later: `make demo` and `make test`.
# docs/install.md gives the plain pip lines that each stands for.

PYTHON ?= python3
BIN := .venv/bin
DEMO := build/demo

# Its tests run with an engine and without a package of the workstation, as on a board, for the PYTHON that is given.
DEVICE_SIDE := cli core data imaging metrics modelfiles runtime
DEVICE_VENV = build/device-$(shell $(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])')

.PHONY: demo test test-device test-litert test-containers lint types docs release clean

demo: .venv/demo
	mkdir -p $(DEMO)
	$(BIN)/edgevision export examples/checkpoints/classifier.pt -o $(DEMO)/classifier.onnx --force
	$(BIN)/edgevision run classify examples/pictures --model $(DEMO)/classifier.onnx
	$(BIN)/edgevision bench $(DEMO)/classifier.onnx --seconds 3 --json > $(DEMO)/bench.json
	$(BIN)/edgevision bench $(DEMO)/classifier.onnx --seconds 3
	@echo "The model, its report and the measurement are in $(DEMO):"
	@ls $(DEMO)

test: .venv/dev
	$(BIN)/python -m pytest

test-device:
	$(PYTHON) -m venv $(DEVICE_VENV)
	$(DEVICE_VENV)/bin/python -m pip install --quiet --editable '.[cpu,test]' --constraint constraints.txt
	$(DEVICE_VENV)/bin/python -c 'from importlib.util import find_spec as f; assert not (f("torch") or f("onnx"))'
	$(DEVICE_VENV)/bin/python -m pytest $(addprefix tests/,$(DEVICE_SIDE))

# What converts to LiteRT takes 1 GB and contradicts the rest: the tests that need it are left out of `make test`.
test-litert: .venv/dev
	$(PYTHON) -m venv build/litert
	build/litert/bin/python -m pip install --quiet litert-torch torch==2.13.0
	EDGEVISION_LITERT_PYTHON=build/litert/bin/python $(BIN)/python -m pytest -n0 -k "litert or tflite or format" \
		tests/exporters/conversion/test_engine_formats.py tests/exporters/test_int8_export.py

# An image is made without Docker, by chroot (root on Debian 12, with the network), from the Dockerfile's own steps.
test-containers: .venv/dev
	EDGEVISION_CONTAINERS=1 $(BIN)/python -m pytest -n0 tests/product/test_containers.py

lint: .venv/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --config pyproject.toml

types: .venv/dev
	$(BIN)/mypy

docs: .venv/dev
	$(BIN)/python -m mkdocs build --strict

# What the index gets: built and checked, not sent.
release:
	$(PYTHON) -m venv build/release
	build/release/bin/python -m pip install --quiet hatchling twine
	rm -rf dist
	build/release/bin/python -m hatchling build -d dist
	build/release/bin/python -m twine check --strict dist/*

clean:
	rm -rf .venv build dist runs *.egg-info

# The stamps are remade when the dependencies change.
.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/demo: .venv/bin/python pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet --editable '.[export]' --constraint constraints.txt
	@touch $@

.venv/dev: .venv/bin/python pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet --editable '.[dev]' --constraint constraints.txt
	@touch $@
