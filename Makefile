# The five commands, the same on a laptop and in CI. Each sets up what it needs by itself.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
STAMP := $(VENV)/.installed
SLIPWAY := $(VENV)/bin/slipway
PYTEST_ARGS ?=

.PHONY: up down test check bench lock
.DEFAULT_GOAL := up

$(STAMP): requirements.lock pyproject.toml
	@PYTHON="$(PYTHON)" tools/install-python $(VENV)
	@touch $@

up: $(STAMP)            ## build or find the programs, start the lab, pulumi up, verify
	@$(SLIPWAY) lab up lab --example
	@$(SLIPWAY) up lab
	@$(SLIPWAY) verify lab
	@$(SLIPWAY) lab status lab --addresses

down: $(STAMP)          ## leave nothing behind
	@$(SLIPWAY) lab down lab

check: $(STAMP)         ## lint, types, import rules, generated files
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/ruff format --check .
	@$(VENV)/bin/pyright
	@$(VENV)/bin/lint-imports
	@$(VENV)/bin/python tools/generate.py --check

# Built here, where progress is seen, and not inside a test.
PROGRAMS := kubernetes istio istioctl pulumi pulumi-resource-kubernetes coredns kube-router envoy zipkin shop

test: check             ## unit, component, engine and lab tests; the lab instance is `test`
	@$(VENV)/bin/python -m slipway.lab.programs ensure $(PROGRAMS)
	@$(VENV)/bin/python -m pytest $(PYTEST_ARGS)

bench: $(STAMP)         ## times of the lab's stages, speed, hostile input
	@$(VENV)/bin/python -m benchmarks

lock: $(STAMP)          ## renew the lock
	@$(VENV)/bin/python tools/lock.py
