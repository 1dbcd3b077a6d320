#!/bin/sh
# frec(1) and frec --help name the same options, with the same values, and nothing else.

cd "$(dirname "$0")/../.." || exit 1
. tests/tap.sh
man=docs/frec.1

"$FREC" --help >/dev/null 2>&1
ok $? "frec --help works"

# "  -p, --pid PID[,PID...]   attach ..." -> "pid p"; "      --snap N  keep" -> "snap "
in_help=$("$FREC" --help | sed -n 's/^  \(-\(.\), \|    \)--\([a-z-]*\).*/\3 \2/p' | sort)
# ".It Fl p Ar pid ... , Fl -pid" and ".It Fl q , -quiet" and ".It Fl -snap Ar n"
in_man=$(awk '/^\.It Fl / {
	letter = ""; names = ""
	for (i = 2; i <= NF; i++) {
		if ($i ~ /^[A-Za-z]$/ && $(i - 1) == "Fl") letter = $i
		if ($i ~ /^-[a-z-]+$/) names = names " " substr($i, 2)
	}
	n = split(names, name, " ")
	for (i = 1; i <= n; i++) print name[i], letter
}' "$man" | sort)
[ "$(printf '%s\n' "$in_help" | wc -l)" -ge 20 ]
ok $? "--help lists options"
is "$in_man" "$in_help" "the manual and --help list the same options"

# Every option mentioned anywhere in the manual's text is one that exists.
unknown=$(grep -o 'Fl -[a-z-]*' "$man" | sed 's/^Fl -//' | sort -u | while read -r name; do
	[ -z "$name" ] || printf '%s\n' "$in_help" | grep -q "^$name " || echo "$name"
done)
empty "$unknown" "the manual mentions no option that is not there"

# So do its examples: each parses (and then fails on its process, its case or not at all).
bad=$(sed -n "s/^\.Dl frec //p" "$man" | while read -r line; do
	for word in $line; do
		case $word in
		--) break ;;
		--*) printf '%s\n' "$in_help" | grep -q "^${word#--} " || echo "$word" ;;
		esac
	done
done)
empty "$bad" "its examples use options that exist"

if command -v mandoc >/dev/null; then
	empty "$(mandoc -T lint -W warning "$man" 2>&1)" "mandoc finds nothing to warn of"
	wide=$(mandoc -T ascii -O width=80 "$man" 2>/dev/null | sed "s/.$(printf '\b')//g" | awk 'length($0) > 80')
	empty "$wide" "it fits 80 columns"
else
	echo "# mandoc is not installed"
fi

tap_done
