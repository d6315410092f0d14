# Everything a checkout needs: `make demo` and `make test` set it up by themselves.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
DEVELOPMENT := $(VENV)/.development
BROWSER := $(VENV)/.browser
DEMO := demo/$(shell date -u +%Y%m%d-%H%M%S)

.DEFAULT_GOAL := help
.PHONY: help install browser demo bench test test-slow test-gpu fuzz lint format lock audit clean

help: ## list the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "  %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(DEVELOPMENT) $(BROWSER) ## make .venv with everything for use and development

$(INSTALLED): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed: make PYTHON=python3.11"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing into $(VENV)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	@touch $@

$(DEVELOPMENT): $(INSTALLED)
	@echo "installing what development needs"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[dev]"
	@touch $@

# The tests of the report page drive a Chromium: the one on the machine, else Debian's, else Playwright's own.
browser: $(BROWSER)

$(BROWSER): $(DEVELOPMENT)
	@if command -v chromium || command -v chromium-browser || command -v google-chrome; then true; \
	elif command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ]; then \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium >/dev/null; \
	else $(BIN)/playwright install chromium; fi
	@touch $@

demo: $(INSTALLED) ## train and compare four models on SCAN, write the report; under 10 minutes on 2 cores
	$(BIN)/s2s-train -m experiment=demo experiment_name=$(DEMO) model=rnn,lstm,gru,gru_attention seed=1,2
	$(BIN)/s2s-evaluate -m runs=[outputs/$(DEMO)] decoding=greedy,beam
	$(BIN)/s2s-compare outputs/$(DEMO)
	$(BIN)/s2s-report outputs/$(DEMO) -o outputs/$(DEMO)/report.html

bench: $(INSTALLED) ## measure speed and where the time goes, about 10 minutes on 2 cores; ARGS="--data DATA ..." for more
	$(BIN)/python -m experiments.speed bench $(ARGS)

test: $(DEVELOPMENT) $(BROWSER) ## run the tests
	$(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder -q

test-slow: $(DEVELOPMENT) $(BROWSER) ## run the tests that take minutes
	$(BIN)/python -m pytest -q -m slow

test-gpu: $(DEVELOPMENT) ## run the tests that need a CUDA device
	$(BIN)/python -m pytest -q -m gpu

fuzz: $(DEVELOPMENT) ## try TIMES=20 times as many hostile inputs as `make test` does, other ones each time
	S2S_LAB_FUZZ=$(or $(TIMES),20) $(BIN)/python -m pytest tests/fuzz -q -s

lint: $(DEVELOPMENT) ## check style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright --pythonpath $(BIN)/python

format: $(DEVELOPMENT) ## put code into the house's format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lock: $(DEVELOPMENT) ## write the exact versions of everything installed for the project into constraints.txt
	@$(BIN)/python .ci/lock.py > constraints.txt.new && mv constraints.txt.new constraints.txt
	@touch $(INSTALLED) $(DEVELOPMENT)

AUDIT := $(VENV)-audit
audit: ## look the locked versions up in PyPI's list of known vulnerabilities; asks the network
	@test -x $(AUDIT)/bin/pip-audit || { $(PYTHON) -m venv $(AUDIT) && $(AUDIT)/bin/python -m pip install --quiet pip-audit==2.10.1; }
	$(AUDIT)/bin/pip-audit --strict --no-deps --disable-pip --vulnerability-service pypi --requirement constraints.txt

clean: ## remove the environment and caches
	rm -rf $(VENV) $(VENV)-audit .pytest_cache .ruff_cache .hypothesis build dist
