# make run      build, start the embedded PostgreSQL, run the example script
# make test     build, run the tests; about three minutes
# make test-engines  tests that need a browser, PgBouncer or a standby, and
#               what takes long
# make serve    the pages over a demonstration, on http://127.0.0.1:8080/;
#               PORT=8081 chooses another port
# make lint     ruff, mypy and import-linter
# make torture  attack scripts, servers and networks; this takes ten minutes,
#               with TRIALS=2 about one
# make bench    benchmarks; with BENCH=quick they take less than ten minutes
# make clean    stop the embedded PostgreSQL, remove everything that was built
#
# PYTHON=python3.12 chooses the interpreter.  It must be 3.11 or newer.

PYTHON ?= python3
PORT ?= 8080
version := $(shell $(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])')
enough := $(shell $(PYTHON) -c 'import sys; print(sys.version_info >= (3, 11))')
ifneq ($(enough),True)
$(error this needs Python 3.11 or newer, and $(PYTHON) is \
    $(or $(version),none); say which, as in: make PYTHON=python3.12)
endif

venv := .venv/made-by-python-$(version)
built := .venv/built-by-buildout
tools := .venv/has-lint-tools
page_tools := .venv/has-page-tools
axe := axe-core@4.11.0
built_files := bin build develop-eggs dist eggs parts .installed.cfg \
    src/scriptactivity.egg-info

.PHONY: run serve screenshots test test-engines lint torture bench clean

# Use the checkout's instance, even if a configuration file is found.
run: export LPCONFIG ?= development
run: $(built)
	@bin/scriptactivity init
	@bin/py examples/demonstrate.py
	@bin/scriptactivity check --expectations examples/expectations.zcml

serve: export LPCONFIG ?= development
serve: $(built)
	@bin/py examples/serve_demonstration.py $(PORT)

# The pictures of the README and the manual, from the demonstration.
screenshots: export LPCONFIG ?= development
screenshots: $(built) $(page_tools)
	@bin/py examples/serve_demonstration.py docs

# The tests of a layer run in a process of their own.  Some of them wait more
# than they work, so three at a time keep two cores busy.
test: $(built)
	bin/test -j3
	@echo 'Left out: browsers, PgBouncer, a standby, long tests; see test-engines'

test-engines: $(built) $(page_tools)
	bin/test -j3 --only-level 2
	@bin/py -m canonical.launchpad.webapp.tests.browsing
	@bin/py -m canonical.testing.pgbouncer

lint: $(built) $(tools)
	.venv/bin/ruff check .
	.venv/bin/mypy --python-executable bin/py -p canonical
	PYTHONPATH=src .venv/bin/lint-imports --no-logo --no-cache

torture: $(built)
	bin/py -m canonical.launchpad.scripts.tests.torture $(TRIALS)

bench: $(built)
	bin/py bench/last_activity.py
	bin/py bench/whole_script.py
	bin/py bench/run.py
	bin/py bench/record.py
	bin/py bench/attempts.py
	bin/py bench/check.py
	bin/py bench/backtest.py
	bin/py bench/suggest.py
	bin/py bench/alert.py
	bin/py bench/alarms.py
	bin/py bench/pages.py
	bin/py bench/transfer.py
	bin/py bench/writers.py
	bin/py bench/history.py

# Stop the embedded PostgreSQL before its programs are removed.  For root, its
# directory may be a link; then its files are removed elsewhere.
stop := if [ -x bin/py ]; then bin/py -c 'import os; \
    from canonical.config import config; \
    from canonical.database.embedded import stop_embedded; \
    [stop_embedded(each) for each in config.state_directory.parent.rglob("*") \
     if os.path.exists(each / "postmaster.pid")]'; fi
discard := if [ -x bin/py ]; then bin/py -c 'from pathlib import Path; \
    from canonical.database.embedded import discard_embedded; \
    [discard_embedded(each) for each in Path("var").rglob("*") \
     if each.is_symlink()]'; fi

clean:
	$(stop)
	$(discard)
	rm -rf .venv var .mypy_cache .ruff_cache $(built_files)
	find . -name __pycache__ -prune -exec rm -rf {} +

# Another PYTHON gets a new environment.  Quiet commands still print errors.
$(venv):
	@$(stop)
	@rm -rf .venv $(built_files)
	@echo 'Making a virtual environment in .venv'
	@$(PYTHON) -m venv .venv
	@sed -n 's/^\([a-z][a-z0-9.-]*\) = /\1==/p' versions.cfg \
	    > .venv/constraints.txt
	@.venv/bin/pip install -qq --upgrade -c .venv/constraints.txt \
	    pip setuptools wheel
	@touch $@

# The buildout finds here what it needs.  It would start pip once for each
# package, and that takes five times as long as one pip for all.
$(built): $(venv) buildout.cfg versions.cfg setup.py
	@echo 'Installing what it needs'
	@sed -n '/^# what reads/q; s/^\([a-z][a-z0-9.-]*\) = /\1==/p' versions.cfg \
	    > .venv/needed.txt
	@.venv/bin/pip install -qq -r .venv/needed.txt
	@PYTHONWARNINGS=ignore .venv/bin/buildout -q
	@touch $@

# What looks at the pages.  Without npm or Debian's chromium,
# `make test-engines` says what it left out.
$(page_tools): $(venv) versions.cfg
	@.venv/bin/pip install -qq -c .venv/constraints.txt \
	    playwright schemathesis
	@rm -rf .venv/axe-core && mkdir .venv/axe-core
	@if command -v npm > /dev/null; then cd .venv/axe-core && \
	    npm pack --silent $(axe) > /dev/null && tar -xzf *.tgz; fi
	@touch $@

$(tools): $(venv) versions.cfg
	@.venv/bin/pip install -qq -c .venv/constraints.txt \
	    ruff mypy mypy-zope import-linter
	@touch $@
