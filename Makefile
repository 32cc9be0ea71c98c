# PneumoScreen: what can be done from here. `make` alone prints the list.
#
# The environment is made by the first target that needs it and renewed when a requirements file changes:
# two stamp files inside .venv tell what is installed. Nothing is needed beforehand but Python 3.11 and make.
#
#   PYTHON=python3.11      the interpreter that makes .venv
#   PIP_ARGS='...'         further arguments for pip, e.g. --no-index --find-links wheelhouse

VENV     := .venv
BIN      := $(VENV)/bin
RUN      := $(VENV)/.installed-run
DEV      := $(VENV)/.installed-test
OUT      ?= demo-output
STUDIES  ?=
CT       ?=
OHIF     ?=
PYTHON   ?=
PIP_ARGS ?=
ARGS     ?=
# Read by the target `test`: worker processes of pytest.
JOBS     ?= 2

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

.PHONY: help
help:  ## this list
	@awk -F ':.*## ' '/^[a-z_-]+:.*## / {printf "  make %-18s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

# ---- environment ---------------------------------------------------------------------------------------------------

$(BIN)/python:
	@python='$(PYTHON)'; \
	for candidate in $${python:-python3.11 python3}; do \
	    if "$$candidate" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null; then found="$$candidate"; break; fi; \
	done; \
	if [ -z "$$found" ]; then echo "PneumoScreen needs Python 3.11: install it, or name it with PYTHON=/path/to/python3.11" >&2; exit 1; fi; \
	echo "making $(VENV) with $$found"; \
	if "$$found" -c 'import ensurepip' 2>/dev/null; then "$$found" -m venv $(VENV); \
	elif "$$found" -m pip --version >/dev/null 2>&1; then \
	    "$$found" -m venv --without-pip $(VENV) && "$$found" -m pip --python $(VENV)/bin/python install --quiet $(PIP_ARGS) pip; \
	else echo "$$found can make no environment: install the Debian package python3-venv" >&2; exit 1; fi

$(RUN): requirements.txt pyproject.toml | $(BIN)/python
	@echo "installing requirements.txt (some minutes the first time)"
	@$(BIN)/python -m pip install --quiet --quiet --disable-pip-version-check $(PIP_ARGS) -r requirements.txt
	@$(BIN)/python -m pip install --quiet --quiet --disable-pip-version-check --no-deps --no-build-isolation --no-index -e .
	@touch $@

$(DEV): requirements-test.txt $(RUN)
	@echo "installing requirements-test.txt"
	@$(BIN)/python -m pip install --quiet --quiet --disable-pip-version-check $(PIP_ARGS) -r requirements-test.txt
	@touch $@

.PHONY: install install-test
install: $(RUN)  ## make .venv for running (other targets do it themselves)
install-test: $(DEV)  ## make .venv for tests and linters (other targets do it themselves)

# ---- use -----------------------------------------------------------------------------------------------------------

.PHONY: demo
demo: $(RUN)  ## screen three synthetic CTs and an X-ray over a real server; CT=path screens that image, OUT=folder
	@$(BIN)/pneumoscreen demo --out '$(OUT)' $(if $(CT),--ct '$(CT)') $(ARGS)

.PHONY: serve
serve: $(RUN)  ## start the server on 127.0.0.1: make serve STUDIES=/path/to/studies
	@$(if $(STUDIES),,echo 'name the folder of studies: make serve STUDIES=/path/to/studies' >&2; exit 2;) \
	exec $(BIN)/pneumoscreen serve --studies '$(STUDIES)' $(ARGS)

# Debian packages of the PACS that the demonstration starts.
# Installs the Debian packages of its first argument that are missing; the second one says who needs them.
define debian
@command -v dpkg-query >/dev/null || exit 0; \
missing=""; \
for package in $(1); do \
    dpkg-query -W -f '$${db:Status-Status}\n' "$$package" "$${package}t64" 2>/dev/null | grep -qx installed || missing="$$missing $$package"; \
done; \
[ -z "$$missing" ] && exit 0; \
if [ "$$(id -u)" = 0 ]; then \
    echo "installing$$missing"; \
    { DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends $$missing \
      || { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends $$missing; }; } >/dev/null; \
else echo "$(2) needs Debian packages: sudo apt-get install$$missing" >&2; exit 1; fi
endef

.PHONY: orthanc
orthanc:  ## install what the demonstration and the tests of the PACS need (Debian, as root)
	$(call debian,orthanc orthanc-dicomweb dcmtk,the PACS)

