# What can be typed here. `make help` lists it; each target does its own set-up first.

SHELL := /bin/sh
VENV_PYTHON := .venv/bin/python
# make test WORKERS=0 runs all tests in one process
WORKERS ?= 2
PYTEST = $(VENV_PYTHON) -m pytest --numprocesses $(WORKERS)
.DEFAULT_GOAL := help

# Builds .venv from constraints.txt, once. The stamp holds the place and the two files that decide
# what is installed: while it fits, nothing is installed again. It is removed first and written
# last, so an interrupted set-up is started afresh by the next one.
define SETUP_SCRIPT
set -eu
stamp=.venv/set-up-of
wanted() { pwd -P; cat constraints.txt pyproject.toml; }
if [ -f "$$stamp" ] && wanted | cmp -s - "$$stamp" && $(VENV_PYTHON) -c "" 2>/dev/null; then
    exit 0
fi

# what is emptied and installed over below would be the folder behind it
if [ -L .venv ]; then
    echo "error: .venv is a link, and what it leads to may be another clone's: set-up would empty it. Remove the link (rm .venv); then the same command again." >&2
    exit 1
fi

keep=no
if [ -f "$$stamp" ] && [ "$$(head -n 1 "$$stamp")" = "$$(pwd -P)" ] \
        && $(VENV_PYTHON) -c "import pip" 2>/dev/null; then
    keep=yes
fi
rm -f "$$stamp"

if [ "$$keep" = no ]; then
    # a name on the path may be a shim without a Python behind it, so each is run
    found= without_venv=
    if [ -n "$${PYTHON:-}" ]; then set -- "$$PYTHON"; else set -- python3.13 python3.12 python3.11 python3 python; fi
    for name in "$$@"; do
        base=$$("$$name" -c "import sys; (3, 11) <= sys.version_info < (3, 14) or sys.exit(1); print(sys._base_executable)" 2>/dev/null) || continue
        [ -n "$$base" ] || continue
        if "$$base" -c "import venv, ensurepip" 2>/dev/null; then found=$$base; break; fi
        without_venv=$${without_venv:-$$base}
    done
    if [ -z "$$found" ] && [ -n "$$without_venv" ]; then
        version=$$("$$without_venv" -c "import sys; print('%d.%d' % sys.version_info[:2])")
        echo "error: $$without_venv has no venv module. On Debian or Ubuntu: apt install python$$version-venv (or python3-venv); then the same command again." >&2
        exit 1
    fi
    if [ -z "$$found" ]; then
        echo "error: no Python 3.11, 3.12 or 3.13 was found, and no other will do. Install one, or name it: make setup PYTHON=/path/to/python3.13" >&2
        exit 1
    fi
    echo "Set-up: making .venv with $$("$$found" --version)"
    "$$found" -m venv --clear .venv || {
        echo "error: $$found could not make .venv (see above). Mend that, then the same command again." >&2
        exit 1
    }
fi
echo "Set-up: installing the locked packages into .venv (one to two minutes, once)"
{
    $(VENV_PYTHON) -m pip --disable-pip-version-check install -qq --no-compile --require-hashes --no-deps -r constraints.txt &&
    $(VENV_PYTHON) -m pip --disable-pip-version-check install -qq --no-deps --no-build-isolation -e .
} || {
    echo "error: pip could not install the packages (see above). The same command again starts afresh." >&2
    exit 1
}
# on all cores at once, which pip does not do; left to the imports, every program start would pay for it where
# Python may not write (PYTHONDONTWRITEBYTECODE). A file that does not compile is the matter of who imports it
$(VENV_PYTHON) -m compileall -qq -j 0 .venv/lib || true
wanted > "$$stamp.part"
mv "$$stamp.part" "$$stamp"
echo "Set-up: done"
endef
export SETUP_SCRIPT

# Resolves pyproject.toml anew, the groups bench and spark by themselves; uv lives in a throw-away environment inside .venv.
# sqlglotrs is left out: sqlglot, which asks for it, warns where it finds it, and has sqlglotc for the same.
define LOCK_SCRIPT
set -eu
trap 'rm -rf .venv/uv' EXIT
$(VENV_PYTHON) -m venv .venv/uv
.venv/uv/bin/python -m pip --disable-pip-version-check install --quiet uv
.venv/uv/bin/python -m uv pip compile pyproject.toml --extra dev --extra postgres --universal --python-version 3.11 \
    --generate-hashes --no-header --no-emit-index-url --no-emit-find-links --upgrade --quiet --no-emit-package sqlglotrs \
    --cache-dir .venv/uv/cache --output-file .venv/uv/constraints.txt
$(VENV_PYTHON) -c "import tomllib; print(*tomllib.load(open('pyproject.toml', 'rb'))['project']['optional-dependencies']['bench'], sep='\n')" \
    > .venv/uv/bench.in
.venv/uv/bin/python -m uv pip compile .venv/uv/bench.in --universal --python-version 3.11 \
    --generate-hashes --no-header --no-emit-index-url --no-emit-find-links --no-annotate --upgrade \
    --quiet --cache-dir .venv/uv/cache --output-file .venv/uv/requirements.txt
