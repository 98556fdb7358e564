# make try     ask a spoken agent eight questions and hear it answer
# make demo    open a page in the browser and call an agent
# make test    all tests, with the real model
# The first run makes .venv and fetches the model's files (1.4 GB). PYTHON chooses the interpreter.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
EXTRAS := compact,audio,aec,camera,private,server,dev
READY := $(VENV)/.ready
WITH_TORCH := $(VENV)/.with-torch
WITH_PAGE := $(VENV)/.with-page
WITH_CLIENTS := $(VENV)/.with-clients
PIPECAT := $(VENV)/pipecat

.DEFAULT_GOAL := help
.PHONY: help try demo test compat bench lint format clean

help: ## Show this list
	@grep -E '^[a-z]+:.*##' $(firstword $(MAKEFILE_LIST)) | sed 's/:[^#]*##/\t/' | expand -t 10

try: $(READY) ## Ask aloud in English and Chinese, and hear answers that use tools and a memory
	@$(BIN)/omni-agent try $(ARGS)

demo: $(WITH_PAGE) ## Open a page in the browser and call an agent: it hears, sees, speaks, acts
	@$(BIN)/python demos/app.py $(ARGS)

test: $(WITH_TORCH) $(WITH_PAGE) $(WITH_CLIENTS) ## Run all tests; those with the real model fetch it first
	$(BIN)/pytest $(ARGS)

compat: $(WITH_CLIENTS) $(PIPECAT)/.ready ## Run the tests with the clients that others wrote, pipecat among them
	$(BIN)/pytest tests/compat $(ARGS)

bench: $(WITH_TORCH) ## Run the benchmarks; each prints a table and writes JSON
	@$(BIN)/python -m pip install --disable-pip-version-check --quiet -c constraints.txt -e ".[bench]"
	@for file in benchmarks/[a-z]*.py; do \
		grep -q '__main__' $$file || continue; \
		echo "== $$file"; $(BIN)/python $$file $(ARGS) || exit 1; \
	done

lint: $(WITH_TORCH) ## Check style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check --extend-exclude '*.md' .
	$(BIN)/mypy

format: $(READY) ## Put the code in order
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format --extend-exclude '*.md' .

clean: ## Remove the environment and everything made, but not the model files in the cache
	rm -rf $(VENV) out build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Installed anew when the dependencies change, and only then.
$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; v = "%d.%d" % sys.version_info[:2]; sys.exit(0 if sys.version_info >= (3, 11) else "Python 3.11 or newer is needed, and $(PYTHON) is " + v + ". Choose another: make PYTHON=python3.12")'
	@$(PYTHON) -c 'import venv, ensurepip' || { echo "$(PYTHON) lacks the modules venv and ensurepip. On Debian and Ubuntu: sudo apt install python3-venv"; exit 1; }
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV)
	@echo "installing into $(VENV), a minute or two …"
	@$(BIN)/python -m pip install --disable-pip-version-check --quiet -c constraints.txt -e ".[$(EXTRAS)]"
	@touch $@

# PyTorch is large, and only the tests of the Qwen2.5-Omni engine need it.
$(WITH_TORCH): $(READY)
	@echo "installing PyTorch into $(VENV) for the tests …"
	@$(BIN)/python -m pip install --disable-pip-version-check --quiet -c constraints.txt -e ".[qwen]"
	@touch $@

$(WITH_PAGE): $(READY)
	@echo "installing Gradio into $(VENV) for the page …"
	@$(BIN)/python -m pip install --disable-pip-version-check --quiet -c constraints.txt -e ".[demo]"
	@touch $@

$(WITH_CLIENTS): $(READY)
	@echo "installing openai-agents and pydantic-ai into $(VENV) for the tests …"
	@$(BIN)/python -m pip install --disable-pip-version-check --quiet -c constraints.txt -e ".[compat]"
	@touch $@

# Half a gigabyte, and at odds with what the server needs.
$(PIPECAT)/.ready: tests/compat/pipecat.txt | $(READY)
	@echo "installing pipecat into $(PIPECAT) for the tests …"
	@$(BIN)/python -m venv --clear $(PIPECAT)
	@$(PIPECAT)/bin/python -m pip install --disable-pip-version-check --quiet -r $<
	@touch $@
