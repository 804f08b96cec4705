#!/bin/sh
# Runs the libFuzzer targets (part of `make fuzz`), each for its share of the time, from the corpus
# and the sample tapes. What is new is kept in DIR/corpus/TARGET; an input that fails is left in
# DIR/found/ and named. See CONTRIBUTING.md for what to do with it.
# Usage: tools/fuzz.sh DIR SECONDS TARGET...
set -eu

cd "$(dirname "$0")/.."
dir=$1 seconds=$2
shift 2

# A tape as one input: its files with a byte of 255 between them (tools/fuzz/fuzz_tape.c).
pack() { # TAPE
	for file in "$1"/tape.jsonl "$1"/timing.jsonl "$1"/journal.jsonl "$1"/blobs/*; do
		if [ -f "$file" ]; then
			cat "$file"
		fi
		printf '\377'
	done
}

# ASan would stop when the reader is given a size that no memory has.
export ASAN_OPTIONS=allocator_may_return_null=1:detect_leaks=1

for target; do
	mkdir -p "$dir/corpus/$target" "$dir/found"
	if [ "$target" = tape ]; then
		for tape in fixtures/tapes/*/*.tape; do
			pack "$tape" >"$dir/corpus/tape/seed-$(basename "$tape" .tape)"
		done
	elif [ "$target" = policy ]; then
		cp fixtures/policies/*/*.json "$dir/corpus/policy/"
	elif [ "$target" = report ]; then
		cp conformance/baseline.json "$dir/corpus/report/"
	fi
	"$dir/fuzz_$target" -max_total_time=$((seconds / $#)) -max_len=8192 -timeout=20 \
		-rss_limit_mb=2048 -print_final_stats=1 -artifact_prefix="$dir/found/$target-" \
		-dict="fixtures/corpus/$target.dict" "$dir/corpus/$target" "fixtures/corpus/$target"
done
