#!/usr/bin/env bash
# Runs each fuzz target for a while: fuzz.sh SECONDS [TARGET]...  What one finds lies in
# fuzz/libfuzzer/artifacts/<target>/ and ends the run with an error; what was learned stays in
# fuzz/libfuzzer/corpus/, so that the next run goes on from there.
set -euo pipefail
cd "$(dirname "$0")/../fuzz/libfuzzer"
seconds=$1
shift
# The fuzzer's instrumentation is unstable in Rust; our own pinned compiler has it all the same. No
# address sanitizer: there is no unsafe code here.
export RUSTC_BOOTSTRAP=1
PATH=$PWD/../../.tools/bin:$PATH
if [ $# -eq 0 ]; then mapfile -t targets < <(basename -s .rs fuzz_targets/*.rs); else targets=("$@"); fi
# The very versions that the programs are built of.
cp ../../Cargo.lock Cargo.lock
cargo fuzz build --fuzz-dir . --sanitizer none
failed=()
for target in "${targets[@]}"; do
  echo "== $target, ${seconds} s"
  mkdir -p "corpus/$target"
  cargo fuzz run --fuzz-dir . --sanitizer none "$target" "corpus/$target" "../seeds/$target" -- \
    -max_total_time="$seconds" -timeout=10 -rss_limit_mb=1024 -malloc_limit_mb=256 -max_len=16384 \
    -print_final_stats=1 || failed+=("$target")
done
if [ ${#failed[@]} -gt 0 ]; then
  echo "FOUND SOMETHING: ${failed[*]}: put what lies in fuzz/libfuzzer/artifacts into fuzz/seeds/<target>/found-…, and mend it" >&2
  exit 1
fi
echo "${#targets[@]} targets, nothing found"
