# `make` alone lists what there is to do. ARGS goes to the command behind a target: make up ARGS="--ports auto"

BIN := .venv/bin
CODE = $(wildcard src tests tools bench examples)

.PHONY: help setup up up-distributed order test postman postman-distributed simulate soak check format bench servers lock clean

help: ## print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-19s %s\n", $$1, $$2 }' Makefile

setup: .venv/dev.stamp ## make .venv from the locked requirements, for running and for development

up: .venv/runtime.stamp ## run the shop in the foreground; Ctrl-C stops it
	@exec $(BIN)/python tools/foreground.py $(BIN)/shop up --faults $(ARGS)

up-distributed: .venv/dev.stamp ## run PostgreSQL, Kafka, Debezium and a process for each service; Ctrl-C stops them
	@exec $(BIN)/python tools/foreground.py $(BIN)/python -m tools.distributed up $(ARGS)

order: .venv/runtime.stamp ## place orders in the running shop and show what came of them
	@exec $(BIN)/shop order $(ARGS)

test: .venv/dev.stamp ## run the tests, those that kill processes last; what takes long is left to soak
	$(BIN)/pytest -n 3 -m "not crash and not distributed and not long" $(ARGS)
	$(BIN)/pytest -n 2 -m crash $(ARGS)
	AMENDS_CHAOS_SEED=$${AMENDS_CHAOS_SEED:-11} AMENDS_CHAOS_SECONDS=$${AMENDS_CHAOS_SECONDS:-300} $(BIN)/pytest -m distributed $(ARGS)

postman: .venv/dev.stamp ## run the Postman collections against a shop of its own, twice; needs nodejs and npm
	@$(BIN)/python -m tools.postman $(ARGS)

postman-distributed: .venv/dev.stamp ## the same against the distributed shop
	@$(BIN)/python -m tools.postman --distributed $(ARGS)

simulate: .venv/dev.stamp ## the shop in simulated worlds for 30 minutes, goes on where it stopped; AMENDS_SIM_MINUTES
	@$(BIN)/python -m tests.simulation.soak --seeds 1000000000 --minutes $${AMENDS_SIM_MINUTES:-30} --state .soak.json $(ARGS)

soak: simulate ## what takes long: that, then the distributed shop broken at random, 300 rounds; AMENDS_CHAOS_SEED, _ROUNDS
	@AMENDS_CHAOS_ROUNDS=$${AMENDS_CHAOS_ROUNDS:-300} $(BIN)/pytest -q -s -x -m "chaos or long" $(ARGS)

check: .venv/dev.stamp ## format, lint, types, import rules, ports
	$(BIN)/ruff format --check $(CODE)
	$(BIN)/ruff check $(CODE)
	$(BIN)/mypy $(CODE)
	$(BIN)/lint-imports
	$(BIN)/python tools/lint_ports.py

format: .venv/dev.stamp ## format the code and mend what the linter can mend
	$(BIN)/ruff check --fix $(CODE)
	$(BIN)/ruff format $(CODE)

bench: .venv/dev.stamp ## measure speed; nothing is asserted
	$(BIN)/python -m bench $(ARGS)

servers: .venv/dev.stamp ## fetch what the tests with PostgreSQL, Kafka and Debezium need; they can do without
	$(BIN)/python -m tools.servers fetch

lock: .venv/dev.stamp ## pin the requirements again; ARGS=--upgrade takes the newest
	tools/lock.sh $(ARGS)

clean: ## remove what make made; ./data stays
	rm -rf .venv .newman .soak .soak.json dist .coverage .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache

.venv/runtime.stamp: tools/setup.sh requirements/installer.lock requirements/runtime.lock
	@tools/setup.sh runtime

.venv/dev.stamp: .venv/runtime.stamp requirements/dev.lock
	@tools/setup.sh dev
