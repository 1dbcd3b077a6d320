# tap.sh - the Test Anything Protocol for shell tests: `. tests/tap.sh`, checks, tap_done.
# The plan comes last, so that a test which dies in the middle has none and fails.

tap_count=0
tap_failures=0

# ok STATUS NAME: STATUS 0 is good. Lines on standard input are not read.
ok() {
	tap_count=$((tap_count + 1))
	if [ "$1" -eq 0 ]; then
		echo "ok $tap_count - $2"
	else
		tap_failures=$((tap_failures + 1))
		echo "not ok $tap_count - $2"
	fi
}

# is GOT WANT NAME
is() {
	if [ "$1" = "$2" ]; then
		ok 0 "$3"
	else
		ok 1 "$3"
		printf 'got:  %s\nwant: %s\n' "$1" "$2" | sed 's/^/#   /'
	fi
}

# empty TEXT NAME: good when TEXT is empty; else TEXT is shown.
empty() {
	if [ -z "$1" ]; then
		ok 0 "$2"
	else
		ok 1 "$2"
		printf '%s\n' "$1" | sed 's/^/#   /'
	fi
}

# skip_all WHY: with FREC_MUST_WORK set to anything but 0 that is a failure.
skip_all() {
	if [ -n "$FREC_MUST_WORK" ] && [ "$FREC_MUST_WORK" != 0 ]; then
		echo "not ok 1 - would skip, but FREC_MUST_WORK is set: $1"
		echo 1..1
		exit 1
	fi
	echo "1..0 # SKIP $1"
	exit 0
}

tap_done() {
	echo "1..$tap_count"
	[ "$tap_failures" -eq 0 ] && [ "$tap_count" -gt 0 ]
	exit
}
