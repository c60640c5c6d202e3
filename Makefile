# Everything that a fresh machine with Debian, Python 3.11 and make needs: each target builds its own environment.
PYTHON ?= python3
VENV := .venv
# The real service: an environment for each release, with what constraints/platform-*.txt pins.
PLATFORM_0.1 := nemo-platform[services]==0.1.0
PLATFORM_0.3 := nemo-platform[services,nemo-evaluator-plugin]==0.3.0
PLATFORM_0.6 := nemo-platform[services,nemo-evaluator-plugin]==0.6.0
PLATFORM_0.7 := nemo-helix[services,nemo-evaluator-plugin]==0.7.3
PLATFORM_0.8 := nemo-helix[services,nemo-evals-plugin]==0.8.1
SYSTEM_RELEASES := 0.1 0.8
OTHER_RELEASES := 0.3 0.6 0.7
RELEASES := $(SYSTEM_RELEASES) $(OTHER_RELEASES)
# The machine's own Python of a version (pyenv's too), else one that uv finds or downloads.
find_python = $(shell PYENV_VERSION=$(1) python$(1) -c 'import sys; print(sys.executable)' 2>/dev/null || echo $(1))
# From 0.6 on the service needs Python 3.12.
PYTHON312 ?= $(call find_python,3.12)
platform_python = $(if $(filter 0.1 0.3,$(1)),$(PYTHON),$(PYTHON312))
LOWEST_VENV := .venv-lowest
# Every Airflow that we claim, on Python 3.11, and the newest on the Pythons after it.
OLD_AIRFLOWS := 2.11.2 3.0.6 3.1.8 3.2.2
NEWEST_AIRFLOWS := 3.3.2-python-3.11 3.3.2-python-3.12 3.3.2-python-3.13
AIRFLOWS := $(OLD_AIRFLOWS) $(NEWEST_AIRFLOWS)
WHEEL := .build/wheel
SUPPLY_VENV := .venv-supply
DOCS_VENV := .venv-docs
BIN := $(VENV)/bin
# Tests wait more than they compute: twice as many processes as cores keep the cores busy.
WORKERS ?= $(shell expr 2 '*' $$(nproc))
# A module's fixtures, whole Airflows among them, are those of one process.
PYTEST := $(BIN)/python -m pytest --numprocesses $(WORKERS) --dist loadfile --no-loadscope-reorder
# What every Airflow must pass: DAG runs, example DAGs, and tasks that a whole Airflow defers and resumes.
MATRIX_TESTS ?= tests/integration tests/crashes/test_deferral.py tests/crashes/test_slow_airflow.py
# Processes keep the bytecode of what they import, also where the environment says that they don't: a process of Airflow
# takes half of the time to start so, and tests start hundreds.
unexport PYTHONDONTWRITEBYTECODE
# The machine's own certificates, for networks whose proxy signs with its own.
export UV_SYSTEM_CERTS := true
# Airflow must not touch the user's own installation.
export AIRFLOW_HOME := $(CURDIR)/.build/airflow

.PHONY: help demo test-fast test coverage test-lowest test-system test-generations test-matrix test-distributed soak \
	fuzz lint types imports dependencies \
	$(RELEASES:%=test-real-%) $(AIRFLOWS:%=test-airflow-%) test-move schema audit sbom check hooks docs docs-links \
	screenshots bench-rows bench-gates bench-waiting clean
help:
	@echo "make demo         run example DAGs nightly_regression and model_release_gate on a local evaluation service"
	@echo "make test-fast    unit and contract tests on a local service: two minutes on two cores"
	@echo "make test         unit, integration and contract tests on a local service; crash tests on whole Airflows"
	@echo "make coverage     the same, and which lines and branches no test reaches: at least 98 % are"
	@echo "make test-lowest  unit tests with the lowest version of each dependency that pyproject.toml lets in"
	@echo "make test-system  the service for real: installs and starts NeMo Platform 0.1.0 and Helix 0.8.1, runs the DAGs"
	@echo "make test-generations  contract tests and DAGs on the releases between these: 0.3.0, 0.6.0 and 0.7.3"
	@echo "make test-distributed  a night of mapped jobs on PostgreSQL, Celery and Redis, of which a worker and a triggerer die"
	@echo "make test-matrix  the wheel on every Airflow from 2.11 to 3.3, and the newest on Python 3.12 and 3.13"
	@echo "make test-airflow-2.11.2  the wheel on one of these: $(AIRFLOWS)"
	@echo "make fuzz         odd answers of every kind to every request, new ones for ten minutes: MINUTES=60 for an hour"
	@echo "make soak         500 jobs in 15 minutes, with odd answers of every kind, while workers and triggerers die"
	@echo "make check        formatting, lint, types, import rules and declared dependencies"
	@echo "make docs         the pages of docs/ and a reference, as HTML in .build/docs; fails where a link leads nowhere"
	@echo "make screenshots  take the pictures of docs/images anew, in Debian's chromium on a whole Airflow"
	@echo "make docs-links   whether the hosts that these pages link to respond"
	@echo "make audit        known weaknesses of the packages that constraints.txt pins"
	@echo "make sbom         the bill of materials of the wheel and what it is installed with, to .build/sbom.json"
	@echo "make schema       write the JSON Schemas of policy and benchmark files"
	@echo "make hooks        run the quick checks at every commit of this clone"
	@echo "make bench-rows   how fast row scores are fetched and stored, beside curl, pandas, s3fs and the vendor's SDK"
	@echo "make bench-gates  how often gates err, in simulated releases, and how fast they judge a million rows"
	@echo "make bench-waiting  what waiting triggers cost, beside dbt Cloud's, and what they cost the real platform"

