#!/bin/sh
# Checks who includes whom: base <- sandbox, base <- tape, base+sandbox <- conformance,
# all <- tools; and the rooms below tape, each of which names what it takes of the others. A test
# beside the code may include tools/tests.h besides, and one below tape what tape may.
# Usage: tools/check_includes.sh [ROOT]; prints each line that breaks the rule, exits 1.
set -eu

cd "${1:-$(dirname "$0")/..}"

files=$(find base sandbox tape conformance tools -name '*.[chS]' -o -name '*.def' 2>/dev/null |
	sort) || true
if [ -z "$files" ]; then
	echo "check_includes: no source files here" >&2
	exit 1
fi

# The names hold no spaces: the rule below would complain about an include of such a file.
# shellcheck disable=SC2086
awk '
BEGIN {
	allowed["base"] = "base"
	allowed["sandbox"] = "base sandbox"
	answer = "tape/intercept/stub/answer.h"
	wire = "tape/intercept/shim/wire.h tape/intercept/shim/fds.h"
	allowed["tape"] = "base tape tape/intercept " answer
	allowed["tape/intercept"] = "base tape/intercept " answer " " wire
	# Without our libraries, since they run in the place of any program, or inside it.
	allowed["tape/intercept/stub"] = "tape/intercept/stub"
	allowed["tape/intercept/shim"] = "tape/intercept/shim tape/intercept/stub"
	allowed["tape/intercept/preload"] = "tape/intercept/preload tape/intercept/shim/launch.h " wire
	allowed["conformance"] = "base sandbox conformance conformance/probe"
	# A program of its own, for any sandbox: of ours it has the numbers of the kernel only.
	allowed["conformance/probe"] = "conformance/probe sandbox/kernel_linux.h"
	allowed["tools"] = "base sandbox tape tape/intercept conformance conformance/probe tools"
	for (room in allowed) {
		split(room, top, "/")
		ours[top[1]] = 1
	}
}

function complain(why) {
	printf "%s:%d: %s: %s\n", FILENAME, FNR, why, $0
	bad++
}

# The innermost one that the file stands in.
function room_of(path) {
	while (!(path in allowed) && sub(/\/[^\/]*$/, "", path))
		;
	return path
}

function is_allowed(from, target,    n, list, i) {
	n = split(allowed[from], list, " ")
	for (i = 1; i <= n; i++)
		if (list[i] == target || list[i] == room_of(target))
			return 1
	return 0
}

/^[ \t]*#[ \t]*include[ \t]*["<]/ {
	quoted = $0 ~ /^[ \t]*#[ \t]*include[ \t]*"/
	target = $0
	sub(/^[^"<]*["<]/, "", target)
	sub(/[">].*$/, "", target)
	from = room_of(FILENAME)
	split(target, to, "/")
	seen++

	if (quoted && !(to[1] in ours && target ~ /\//))
		complain("not a path from the root")
	else if (target ~ /(^|\/)\.\.(\/|$)/)
		complain("a path with \"..\"")
	else if (!(to[1] in ours && target ~ /\//))
		next
	else if (!quoted)
		complain("ours, so it takes quotes")
	else if (is_allowed(from, target))
		next
	else if (FILENAME !~ /_test\.c$/)
		complain(from "/ must not include " target)
	else if (target != "tools/tests.h" && !(from ~ /^tape\// && is_allowed("tape", target)))
		complain("a test in " from "/ must not include " target)
}

END {
	if (!seen) {
		print "check_includes: found no include line at all"
		bad++
	}
	exit bad > 0
}
' $files
