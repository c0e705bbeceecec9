# Recipes; each is one line that can be typed by hand as well.

# What can be done
default:
    @just --list

# Play one agent's run against a gateway with two upstreams
demo *arguments:
    ./demo {{arguments}}

# Every test
test *parts:
    ./test {{parts}}

# What a change must pass before it is worth testing
check:
    cargo fmt --check
    cargo clippy --workspace --all-targets -- -D warnings

# What a decision and a governed call cost on this machine
bench:
    cargo build --release -p remit-cli
    cargo run --release -p remit-bench -- decide
    cargo run --release -p remit-bench -- verify
    cargo run --release -p remit-bench -- records .
    cargo run --release -p remit-bench -- leaves .
    cargo run --release -p remit-bench -- lists .
    cargo run --release -p remit-bench -- gateway target/release/remit

# Format the sources
fmt:
    cargo fmt
