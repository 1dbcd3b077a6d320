#!/bin/sh
# The Makefile's promises: the same bytes from any folder, install, a static frec, user flags.

cd "$(dirname "$0")/.." || exit 1
. tests/tap.sh
unset MAKEFLAGS MFLAGS MAKELEVEL SANITIZE
CC=${CC:-gcc}
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
jobs=-j$(nproc)

# The tree as it is, in two folders, built into three different places.
copy() { mkdir -p "$1" && tar -cf - --exclude=./build --exclude=./.git . | tar -xf - -C "$1"; }
copy "$dir/one" && copy "$dir/a/longer/two"
make -s "$jobs" -C "$dir/one" CC="$CC" WERROR=1 >"$dir/log" 2>&1
ok $? "builds without a warning, without git"
sed 's/^/# /' "$dir/log"
make -s "$jobs" -C "$dir/a/longer/two" CC="$CC" BUILD="$dir/elsewhere" >/dev/null 2>&1
ok $? "builds into another place"
for p in frec fanalyze; do
	cmp "$dir/one/build/$p" "$dir/elsewhere/$p" >/dev/null 2>&1
	ok $? "$p is the same, byte for byte"
done
empty "$(grep -l "$dir" "$dir/one/build/frec" "$dir/one/build/fanalyze")" "no path of the machine is in them"
empty "$(cd "$dir/a/longer/two" && ls -d build 2>/dev/null)" "nothing is made outside BUILD"
is "$(make -s "$jobs" -C "$dir/one" CC="$CC" WERROR=1 V=1 2>&1)" "" "a second make does nothing"
touch "$dir/one/common/casefile.h"
out=$(make -C "$dir/one" CC="$CC" WERROR=1 2>&1 | grep -c ' CC ')
[ "$out" -gt 1 ] && [ "$out" -lt 60 ]
ok $? "a touched header rebuilds what includes it ($out files)"
out=$(make -C "$dir/one" CC="$CC" CFLAGS='-O1' "$jobs" 2>&1 | grep -c ' CC ')
[ "$out" -gt 20 ]
ok $? "other flags rebuild everything ($out files)"

make -s "$jobs" -C "$dir/one" CC="$CC" install DESTDIR="$dir/dest" PREFIX=/opt/x >/dev/null 2>&1
ok $? "make install DESTDIR= PREFIX="
is "$(cd "$dir/dest" && find opt -type f -path '*/bin/*' | sort | paste -sd' ' -)" "opt/x/bin/fanalyze opt/x/bin/frec" \
	"the programs are below PREFIX/bin"
is "$(cd "$dir/dest" && find . -type f -name '*.[15]' | wc -l | tr -d ' ')" "$(ls docs/*.[15] 2>/dev/null | wc -l | tr -d ' ')" \
	"every manual is installed"

make -s "$jobs" -C "$dir/one" CC="$CC" STATIC=1 BUILD="$dir/static" "$dir/static/frec" >/dev/null 2>&1
ok $? "make STATIC=1"
empty "$(readelf -d "$dir/static/frec" | grep NEEDED)" "the static frec needs no library"
like_version=$("$dir/static/frec" --version 2>&1)
case $like_version in frec\ [0-9]*) ok 0 "and runs" ;; *) ok 1 "and runs: $like_version" ;; esac
for n in 0 100 30000; do
	rm -f "$dir/x.frz"
	"$dir/static/frec" -q -o "$dir/x.frz" -- dd if=/dev/zero of=/dev/null bs=1 count=$n status=none &&
		"$dir/one/build/fanalyze" "$dir/x.frz" --verify >"$dir/log" 2>&1
	ok $? "and records $n reads and writes into a case that verifies"
done
strip "$dir/static/frec"
size=$(wc -c <"$dir/static/frec")
[ "$size" -le 1572864 ]
ok $? "it is at most 1.5 MiB stripped ($size bytes)"

tap_done
