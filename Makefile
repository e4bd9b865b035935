# One word for each thing one does with the project.
CARGO ?= cargo
TARGET ?= $(or $(CARGO_TARGET_DIR),target)

.PHONY: demo test live clients schemathesis binary lint check bench quality fmt clean

demo: ## build the release binary and run the four demos, then keep serving
	$(CARGO) build --release --locked --bin auspex
	$(TARGET)/release/auspex demo $(DEMO)

test: ## everything there is
	$(CARGO) test --workspace --locked
	$(MAKE) clients schemathesis
	$(MAKE) live

# The binary that the tests have built, without a second build in another profile or with other features.
binary:
	$(CARGO) test --workspace --locked --no-run

clients: binary ## the official clients of four languages, each through one scenario
	tests/clients/run.py $(TARGET)/debug/auspex

live: ## tests against real Elasticsearch and OpenSearch servers, one after the other
	LIVE_TESTS=1 $(CARGO) test --workspace --locked --test live -- --nocapture --test-threads=1

schemathesis: binary ## the description of the interface against the service, all checks
	tests/clients/check_openapi.py $(TARGET)/debug/auspex

lint: ## formatting and clippy, warnings are errors
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings

check: lint test

bench: ## kernels, whole-process workloads and the store's throughput, release build
	$(CARGO) build --release --locked --bin auspex
	$(CARGO) bench --locked -q -p engine --bench model -- --noplot
	$(CARGO) run --release --locked -q -p search --example throughput
	scripts/bench

quality: ## detection quality on labelled series
	$(CARGO) build --release --locked --bin auspex
	scripts/quality

fmt:
	$(CARGO) fmt --all

clean:
	$(CARGO) clean