$(VENV)/.installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed: make PYTHON=python3.11 $(MAKECMDGOALS)"; exit 1; }
	@$(PYTHON) -m venv --clear $(VENV) || { echo "python3 -m venv failed; on Debian: apt-get install python3-venv"; exit 1; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	$(BIN)/uv pip install --quiet --python $(BIN)/python --constraint constraints.txt --editable ".[parquet,stats,s3,report,testing]" --group dev
	@touch $@

$(RELEASES:%=.venv-platform-%/.installed): .venv-platform-%/.installed: constraints/platform-%.txt $(VENV)/.installed
	@$(BIN)/uv venv --quiet --clear --python $(call platform_python,$*) .venv-platform-$* || { echo "From 0.6 on the real service needs Python 3.12, which is not here and could not be downloaded: make PYTHON312=/path/of/python3.12 $(MAKECMDGOALS)"; exit 1; }
	$(BIN)/uv pip install --quiet --python .venv-platform-$*/bin/python --constraint $< "$(PLATFORM_$*)"
	@touch $@

# Test tools come in their newest versions that leave the dependencies as they are.
$(LOWEST_VENV)/.installed: pyproject.toml constraints-lowest.txt $(VENV)/.installed
	$(BIN)/uv venv --quiet --clear --python $(PYTHON) $(LOWEST_VENV)
	$(BIN)/uv pip install --quiet --python $(LOWEST_VENV)/bin/python --resolution lowest-direct --constraint constraints-lowest.txt --editable ".[parquet,stats,s3,report,testing]"
	$(BIN)/uv pip freeze --quiet --exclude-editable --python $(LOWEST_VENV)/bin/python > $(LOWEST_VENV)/lowest.txt
	$(BIN)/uv pip install --quiet --python $(LOWEST_VENV)/bin/python --constraint $(LOWEST_VENV)/lowest.txt --group dev
	@touch $@

# All packages as they are listed, since some say that they don't go together.
$(OLD_AIRFLOWS:%=.venv-airflow-%/.installed): .venv-airflow-%/.installed: constraints/airflow-%.txt $(VENV)/.installed
	$(BIN)/uv venv --quiet --clear --python $(PYTHON) .venv-airflow-$*
	$(BIN)/uv pip install --quiet --python .venv-airflow-$*/bin/python --no-deps --requirement $<
	@touch $@

$(NEWEST_AIRFLOWS:%=.venv-airflow-%/.installed): .venv-airflow-%/.installed: pyproject.toml constraints.txt $(VENV)/.installed
	@$(BIN)/uv venv --quiet --clear --python $(call find_python,$(lastword $(subst -, ,$*))) .venv-airflow-$* || { echo "This needs Python $(lastword $(subst -, ,$*)), which is not here and could not be downloaded"; exit 1; }
	$(BIN)/uv pip install --quiet --python .venv-airflow-$*/bin/python --constraint constraints.txt ".[parquet,stats,s3,report,testing]" --group test
	@touch $@

$(SUPPLY_VENV)/.installed: pyproject.toml $(VENV)/.installed
	$(BIN)/uv venv --quiet --clear --python $(PYTHON) $(SUPPLY_VENV)
	$(BIN)/uv pip install --quiet --python $(SUPPLY_VENV)/bin/python --group supply
	@touch $@

$(DOCS_VENV)/.installed: pyproject.toml constraints.txt $(VENV)/.installed
	$(BIN)/uv venv --quiet --clear --python $(PYTHON) $(DOCS_VENV)
	$(BIN)/uv pip install --quiet --python $(DOCS_VENV)/bin/python --constraint constraints.txt --editable ".[parquet,stats,report]" --group docs
	@touch $@

$(WHEEL)/.built: $(shell find airflow_provider_benchmarks -name '*.py' -o -name '*.json') pyproject.toml README.md $(VENV)/.installed
	rm -rf $(WHEEL)
	$(BIN)/uv build --quiet --wheel --out-dir $(WHEEL)
	@touch $@

demo: $(VENV)/.installed
	@$(BIN)/python -m tests.demo

test-fast: $(VENV)/.installed
	$(BIN)/python -m pytest --numprocesses $$(nproc) --dist worksteal -m "not real_platform" tests/contract tests/unit

test: $(VENV)/.installed
	$(PYTEST) -m "not real_platform" tests

# Fails below the coverage in pyproject.toml; .build/coverage/html shows the lines and branches that no test reaches.
# A target of its own, for tests take two thirds more of the processor's time under it.
coverage: $(VENV)/.installed
	$(PYTEST) --cov --cov-report=html:.build/coverage/html -m "not real_platform" tests

# Prints the seeds of what fails, and keeps the examples in .build/fuzz, from where the next run takes them first.
MINUTES ?= 10
fuzz: $(VENV)/.installed
	$(BIN)/python -m tests.fuzz --minutes $(MINUTES)

test-lowest: $(LOWEST_VENV)/.installed
	AIRFLOW_HOME=$(CURDIR)/.build/airflow-lowest $(LOWEST_VENV)/bin/python -m pytest tests/unit

# Two releases at a time, each in a process that runs one service at a time.
test-system:
	$(MAKE) --jobs 2 --keep-going $(SYSTEM_RELEASES:%=test-real-%) test-move

test-generations:
	$(MAKE) --jobs 2 --keep-going $(OTHER_RELEASES:%=test-real-%)

$(RELEASES:%=test-real-%): test-real-%: $(VENV)/.installed .venv-platform-%/.installed
	NEMO_PLATFORM_RELEASES=$* AIRFLOW_HOME=$(AIRFLOW_HOME)-$* $(BIN)/python -m pytest -m real_platform \
		--ignore tests/system/test_moving.py tests/contract tests/system

test-move: $(VENV)/.installed $(SYSTEM_RELEASES:%=.venv-platform-%/.installed)
	AIRFLOW_HOME=$(AIRFLOW_HOME)-move $(BIN)/python -m pytest -m real_platform tests/system/test_moving.py

test-matrix:
	$(MAKE) --keep-going $(AIRFLOWS:%=test-airflow-%)

# PostgreSQL and Redis come from Debian; Celery, beside what make test runs on, from constraints/distributed.txt.
test-distributed: .venv-distributed/.installed
	@command -v redis-server > /dev/null || { echo "Redis and PostgreSQL are needed; on Debian: apt-get install postgresql redis-server"; exit 1; }
	AIRFLOW_HOME=$(AIRFLOW_HOME)-distributed .venv-distributed/bin/python -m pytest tests/distributed

# Hundreds of jobs; MINUTES, JOBS and SEED change it.
soak: .venv-distributed/.installed
	AIRFLOW_HOME=$(AIRFLOW_HOME)-distributed .venv-distributed/bin/python -m pytest -s --basetemp .build/soak tests/soak

.venv-distributed/.installed: pyproject.toml constraints.txt constraints/distributed.txt $(VENV)/.installed
	$(BIN)/uv venv --quiet --clear --python $(PYTHON) .venv-distributed
	$(BIN)/uv pip install --quiet --python .venv-distributed/bin/python --constraint constraints.txt --constraint constraints/distributed.txt --editable ".[parquet,stats,s3,report,testing]" --group test --group distributed
	@touch $@

# The wheel as users install it, in a folder without the package's source: the tests, and the example DAGs.
$(AIRFLOWS:%=test-airflow-%): test-airflow-%: .venv-airflow-%/.installed $(WHEEL)/.built
	$(BIN)/uv pip install --quiet --python .venv-airflow-$*/bin/python --no-deps --reinstall $(WHEEL)/*.whl
	rm -rf .build/matrix/$*
	mkdir -p .build/matrix/$*
	git ls-files -z -- . ':!airflow_provider_benchmarks' | xargs -0 cp --parents --target-directory .build/matrix/$*
	cd .build/matrix/$* && AIRFLOW_HOME=$$PWD/.build/airflow $(CURDIR)/.venv-airflow-$*/bin/python -m pytest \
		--numprocesses $(WORKERS) --dist loadfile --no-loadscope-reorder $(MATRIX_TESTS)

lint: $(VENV)/.installed
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(VENV)/.installed
	$(BIN)/mypy

imports: $(VENV)/.installed
	$(BIN)/lint-imports

# Imports that no dependency brings, and dependencies that nothing imports.
dependencies: $(VENV)/.installed
	$(BIN)/deptry .

# The JSON Schema of policy files, from the checks' own rules.
schema: $(VENV)/.installed
	$(BIN)/python -m airflow_provider_benchmarks.gates.schema
	$(BIN)/python -m airflow_provider_benchmarks.benchmarks.schema

# A page that nothing leads to, a link that leads nowhere, and a name in a docstring that nothing has are errors.
SPHINX := $(DOCS_VENV)/bin/sphinx-build --quiet --fail-on-warning --keep-going --nitpicky
docs: $(DOCS_VENV)/.installed
	$(SPHINX) -E -b html docs .build/docs
	@echo "open .build/docs/index.html"

# Other hosts may be down, or refuse: that is nothing to stop a change for.
docs-links: $(DOCS_VENV)/.installed
	$(SPHINX) -b linkcheck docs .build/docs-links

# Look at each of them before it is committed.
screenshots: $(VENV)/.installed
	@command -v chromium > /dev/null || { echo "Chromium is needed; on Debian: apt-get install chromium"; exit 1; }
	$(BIN)/uv pip install --quiet --python $(BIN)/python --constraint constraints.txt --group browser
	PYTHONPATH=$(CURDIR) $(BIN)/python docs/screenshots.py

# Fails also where a package can't be looked up: nothing is known of it then.
audit: $(SUPPLY_VENV)/.installed
	$(SUPPLY_VENV)/bin/pip-audit --strict --no-deps --disable-pip --progress-spinner off --requirement constraints.txt

# Of the wheel, with the extras that read and write scores, and all that comes along.
sbom: $(SUPPLY_VENV)/.installed $(WHEEL)/.built
	$(BIN)/uv venv --quiet --clear --python $(PYTHON) .build/runtime
	$(BIN)/uv pip install --quiet --python .build/runtime/bin/python --constraint constraints.txt "airflow-provider-benchmarks[parquet,stats,s3,report] @ file://$$(echo $(CURDIR)/$(WHEEL)/*.whl)"
	$(SUPPLY_VENV)/bin/cyclonedx-py environment --pyproject pyproject.toml --mc-type library --output-reproducible --validate --output-file .build/sbom.json .build/runtime/bin/python

check: lint types imports dependencies

# Runs the quick checks at every commit of this clone.
hooks: $(VENV)/.installed
	$(BIN)/pre-commit install

# Measurements take minutes, and a quiet machine.
bench-rows: $(VENV)/.installed .venv-platform-0.1/.installed
	$(BIN)/uv pip install --quiet --python $(BIN)/python --constraint constraints.txt --group bench
	PYTHONPATH=$(CURDIR) $(BIN)/python benchmarks/row_downloads.py

bench-gates: $(VENV)/.installed
	$(BIN)/python benchmarks/gate_soundness.py
	PYTHONPATH=$(CURDIR) $(BIN)/python benchmarks/zero_one_power.py
	PYTHONPATH=$(CURDIR) $(BIN)/python benchmarks/drift.py
	PYTHONPATH=$(CURDIR) $(BIN)/python benchmarks/nights.py
	PYTHONPATH=$(CURDIR) $(BIN)/python benchmarks/gate_speed.py
	PYTHONPATH=$(CURDIR) $(BIN)/python benchmarks/many_groups.py

bench-waiting: $(VENV)/.installed .venv-platform-0.1/.installed
	$(BIN)/uv pip install --quiet --python $(BIN)/python --constraint constraints.txt --group bench
	PYTHONPATH=$(CURDIR) $(BIN)/python benchmarks/waiting.py
	AIRFLOW__LOGGING__LOGGING_LEVEL=WARNING PYTHONPATH=$(CURDIR) $(BIN)/python benchmarks/platform_load.py
	PYTHONPATH=$(CURDIR) $(BIN)/python benchmarks/trigger_memory.py

clean:
	rm -rf $(VENV) .venv-platform-* $(LOWEST_VENV) $(SUPPLY_VENV) $(DOCS_VENV) .venv-airflow-* .venv-distributed .build
