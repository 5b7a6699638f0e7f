# Shortcuts. Each is an ordinary command that can be typed as well.

# Play both sides of a share on this machine
demo:
    cargo run --release -- demo

# Run all tests
test:
    cargo test --workspace

# Do what continuous integration does
ci:
    .ci/run

# Measure, beside the peers that are installed
bench:
    cargo bench -p peerage-cli

# Which homes reach each other, in the network lab: just reach cone:cone,sym:none
reach pairs="usual":
    cargo bench -p peerage-cli --bench reach -- --pairs {{pairs}}

# Check the style
lint:
    cargo fmt --check
    cargo clippy --workspace --all-targets -- -D warnings

# Fuzz one decoder for a while: just fuzz car
fuzz target seconds="60":
    mkdir -p fuzz/corpus-run/{{target}}
    cargo fuzz run --sanitizer none {{target}} fuzz/corpus-run/{{target}} fuzz/seeds/{{target}} -- -max_total_time={{seconds}}
