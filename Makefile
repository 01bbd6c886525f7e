# Two commands for a fresh machine with Python 3.11 or later: `make demo` and `make test`.
# README.md gives the plain pip lines that each stands for.

PYTHON ?= python3
BIN := .venv/bin
DEMO := build/demo

.PHONY: demo test lint types clean

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

lint: .venv/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --config pyproject.toml

types: .venv/dev
	$(BIN)/mypy

clean:
	rm -rf .venv build runs *.egg-info

# The stamps are remade when the dependencies change.
.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/demo: .venv/bin/python pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet --editable '.[export]' --constraint constraints.txt
	@touch $@

.venv/dev: .venv/bin/python pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet --editable '.[dev]' --constraint constraints.txt
	@touch $@
