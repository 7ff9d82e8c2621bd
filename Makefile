# Exploding Gradients. `make` alone lists what you can do.

PYTHON ?= python3
PORT ?= 8000
PY := .venv/bin/python
INSTALLED := .venv/.installed
SITE := _build/.built
SOURCES := _config.yml _toc.yml $(shell find book blowup course tools -type f -not -path '*/.*' -not -path '*__pycache__*')

help: ## list the commands
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' Makefile | while IFS='	' read -r name words; do \
		printf '  make %-9s %s\n' "$$name" "$$words"; done

book: $(INSTALLED) ## execute every notebook and build the site into _build/html
	@$(PY) tools/build.py

slides: $(INSTALLED) ## build the slides of each chapter again, from the chapters that `make book` executed
	@$(PY) tools/slides.py

serve: $(INSTALLED) ## show the built site in a browser (PORT=8000)
	@$(PY) tools/serve.py $(PORT)

test: $(INSTALLED) ## test everything (or one PART=package, site, notebooks, browser)
	@$(PY) tools/test.py $(PART)

curves: $(INSTALLED) ## compute the published learning curves again and show what changed
	@$(PY) tools/curves.py

bench: $(INSTALLED) ## time the training of ensembles against a loop over seeds
	@$(PY) tools/bench.py

questions: $(INSTALLED) ## write the exam questions into _build/questions (PICK="chain-rule-02 across-01" for a paper)
	@$(PY) tools/questions.py $(PICK)

lint: $(INSTALLED) ## check the style of the code, chapters included
	@$(PY) -m ruff check . && $(PY) -m ruff format --check . --exclude '*.ipynb'

address: $(INSTALLED) ## write the repository's address and the version (_config.yml) wherever they are repeated
	@$(PY) tools/address.py && $(PY) tools/labs.py

labs: $(INSTALLED) ## make the labs' notebooks from labs/sources
	@$(PY) tools/labs.py

grade: $(INSTALLED) ## mark a class's notebooks (LAB=gradient-clipping IN=folder OUT=folder)
	@$(PY) tools/grade.py --lab "$(LAB)" --in "$(IN)" --out "$(OUT)" $(if $(NOSANDBOX),--no-sandbox) $(OPTIONS)

clean: ## remove what was built (keeps .venv)
	@rm -rf _build dist .pytest_cache .ruff_cache .hypothesis
	@find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +

$(INSTALLED): requirements.txt pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) not found: install Python 3.11 or later"; exit 1; }
	@$(PYTHON) tools/install.py .venv
	@touch $@

site: $(SITE)

$(SITE): $(INSTALLED) $(SOURCES)
	@$(PY) tools/build.py

.DEFAULT_GOAL := help
.PHONY: help book site serve test curves bench labs lint address clean slides questions grade
