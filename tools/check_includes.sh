#!/bin/sh
# Checks who includes whom: base <- sandbox, base <- tape, base+sandbox <- conformance,
# all <- tools. A test beside the code may include tools/tests.h besides.
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
	allowed["tape"] = "base tape"
	allowed["conformance"] = "base sandbox conformance"
	allowed["tools"] = "base sandbox tape conformance tools"
	split(allowed["tools"], list, " ")
	for (i in list)
		ours[list[i]] = 1
}

function complain(why) {
	printf "%s:%d: %s: %s\n", FILENAME, FNR, why, $0
	bad++
}

function is_allowed(from, to,    n, list, i) {
	n = split(allowed[from], list, " ")
	for (i = 1; i <= n; i++)
		if (list[i] == to)
			return 1
	return 0
}

/^[ \t]*#[ \t]*include[ \t]*["<]/ {
	quoted = $0 ~ /^[ \t]*#[ \t]*include[ \t]*"/
	target = $0
	sub(/^[^"<]*["<]/, "", target)
	sub(/[">].*$/, "", target)
	split(FILENAME, from, "/")
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
	else if (FILENAME ~ /_test\.c$/ && target == "tools/tests.h")
		next
	else if (!is_allowed(from[1], to[1]))
		complain(from[1] "/ must not include " to[1] "/")
}

END {
	if (!seen) {
		print "check_includes: found no include line at all"
		bad++
	}
	exit bad > 0
}
' $files
