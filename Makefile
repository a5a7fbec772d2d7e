# Two commands for users: `make reproduce` and `make test`. Needs Python 3.11 or newer, make and git.
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
PYTHON ?= python3
CORES ?= all
# Compiled modules are kept: without them every job starts much later.
unexport PYTHONDONTWRITEBYTECODE
BIN := .venv/bin
# pip itself first: the one that comes with Python may be much slower with so many packages.
INSTALL := pip install --quiet --no-compile --disable-pip-version-check
# Snakemake, pip and matplotlib keep caches in the home folder; where it may not be written to, here.
ifneq ($(shell [ "$${XDG_CACHE_HOME:-}" ] || [ -w ~/.cache ] || { [ ! -e ~/.cache ] && [ -d ~ ] && [ -w ~ ]; } || echo none),)
export XDG_CACHE_HOME := $(CURDIR)/.cache
export MPLCONFIGDIR ?= $(CURDIR)/.cache/matplotlib
endif

.PHONY: help reproduce tour audit crate import publish paper rehearse rehearse-part pin-revisions test test-slow test-default-run test-places test-slow-rest test-all check benchmark pins clean
help:
	@echo "make reproduce   set up .venv and run the mini reproduction: figures/, results/"
	@echo "make paper       set up .venv-paper and run the paper's scale, config/paper.yaml: needs GPUs and the model hub"
	@echo "make rehearse    the same on two cores, with stand-ins from a loopback hub; MODELS=\"...\" for some of them; in rehearsal/"
	@echo "make pin-revisions  write the hub's present commits, licences and gates into config/models_paper.tsv and corpora.tsv"
	@echo "make test        set up .venv and run the checks and tests (about 20 minutes on 2 cores)"
	@echo "make test-all    the tests that are slow, too"
	@echo "make tour        results/report/tour.html: the run as a guided tour, by snakemake --report"
	@echo "make audit       check every artifact of the run: digests, chain, meaning, a sample made again"
	@echo "make crate       results/crate.zip: the run as an RO-Crate, to send to others"
	@echo "make import FROM=...   start from a published run: a crate, an https address, a repository of the hub; FEATURES=all with features"
	@echo "make publish TO=ORGANISATION/NAME   publish the run on the hub; FEATURES=\"...\" or all: with features, where licences allow it"
	@echo "make publish TO=https://zenodo.org   the same as a draft on Zenodo, which you publish there"
	@echo "make check       lint, format and spelling only"
	@echo "make benchmark   the speed of the alignment engine against the plain algorithm, and of planning a large run"
	@echo "make pins        write requirements*.txt anew from requirements*.in"
	@echo "make clean       remove results and figures; keeps downloads and models"

.venv/run: requirements.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.12 ...")'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m $(INSTALL) $$(grep ^pip= requirements.txt)
	$(BIN)/python -m $(INSTALL) -r requirements.txt
	touch $@

.venv/test: .venv/run requirements-test.txt
	$(BIN)/python -m $(INSTALL) -r requirements-test.txt
	touch $@

.venv-paper/run: requirements-paper.txt
	test -x .venv-paper/bin/python || $(PYTHON) -m venv .venv-paper
	.venv-paper/bin/python -m $(INSTALL) $$(grep ^pip= requirements-paper.txt)
	.venv-paper/bin/python -m $(INSTALL) -r requirements-paper.txt
	touch $@

reproduce: .venv/run
	$(BIN)/snakemake --cores $(CORES)

tour: .venv/run
	$(BIN)/snakemake --cores $(CORES) --report results/report/tour.html --report-stylesheet report/style.css

audit: .venv/run
	$(BIN)/python scripts/audit.py

crate: .venv/run
	$(BIN)/snakemake --cores $(CORES) crate

import: .venv/run
	$(BIN)/python scripts/share.py import "$(FROM)" --features "$(FEATURES)"

publish: crate
	$(BIN)/python scripts/share.py publish "$(TO)" --features "$(FEATURES)"

paper: .venv-paper/run
	.venv-paper/bin/snakemake --cores $(CORES) --configfile config/paper.yaml

rehearse: .venv-paper/run
	REHEARSE="$(MODELS)" .venv-paper/bin/python -m pytest --basetemp=rehearsal tests/rehearsal

# One model of each kind of repository: pickled, sharded, gated, with experts; the models that single figures name.
rehearse-part:
	$(MAKE) rehearse MODELS="bloomz-560m open_llama_3b llama-65b gemma-2b mixtral-8x7b \
	    vit_tiny_patch16_224.augreg_in21k vit_giant_patch14_dinov2.lvd142m"

pin-revisions: .venv/run
	PYTHONPATH=scripts $(BIN)/python -m prh.sources.pins config/models_paper.tsv config/corpora.tsv

check: .venv/test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check Snakefile rules
	$(BIN)/snakemake --lint
	$(BIN)/codespell

test: check
	$(BIN)/python -m pytest -m "not slow" --durations=20

# In parts, so that `make --jobs` has them side by side.
test-slow: test-default-run test-places test-slow-rest

test-default-run: .venv/test
	$(BIN)/python -m pytest -m slow tests/workflow/test_mini.py

# Where the rules run: conda's environments, SLURM.
test-places: .venv/test
	$(BIN)/python -m pytest -m slow --durations=5 tests/conda tests/slurm

test-slow-rest: .venv/test
	$(BIN)/python -m pytest -m slow --durations=20 --ignore=tests/workflow/test_mini.py --ignore=tests/conda --ignore=tests/slurm

test-all: test test-slow

benchmark: .venv/test
	$(BIN)/python benchmarks/alignment.py
	$(BIN)/python benchmarks/dag.py

pins:
	rm -rf .venv/pins && $(PYTHON) -m venv .venv/pins
	.venv/pins/bin/python -m pip install --quiet -r requirements.in
	.venv/pins/bin/python -m pip freeze --all | sed 's/+cpu//' > requirements.txt
	.venv/pins/bin/python -m pip install --quiet -r requirements-test.in
	(echo "-r requirements.txt"; .venv/pins/bin/python -m pip freeze --all | sed 's/+cpu//' | grep -vxFf requirements.txt) > requirements-test.txt
	rm -rf .venv/pins && $(PYTHON) -m venv .venv/pins
	(grep -v '^torch==' requirements.in; cat requirements-paper.in) > .venv/pins/paper.in
	.venv/pins/bin/python -m pip install --quiet -r .venv/pins/paper.in
	.venv/pins/bin/python -m pip freeze --all | sed 's/+.*//' > requirements-paper.txt
	rm -rf .venv/pins

# All but what was fetched.
FETCHED := corpora data models packages
clean:
	rm -rf $(filter-out $(FETCHED:%=results/%) results/README.md results/records,$(wildcard results/*))
	rm -rf $(filter-out $(FETCHED:%=results/records/results/%),$(wildcard results/records/results/*)) results/records/figures
	rm -rf $(filter-out figures/README.md,$(wildcard figures/*))
