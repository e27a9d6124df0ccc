# The two commands of the README, and a few for those who change the code. Everything is in scripts/ and xtask/.
.PHONY: demo test bench fmt lint
.NOTPARALLEL:

demo: ## analyse the shipped sample
	@scripts/demo.sh

test: ## run every test
	@scripts/test.sh

bench: ## measure against the named peers
	@scripts/bootstrap.sh test
	@bench/run.sh

fmt: ## format the code
	@cargo fmt --all

lint: ## what CI asks of the code's form
	@cargo fmt --all --check
	@cargo clippy --release --locked --workspace --all-targets -- -D warnings
