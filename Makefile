# The few verbs of the project; `make` alone lists them. Never holds a step that needs more than a line: those are in
# scripts/ and php-fixtures/.

.PHONY: help demo test check bench soak fixtures

help: ## list these verbs
	@sed -nE 's/^([a-z]+):.*## (.*)/  make \1	\2/p' $(MAKEFILE_LIST)

demo: ## see it take over a queue from PHP
	@scripts/demo

# Twice as many tests at once as there are cores, for most of their time they wait for processes.
test: ## install what is missing, then run every test
	@scripts/setup
	RUST_TEST_THREADS=$${RUST_TEST_THREADS:-$$(( 2 * $$(nproc) ))} cargo test

check: ## formatting, lints and documentation, and some minutes of fuzzing
	cargo fmt --check
	cargo clippy --all-targets -- -D warnings
	cargo clippy --no-default-features --lib -- -D warnings
	cargo build --no-default-features --lib
	for kind in mysql postgres sqlite; do cargo clippy --no-default-features --features $$kind --lib -- -D warnings || exit; done
	RUSTDOCFLAGS='-D warnings' cargo doc --no-deps --document-private-items
	@scripts/fuzz

bench: ## jobs per second, memory and pick-up, beside the real queue:work
	@scripts/bench

soak: ## a million jobs while workers are killed, each accounted for
	@scripts/soak

fixtures: ## record php-fixtures/golden anew from the real Laravel
	@scripts/setup
	@php-fixtures/record
