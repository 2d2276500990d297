# Universal image embedding: every step is a file target or a thin call of `python -m package.verb`.
# `make help` lists the commands.

RUN      ?= quickstart
CONFIG   ?= $(RUN)
# Of a run that is there already, whatever its name, the mixture is the one it was trained on.
MIXTURE  ?= $(shell sed -n 's/^mixture: *//p' $(firstword $(wildcard runs/$(RUN)/resolved.yaml train/configs/$(CONFIG).yaml) /dev/null))
POCKET   ?=
KERNEL   ?=
SET      ?=
WORKERS  ?= $(shell nproc 2>/dev/null || echo 2)
PYTHON38 ?=
PYTHON3  ?= python3
VENV     ?= .venv
PYTHON   := $(VENV)/bin/python

RAW_ROOT := $(if $(filter pocket,$(MIXTURE)),$(POCKET),raw)
SHARDS   := shards/$(MIXTURE)
RUN_DIR  := runs/$(RUN)

export NO_ALBUMENTATIONS_UPDATE := 1

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup test test-all lint bench notebooks data train export validate submission upload host-runtime clean

# What cannot work is said before anything is installed.
ifneq ($(filter data train export validate submission upload,$(MAKECMDGOALS)),)
ifeq ($(MIXTURE),)
$(error no runs/$(RUN) and no train/configs/$(CONFIG).yaml; RUN (or CONFIG, for a run of another name) is one of: \
  $(basename $(notdir $(wildcard train/configs/*.yaml))))
endif
ifneq ($(filter upload,$(MAKECMDGOALS)),)
ifeq ($(KERNEL),)
$(error give KERNEL=owner/name, the Kaggle kernel to make or update; owner is your user name there)
endif
endif
ifneq ($(SET),)
ifneq ($(wildcard $(RUN_DIR)/final.ckpt),)
$(info note: $(RUN_DIR) is trained already, with the settings in its resolved.yaml; for SET to count, give another RUN=name CONFIG=$(CONFIG))
endif
endif
ifeq ($(MIXTURE)$(POCKET)$(wildcard $(SHARDS)/manifest.json),pocket)
$(error RUN=$(RUN) needs POCKET=<folder with manifest.csv>)
endif
endif

help:  ## list the commands
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## */\t/' | expand -t 14
	@echo
	@echo "variables: RUN=quickstart|pocket|...  SET='key=value ...'  POCKET=folder  KERNEL=owner/name"

setup: $(VENV)/.installed  ## create .venv and install requirements.txt

$(VENV)/.installed: requirements.txt
	@$(PYTHON3) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "error: Python 3.11 or newer needed, got $$($(PYTHON3) --version); set PYTHON3=..."; exit 1; }
	test -x $(PYTHON) || $(PYTHON3) -m venv $(VENV)
	$(PYTHON) -m pip install --quiet --disable-pip-version-check -r requirements.txt
	touch $@

test: $(VENV)/.installed  ## the default tests: offline, CPU, minutes
	$(PYTHON) -m pytest -q

test-all: $(VENV)/.installed  ## every test that runs without a GPU, the slow ones too
	$(PYTHON) -m pytest -q -m 'not gpu'

lint: $(VENV)/.installed  ## ruff over everything
	$(PYTHON) -m ruff check .

bench: $(VENV)/.installed  ## the figures in benchmarks/RESULTS.md
	$(PYTHON) -m benchmarks.training

notebooks: $(VENV)/.installed  ## run the notebooks in place of the commands
	$(PYTHON) -m pytest -q -m slow tests/test_notebooks.py

host-runtime: $(VENV)/.installed  ## the challenge host's PyTorch 1.11, once, in the user's cache (PYTHON38=python3.8)
	$(PYTHON) -m export.host_runtime $(if $(PYTHON38),--python $(PYTHON38))

data: $(SHARDS)/manifest.json  ## pack the mixture: shards/<mixture>/manifest.json
train: $(RUN_DIR)/final.ckpt  ## train: runs/<run>/final.ckpt
export: $(RUN_DIR)/saved_model.pt  ## TorchScript: runs/<run>/saved_model.pt, export.json
validate: $(RUN_DIR)/validation.json  ## local score: runs/<run>/validation.json, report.html
submission: $(RUN_DIR)/submission.zip  ## everything up to runs/<run>/submission.zip

# Raw data of the sample world is rendered; that of every other mixture is the user's.
raw/.sample_world: | $(VENV)/.installed
	$(PYTHON) -m data_prep.sample_world --out raw --workers $(WORKERS)
	touch $@

ifeq ($(MIXTURE),quickstart)
$(SHARDS)/manifest.json: | raw/.sample_world
endif

$(SHARDS)/manifest.json: | $(VENV)/.installed
	$(PYTHON) -m data_prep.build $(MIXTURE) --raw-root $(RAW_ROOT) --workers $(WORKERS)

$(RUN_DIR)/final.ckpt: $(SHARDS)/manifest.json
	$(PYTHON) -m train.fit $(CONFIG) --run-dir $(RUN_DIR) --resume name=$(RUN) $(SET)

$(RUN_DIR)/saved_model.pt: $(RUN_DIR)/final.ckpt
	$(PYTHON) -m export.convert $< --out $@

$(RUN_DIR)/validation.json: $(RUN_DIR)/saved_model.pt
	$(PYTHON) -m submission.validate $< --shards $(SHARDS)

$(RUN_DIR)/submission.zip: $(RUN_DIR)/validation.json
	$(PYTHON) -m submission.package $(RUN_DIR)

upload: $(RUN_DIR)/submission.zip  ## the only command that writes to Kaggle (KERNEL=owner/name)
	$(PYTHON) -m submission.upload $(RUN_DIR) --kernel $(KERNEL)

clean:  ## remove raw/, shards/ and runs/ (keeps .venv)
	rm -rf raw shards runs