.PHONY: watchers
watchers:  ## install what the tests of a server's operation need: Prometheus, nginx, systemd's analysis (Debian, as root)
	$(call debian,prometheus nginx systemd,the tests of a server's operation)

.PHONY: demo-pacs
demo-pacs: $(RUN) orthanc  ## a PACS (Orthanc) and a viewer (OHIF) on loopback, studies sent, screened and shown (Debian, as root): OUT=folder, OHIF=package
	@$(BIN)/python -m scripts.demo_pacs --out '$(OUT)/pacs' $(if $(OHIF),--ohif '$(OHIF)') $(ARGS)

.PHONY: ohif
ohif: $(RUN)  ## fetch the viewer OHIF with npm, and the browser that its tests need (Debian, as root)
	@# Where Node.js is not Debian's, it brings npm along, and Debian's would take its place.
	$(call debian,chromium $(if $(shell command -v npm),,npm),the viewer)
	@$(BIN)/python -m scripts.ohif

.PHONY: bench
bench: $(RUN)  ## measure time and memory of a screening and the server's latency; writes build/bench.json
	@$(BIN)/pneumoscreen bench --out build/bench.json $(ARGS)

# Which build of torch: PIP_ARGS='--extra-index-url ...' says where pip finds that of CUDA.
VARIANT  ?= cpu
BASE     ?= docker.io/library/debian:12-slim
TAG      ?= pneumoscreen:$(VARIANT)

build/wheelhouse-$(VARIANT): requirements.txt | $(BIN)/python
	@echo "fetching the wheels of requirements.txt"
	@$(BIN)/python -m pip wheel --quiet --disable-pip-version-check $(PIP_ARGS) --no-deps -r requirements.txt -w $@.part
	@rm -rf $@ && mv $@.part $@

.PHONY: container
container: build/wheelhouse-$(VARIANT)  ## build the container image: VARIANT=cpu|cuda, BASE=image (debootstrap: made here), TAG=name
	@sh deploy/container.sh '$(VARIANT)' '$(BASE)' '$(TAG)'

# ---- documentation -------------------------------------------------------------------------------------------------

# An environment of its own: what builds pages must not decide about the versions of what screens.
PAGES := build/docs-venv

$(PAGES)/.installed: requirements-docs.txt | $(BIN)/python
	@echo "installing requirements-docs.txt"
	@rm -rf $(PAGES) && $(BIN)/python -m venv --without-pip $(PAGES)
	@$(BIN)/python -m pip --python $(PAGES)/bin/python install --quiet --quiet --disable-pip-version-check $(PIP_ARGS) -r requirements-docs.txt
	@touch $@

.PHONY: docs
docs: $(RUN) $(PAGES)/.installed  ## build the documentation into build/site, pages that open as files; a warning is an error
	@$(BIN)/python -m scripts.docs_pages build/pages
	@NO_MKDOCS_2_WARNING=1 $(PAGES)/bin/mkdocs build --strict
	@echo "build/site/index.html"

# ---- training ------------------------------------------------------------------------------------------------------

build/phantoms:
	@$(BIN)/pneumoscreen phantom --out $@ --cases 90 --seed 1

.PHONY: train-candidates train-classifier
train-candidates: $(RUN) | build/phantoms  ## train the candidate network: STUDIES=folder (default 90 phantoms), ARGS='--resume'
	@$(BIN)/pneumoscreen train ct_candidates --studies '$(or $(STUDIES),build/phantoms)' --config '$(or $(CONFIG),configs/ct_candidates.yaml)' --out '$(or $(RUNS),runs)/ct_candidates' $(ARGS)
train-classifier: $(RUN) | build/phantoms  ## train the patch classifiers: STUDIES=folder (default 90 phantoms), ARGS='--resume'
	@$(BIN)/pneumoscreen train ct_classifier --studies '$(or $(STUDIES),build/phantoms)' --config '$(or $(CONFIG),configs/ct_classifier.yaml)' --out '$(or $(RUNS),runs)/ct_classifier' $(ARGS)

# ---- development ---------------------------------------------------------------------------------------------------

# Debian packages that drawing without a screen and Qt need; all other systems are left to their user.
RENDERING := libegl1 libegl-mesa0 libgl1-mesa-dri libxkbcommon0 libfontconfig1 libdbus-1-3 libglib2.0-0 fonts-dejavu-core

.PHONY: rendering
rendering:
	$(call debian,$(RENDERING),drawing of the Slicer extension)

.PHONY: test
test: $(DEV) rendering  ## all tests but the slow ones
	@# One thread a worker: with two workers of two threads each on two cores, OpenMP's threads wait for each other.
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(JOBS) $(ARGS)

.PHONY: test-slow
test-slow: $(DEV)  ## the slow tests: training, large cohorts, the acceptance figures
	@$(BIN)/python -m pytest -m slow --timeout 3600 $(ARGS)

.PHONY: fuzz
fuzz: $(DEV)  ## read mutated files in child processes; goes on where it stopped: COUNT=20000
	@OMP_NUM_THREADS=1 $(BIN)/python -m tests.images.fuzz --count $(or $(COUNT),20000) $(ARGS)

.PHONY: slicer-pictures
slicer-pictures: $(DEV) rendering  ## draw the pictures of the Slicer extension's README
	@$(BIN)/python -m tests.slicer_extension.pictures $(ARGS)

.PHONY: pacs-pictures
pacs-pictures: $(DEV) orthanc ohif  ## draw the pictures of docs/pacs.md: the demonstration of the PACS in the viewer
	@$(BIN)/python -m tests.pacs.pictures $(ARGS)

.PHONY: slicer-states
slicer-states: $(DEV) rendering  ## draw the panel in all its states, fonts and widths, to be looked at: FOLDER=states
	@$(BIN)/python -m tests.slicer_extension.picture_states $(or $(FOLDER),states) $(ARGS)

.PHONY: lint
lint: $(DEV)  ## style, format, types, direction of imports
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@# The extension, which Slicer's own Python runs: 3.9 there, the oldest that mypy knows here.
	@MYPYPATH=lib:slicer_extension/PneumoScreen $(BIN)/mypy --config-file slicer_extension/mypy.ini -p PneumoScreenLib
	@$(BIN)/lint-imports
	@PYTHONPATH=lib:slicer_extension/PneumoScreen $(BIN)/lint-imports --config slicer_extension/importlinter.ini

.PHONY: format
format: $(DEV)  ## put the code into shape
	@$(BIN)/ruff check --fix-only --quiet .
	@$(BIN)/ruff format .

.PHONY: clean
clean:  ## remove the environment and everything that can be made again
	rm -rf $(VENV) build demo-output .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -path ./.git -prune -o \( -name __pycache__ -o -name '*.egg-info' \) -prune -exec rm -rf {} +
