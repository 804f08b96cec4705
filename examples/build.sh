#!/bin/sh
# A build script of the old school, to record and replay.
#
#     sandtape record -t build.tape -- sh examples/build.sh
#     sandtape replay -t build.tape -- sh examples/build.sh
#
# It packs three "modules" from a here-document, and starts commands in the ways that a POSIX shell
# has: pipelines, command substitution, a loop that reads, background jobs, traps, a command that
# fails and one that does not exist. It makes no files, so any directory will do: in a replay the
# files that commands make are not there. Exit status 4: one module is bad, as it should be.

LC_ALL=C
export LC_ALL

finish() {
	status=$?
	echo "finished with status $status" | tr '[:lower:]' '[:upper:]'
	exit "$status"
}
trap finish EXIT
trap 'echo "told to hurry up"' USR1

modules() {
	cat <<-END
		core	main.c util.c util.h
		net	socket.c tls.c
		ui	window.c
	END
}

echo "== list"
modules | sort -r | sed 's/^/  /'
count=$(modules | wc -l | tr -d ' ')
echo "$count modules, $(modules | wc -w | tr -d ' ') words"

echo "== pack"
modules | while read -r name files; do
	sum=$(echo "$files" | cksum | cut -d ' ' -f 1)
	# A command that must not eat the loop's own input.
	upper=$(tr '[:lower:]' '[:upper:]' </dev/null; echo "$name" | tr '[:lower:]' '[:upper:]')
	printf '%-5s %-24s %s\n' "$upper" "$files" "$sum"
done

echo "== here-document"
sort <<END
zlib needs nothing
alpha needs $count modules
$(echo MIDDLE | tr '[:upper:]' '[:lower:]') needs zlib
END

echo "== in the background"
(
	sleep 0.3
	exit 7
) &
slow=$!
sleep 0.1 &
quick=$!
wait "$quick"
echo "quick: $?"
wait "$slow"
echo "slow: $?"
sleep 10 &
victim=$!
sleep 0.1
kill -TERM "$victim"
wait "$victim" 2>/dev/null
echo "victim: $?"
kill -USR1 $$

echo "== status"
false | true
echo "false | true: $?"
true | false
echo "true | false: $?"
sh -c 'exit 42'
echo "exit 42: $?"
sh -c 'kill -15 $$' 2>/dev/null
echo "killed: $?"
sandtape-no-such-compiler --version 2>/dev/null
echo "missing: $?"
if ! echo 'int main(void) { return }' | grep -q 'return [0-9]'; then
	echo "module ui: no value to return" >&2
	exit 4
fi
