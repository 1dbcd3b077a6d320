#!/bin/sh
# Holds the architecture: what may include what, what libraries may do, what lies where.

cd "$(dirname "$0")/.." || exit 1
. tests/tap.sh
BUILD=${BUILD:-build}

# includes REGEX FILE...: the #include lines that match, as file:line
includes() {
	pattern=$1
	shift
	grep -nE "^[[:space:]]*#[[:space:]]*include[[:space:]]*[<\"]($pattern)[>\"]" "$@" /dev/null
}
# headers DIR: alternation of the names of DIR's own headers
headers() { (cd "$1" && ls ./*.h 2>/dev/null) | sed 's|^\./||; s/\./\\./g' | paste -sd'|' -; }
sources() { for d in "$@"; do find "$d" -name '*.[ch]' | sort; done; }

# shellcheck disable=SC2046
{
empty "$(includes '(sys|linux|asm)/ptrace\.h' $(sources common analyzer))" \
	"only recorder/ includes ptrace.h"
empty "$(includes 'sqlite3(ext)?\.h' $(sources common recorder))" \
	"only analyzer/ includes sqlite3.h"
empty "$(includes 'zstd[a-z_]*\.h' $(sources common recorder analyzer) | grep -v '^common/segment\.c:')" \
	"only common/segment.c includes zstd.h"
empty "$(includes 'nettle/.*' $(sources common recorder analyzer) | grep -v '^common/sha256\.[ch]:')" \
	"only common/sha256 includes nettle"
empty "$(includes "(.*/)?($(headers recorder)|$(headers analyzer))" $(sources common schema))" \
	"common/ and schema/ include neither recorder/ nor analyzer/"
empty "$(includes "(.*recorder/.*)|($(headers recorder))" $(sources analyzer) |
	while IFS=: read -r f n l; do
		h=$(printf '%s' "$l" | sed 's/.*[<"]\(.*\)[>"].*/\1/')
		[ -e "analyzer/${h##*/}" ] || echo "$f:$n:$l"
	done)" "analyzer/ includes nothing of recorder/"
empty "$(includes "(.*analyzer/.*|.*schema/.*)|($(headers analyzer))" $(sources recorder) |
	while IFS=: read -r f n l; do
		h=$(printf '%s' "$l" | sed 's/.*[<"]\(.*\)[>"].*/\1/')
		[ -e "recorder/${h##*/}" ] || echo "$f:$n:$l"
	done)" "recorder/ includes nothing of analyzer/ or schema/"
empty "$(includes '(writer|segment|block|frz|record|options|capture|emit)\.h' recorder/engine*.[ch] recorder/tracee.[ch] recorder/attach.c)" \
	"the ptrace engine knows neither the file format nor the command line"
empty "$(includes '(engine|tracee|capture|emit|sysent|describe)\.h' recorder/writer.[ch] recorder/append.[ch] recorder/tail.[ch])" \
	"the writer sees only bytes: no engine, no syscall table"
}

# What the objects themselves ask for.
undefined() { nm -A --undefined-only "$@" 2>/dev/null | sed 's/^\(.*\):[[:space:]]*[Uw] \([^@]*\).*/\1 \2/'; }
[ -f "$BUILD/libcommon.a" ]
ok $? "libcommon.a was built"
empty "$(undefined "$BUILD/libcommon.a" | grep -E \
	' (__)?(v?printf|v?fprintf|puts|putchar|fputs|fputc|fwrite|putc|perror|psignal|warnx?|errx?|error|syslog)(_chk)?$| (stdout|stderr)$')" \
	"common/ prints nothing"
empty "$(undefined "$BUILD/libcommon.a" | grep -E ' (exit|_exit|_Exit|quick_exit|abort|__assert_fail|raise|kill)$')" \
	"common/ never ends the program"
empty "$(undefined "$BUILD/libcommon.a" | grep -E ' (ptrace|sqlite3_.*|system|popen|fork|exec[a-z]*)$')" \
	"common/ does not trace, query or start programs"