$(VENV_PYTHON) -c "import tomllib; print(*tomllib.load(open('pyproject.toml', 'rb'))['project']['optional-dependencies']['spark'], sep='\n')" \
    > .venv/uv/spark.in
.venv/uv/bin/python -m uv pip compile .venv/uv/spark.in --universal --python-version 3.11 --no-deps \
    --generate-hashes --no-header --no-emit-index-url --no-emit-find-links --no-annotate --upgrade \
    --quiet --cache-dir .venv/uv/cache --output-file .venv/uv/spark.txt
cp .venv/uv/constraints.txt constraints.txt
cp .venv/uv/requirements.txt bench/requirements.txt
cp .venv/uv/spark.txt tests/engines/requirements.txt
echo "constraints.txt and the requirements of bench and tests/engines are resolved anew; the next make installs them"
endef
export LOCK_SCRIPT

# The references' packages live in an environment of their own inside .venv, so that the project is
# measured with what its users have. The stamp is written last; what the lock names it installs.
define BENCH_SETUP_SCRIPT
set -eu
stamp=.venv/bench/set-up-of
if cmp -s bench/requirements.txt "$$stamp"; then exit 0; fi
echo "Set-up: installing the packages of the benchmarks' references into .venv/bench (once)"
rm -f "$$stamp"
$(VENV_PYTHON) -m venv --clear .venv/bench
.venv/bench/bin/python -m pip --disable-pip-version-check install -qq --require-hashes --no-deps -r bench/requirements.txt
cp bench/requirements.txt "$$stamp"
endef
export BENCH_SETUP_SCRIPT

# What the second engine needs besides the locked packages, in a folder that only its test puts on the
# path: a night on DuckDB is run and tested without it.
define SPARK_SETUP_SCRIPT
set -eu
stamp=.venv/spark/set-up-of
if cmp -s tests/engines/requirements.txt "$$stamp"; then exit 0; fi
echo "Set-up: installing the packages of the second engine into .venv/spark (once; 450 MB)"
rm -rf .venv/spark
$(VENV_PYTHON) -m pip --disable-pip-version-check install -qq --require-hashes --no-deps --target .venv/spark -r tests/engines/requirements.txt
cp tests/engines/requirements.txt "$$stamp"
endef
export SPARK_SETUP_SCRIPT

.PHONY: help setup demo dev nightly quarterly status test test-deep test-spark lint bench lock clean

help: ## list the targets
	@echo "Intent Map: what each micro-conversion is worth, in money"
	@echo
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1@\2/p' Makefile | \
		while IFS=@ read -r name text; do printf '  make %-10s %s\n' "$$name" "$$text"; done

setup: ## build .venv from the lock; all other targets do this first
	@sh -c "$$SETUP_SCRIPT"

demo: setup ## a simulated shop, from raw files to the published values (about three minutes)
	@$(VENV_PYTHON) -m orchestration demo $(ARGS)

dev: setup ## the Dagster UI on http://localhost:3000
	@$(VENV_PYTHON) -W 'ignore:Function `dev_command`' -m dagster dev $(ARGS)

nightly: setup ## land new files, refresh all tables, publish
	@$(VENV_PYTHON) -m orchestration nightly $(ARGS)

quarterly: setup ## recalculate the values; AS_OF=2026-07-01 for a past version
	@$(VENV_PYTHON) -m orchestration quarterly $(if $(AS_OF),--as-of "$(AS_OF)") $(ARGS)

status: setup ## health at a glance: arrivals, volume, version, publish, disk
	@$(VENV_PYTHON) -m orchestration status $(ARGS)

test: setup ## all tests but the deep ones
	@$(PYTEST) -m "not deep" $(ARGS)

test-deep: setup ## all tests, with the long statistical and property tests
	@$(PYTEST) $(ARGS)

test-spark: setup ## the marts on Spark beside those on DuckDB, row by row; needs Java 17
	@sh -c "$$SPARK_SETUP_SCRIPT"
	@PYTHONPATH=.venv/spark $(VENV_PYTHON) -m pytest tests/engines $(ARGS)

lint: setup ## ruff, sqlfluff, yamllint
	@status=0; \
	for tool in "ruff check ." "ruff format --check ." "yamllint --strict ." \
			"sqlfluff lint --processes 2 dbt_project/models tests/dbt"; do \
		echo "$$tool"; $(VENV_PYTHON) -m $$tool || status=1; \
	done; exit $$status

bench: setup ## measure cost and speed, write docs/benchmarks.md; ARGS="--events 15m --rounds 3"
	@sh -c "$$BENCH_SETUP_SCRIPT"
	@$(VENV_PYTHON) -m bench --page docs/benchmarks.md $(ARGS)

lock: setup ## resolve pyproject.toml anew into constraints.txt
	@sh -c "$$LOCK_SCRIPT"

clean: ## remove .venv and caches; the homes with your data stay
	@rm -rf .venv .pytest_cache .ruff_cache .hypothesis *.egg-info dbt_project/target dbt_project/logs
	@find . -name __pycache__ -type d -not -path "./home/*" -prune -exec rm -rf {} +
