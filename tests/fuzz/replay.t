#!/bin/sh
# replay.t - every fuzz harness over its corpus, each input also cut and changed (main.c).
. "$(dirname "$0")/../tap.sh"

for program in "$BUILD"/fuzz/*; do
	[ -x "$program" ] && [ -f "$program" ] || continue
	name=${program##*/}
	set -- "$(dirname "$0")/corpus/$name"/*
	if ! [ -e "$1" ]; then
		ok 1 "$name: there is no corpus"
		continue
	fi
	out=$("$program" "$@" 2>&1)
	is "$out" "$# files" "$name: $# inputs"
done
tap_done