empty "$(undefined "$BUILD/libanalyzer.a" | grep -E ' (ptrace|process_vm_readv|system|popen)$')" \
	"analyzer/ does not trace and runs no shell"
empty "$(undefined "$BUILD/librecorder.a" | grep -E ' (sqlite3_.*|system|popen|getaddrinfo|gethostby[a-z]*|getpwuid.*|getpwnam.*|getgrgid.*|dlopen)$')" \
	"recorder/ knows no database, no shell, no name service"
needed() { readelf -d "$1" 2>/dev/null | sed -n 's/.*(NEEDED).*\[\(.*\)\].*/\1/p' | grep -vE '^(lib(c|asan|ubsan|m|pthread|gcc_s|rt|dl)\.so|ld-linux)' | sort | paste -sd' ' -; }
[ -x "$BUILD/frec" ] && [ -x "$BUILD/fanalyze" ]
ok $? "both programs were built"
if readelf -d "$BUILD/frec" 2>/dev/null | grep -q NEEDED; then
	is "$(needed "$BUILD/frec")" "libnettle.so.8 libzstd.so.1" "frec needs libzstd and nettle, nothing else"
else
	ok 0 "frec is static"
fi
is "$(needed "$BUILD/fanalyze")" "libnettle.so.8 libsqlite3.so.0 libzstd.so.1" \
	"fanalyze needs libzstd, nettle and libsqlite3, nothing else"

# Where things lie.
empty "$(find . -mindepth 1 -maxdepth 1 ! -name '.*' | sed 's|^\./||' |
	grep -vxE 'Makefile|README\.md|LICENSE|recorder|analyzer|common|schema|tests|docs|build' |
	while read -r f; do git check-ignore -q "$f" 2>/dev/null || echo "$f"; done)" \
	"the top level holds what design says and nothing else"

# listed DIR VARIABLE...: files in DIR that no list of the Makefile names
listed() {
	d=$1 ext=$2
	for f in "$d"/*."$ext"; do
		[ -e "$f" ] || continue
		grep -qE "^[[:space:]]+$(printf '%s' "$f" | sed 's/\./\\./g')([[:space:]]|\$)" Makefile || echo "$f"
	done
}
empty "$(listed common c; listed recorder c; listed analyzer c)" "every source is in a list of the Makefile"
names() { for f in "$1"/*"$2"; do [ -e "$f" ] && basename "$f" "$2"; done; }
empty "$(for n in $(names tests/unit .c) $(names tests/targets .c); do
	grep -qE "^[[:space:]]+$n([[:space:]]|\$)" Makefile || echo "$n"; done)" \
	"every unit test and target is in a list of the Makefile"
empty "$(find tests -name '*.t' | while read -r t; do
	grep -qE "^[[:space:]]+$(printf '%s' "$t" | sed 's/\./\\./g')([[:space:]]|\$)" Makefile || echo "$t not listed"
	[ -x "$t" ] || echo "$t not executable"; done)" "every test script is listed and executable"
empty "$(for f in $(sources common recorder analyzer tests); do
	case $(head -n 1 "$f") in '/*'*) ;; *) echo "$f" ;; esac; done)" \
	"every C file begins with the comment that says its job"
empty "$(grep -oE '`[a-z_-]+\.(c|h|t|tab|awk)`' docs/architecture.md | tr -d '`' | sort -u | while read -r f; do
	[ -n "$(find common recorder analyzer tests -name "$f")" ] || echo "$f"; done)" \
	"every file that docs/architecture.md names is there"
markers='TO''DO|FIX''ME|XX''X|HA''CK'
empty "$(grep -rnwE "$markers" --include='*.[ch]' --include='*.sh' --include='*.t' --include='*.py' \
	--include='*.sql' --include='*.awk' --include='*.tab' common recorder analyzer schema tests docs Makefile README.md 2>/dev/null)" \
	"nothing is left for later in the sources"

tap_done
