#!/bin/sh
# The main job on a real program (`make demo`): records examples/agent.py, then replays it with
# every command hidden from PATH, and compares.
set -eu

cd "$(dirname "$0")/.."
sandtape=$(cd "${BUILD:-build}" && pwd)/sandtape
# What `python3` stands for: the replay has no PATH to find it in.
python=$(python3 -c 'import sys; print(sys.executable)')
now() { "$python" -c 'import time; print(round(time.monotonic() * 1000))'; }
seconds() { echo "$(($1 / 1000)).$(printf %02d $(($1 % 1000 / 10))) s"; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM HUP
export SANDTAPE_EXAMPLE_DIR="$work/agent-work"
mkdir "$work/no-commands"

echo "1. Record: examples/agent.py, a small coding agent, runs for real"
begin=$(now)
"$sandtape" record -t "$work/agent.tape" -- "$python" examples/agent.py >"$work/recorded"
recorded=$(($(now) - begin))
echo "   parts of its report:"
sed -n '4,9s/^/   > /p; $s/^/   > /p' "$work/recorded"

rm -rf "$SANDTAPE_EXAMPLE_DIR"
echo "2. Replay: the same program, with git, cc, sort and sh hidden from PATH"
begin=$(now)
PATH=$work/no-commands "$sandtape" replay -t "$work/agent.tape" -- "$python" examples/agent.py \
	>"$work/replayed"
replayed=$(($(now) - begin))

cmp "$work/recorded" "$work/replayed"
echo "3. The two reports are the same, byte for byte ($(wc -c <"$work/replayed" | tr -d ' ') bytes)"
"$sandtape" tape stats "$work/agent.tape" | sed -n '1,5s/^/   /p; $s/^/   /p'
echo "(the tape was in $work and is removed)"
# On a machine that does much else, one of them may have had to wait.
if [ "$replayed" -lt "$recorded" ]; then
	gain="$(seconds $((recorded - replayed))) saved"
else
	gain="$(seconds $((replayed - recorded))) more"
fi
echo "demo: recorded in $(seconds $recorded), replayed in $(seconds $replayed):" \
	"$gain, and no command was run"
