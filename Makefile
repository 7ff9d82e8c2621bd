# Exploding Gradients. `make` alone lists what you can do.

PYTHON ?= python3
PORT ?= 8000
PY := .venv/bin/python
INSTALLED := .venv/.installed

help: ## list the commands
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' Makefile | while IFS='	' read -r name words; do \
		printf '  make %-9s %s\n' "$$name" "$$words"; done

book: $(INSTALLED) ## build the site into _build/html; executes what has changed
	@$(PY) -m tools.site.build

preview: $(INSTALLED) ## show one page and make it again as you write it (CHAPTER=chain-rule PORT=8000)
	@$(PY) -m tools.site.preview "$(CHAPTER)" "$(PORT)"

slides: $(INSTALLED) ## build the slides of each chapter again, from the chapters that `make book` executed
	@$(PY) -m tools.handouts.slides

serve: $(INSTALLED) ## show the built site in a browser (PORT=8000)
	@$(PY) -m tools.site.serve "$(PORT)"

test: $(INSTALLED) ## test everything (or one PART=package, site, notebooks, browser)
	@$(PY) -m tools.upkeep.run_tests $(PART)

curves: $(INSTALLED) ## compute the published learning curves again and show what changed
	@$(PY) -m tools.upkeep.publish_curves

reroll: $(INSTALLED) ## run chapters, solutions and questions with other seeds and count the checks that fail (CHAPTER= TIMES=5 FIRST=1)
	@OMP_WAIT_POLICY=passive $(PY) -m tools.proof.reroll --chapter "$(CHAPTER)" --times "$(or $(TIMES),5)" --first "$(or $(FIRST),1)"

mutants: $(INSTALLED) ## break the experiment behind every law and see its check fail (CHAPTER=)
	@OMP_WAIT_POLICY=passive $(PY) -m tools.proof.mutants --chapter "$(CHAPTER)"

bench: $(INSTALLED) ## time the training of ensembles against a loop over seeds
	@$(PY) -m tools.upkeep.bench

questions: $(INSTALLED) ## write the exam questions into _build/questions (PICK="chain-rule-02 across-01" for a paper)
	@$(PY) -m tools.handouts.questions $(PICK)

lint: $(INSTALLED) ## check the style of the code, chapters included
	@$(PY) -m ruff check . && $(PY) -m ruff format --check . --exclude '*.ipynb'

address: $(INSTALLED) ## write the repository's address and the version (_config.yml) wherever they are repeated
	@$(PY) -m tools.upkeep.address && $(PY) -m tools.labs.derive

labs: $(INSTALLED) ## make the labs' notebooks from labs/sources
	@$(PY) -m tools.labs.derive

grade: $(INSTALLED) ## mark a class's notebooks (LAB=gradient-clipping IN=folder OUT=folder)
	@$(PY) -m tools.marking.grade --lab "$(LAB)" --in "$(IN)" --out "$(OUT)" $(if $(NOSANDBOX),--no-sandbox) $(OPTIONS)

clean: ## remove what was built (keeps .venv)
	@rm -rf _build dist .pytest_cache .ruff_cache .hypothesis
	@find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +
	@echo "removed what was built and what was kept of it; .venv stays"

$(INSTALLED): requirements.txt pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) not found: install Python 3.11 or later"; exit 1; }
	@$(PYTHON) -m tools.upkeep.install .venv
	@touch $@

.DEFAULT_GOAL := help
.PHONY: help book preview serve test curves bench labs lint address clean slides reroll mutants questions grade
