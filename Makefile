# The only entry points a person needs. Each installs what it is missing (Debian packages, and
# pinned tools into .tools/), then works without asking.
.PHONY: demo test check bench soak fuzz build

CARGO ?= cargo

## Plays a real SIPREC call into the whole system and verifies what lies in the archive.
demo:
	scripts/install-tools.sh demo
	$(CARGO) build --package callseal
	target/debug/callseal demo

## All programs, optimised, in target/release.
build:
	scripts/install-tools.sh build
	$(CARGO) build --release --bins

## Runs every test against real servers on loopback.
test:
	scripts/install-tools.sh test
	$(CARGO) build --workspace --bins
	$(CARGO) nextest run --workspace

## Format, lints, licences, layers of the protocol files and of the shell scripts.
check:
	scripts/install-tools.sh check
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets -- -D warnings
	.tools/bin/cargo-deny --log-level error check licenses bans sources
	.tools/bin/buf lint proto
	.tools/bin/shellcheck scripts/*.sh crates/evidence/verify.sh .ci/run docs/pbx/callseal-api

## Prints calls, packets, CPU and delays of a run on this machine, decisions a second,
## and how soon what the PBX tells is known.
bench:
	scripts/install-tools.sh bench
	$(CARGO) build --release --bins
	target/release/bench capacity --calls 100 --seconds 30
	target/release/bench announcements --calls 200
	target/release/bench sign
	target/release/bench seal
	target/release/bench journal
	$(CARGO) bench --package policy --bench decisions
	$(CARGO) bench --package callseal-rules --bench change
	target/release/bench sftp
	target/release/bench smb

## Full sizes: long runs that `make test` scales down.
soak:
	scripts/install-tools.sh test
	$(CARGO) build --release --bins
	target/release/bench capacity --calls 200 --seconds 60 --rounds 6
	target/release/bench verify --recordings 100000
	target/release/bench ship --recordings 2000 --kilobytes 100
	target/release/bench ship --recordings 10000 --kilobytes 1000
	ROWS=100000 $(CARGO) test --release --package callseal-journal --test backlog -- --nocapture thousands_of_rows
	ALL_CUTS=1 $(CARGO) test --package callseal-journal --test databases a_cut_connection
	ALL_CUTS=1 $(CARGO) test --package drda --test derby a_connection_cut
	ALL_DAMAGES=1 $(CARGO) nextest run --package evidence --filterset 'binary(verify_sh)'

## Puts made-up bytes into whatever parses bytes from outside, FUZZ_SECONDS for each of the targets.
FUZZ_SECONDS ?= 60
fuzz:
	scripts/install-tools.sh fuzz
	scripts/fuzz.sh $(FUZZ_SECONDS)
