#!/bin/sh
# Installs what a target of the Makefile needs and does not find; with --print it only says how.
#
#   deps.sh [--print] SET...     SET: build check check-full demo bench fuzz man-lint
#                                     format-check
#
# - Nothing missing: silent, no package tool is started, no network is used.
# - Missing, and we are root or sudo asks for no password: apt-get installs it.
# - Otherwise the exact command is printed and the exit code is 1.

PATH=$PATH:/usr/sbin:/sbin
export PATH

# set | how to see that it is there | Debian package
# cmd: a program in PATH; pc: a pkg-config module; lib: a library to link, file: any path
table='
build|cmd make|make
build|cmd ${CC:-gcc}|gcc
build|hdr stdio.h|libc6-dev
build|sanrt|libclang-rt-14-dev
build|cmd pkg-config|pkg-config
build|pc libzstd|libzstd-dev
build|pc nettle|nettle-dev
build|pc sqlite3|libsqlite3-dev
check|cmd prove|perl
check|cmd python3|python3
check|cmd strace|strace
check|cmd zstd|zstd
check|cmd sqlite3|sqlite3
check|cmd nginx|nginx-light
check|cmd ab|apache2-utils
check|cmd wrk|wrk
check|cmd redis-server|redis-server
check|cmd redis-benchmark|redis-tools
check|cmd ssh-keygen|openssh-client
check|cmd pgrep|procps
check|cmd mandoc|mandoc
vm|cmd qemu-system-x86_64|qemu-system-x86
vm|cmd busybox|busybox-static
vm|x32|gcc-multilib
check|cmd git|git
check|cmd node|nodejs
check|cmd java|default-jre-headless
check|m32|gcc-multilib
demo|cmd nginx|nginx-light
demo|cmd ab|apache2-utils
demo|cmd pgrep|procps
bench|cmd python3|python3
bench|cmd strace|strace
bench|cmd taskset|util-linux
bench|cmd zstd|zstd
bench|cmd redis-server|redis-server
bench|cmd redis-benchmark|redis-tools
fuzz|cmd clang|clang
fuzz|clangrt|libclang-rt-14-dev
man-lint|cmd mandoc|mandoc
format-check|cmd clang-format-14|clang-format-14
'

print=
if [ "$1" = --print ]; then
	print=1
	shift
fi

cc=${CC:-gcc}
have() {
	case $1 in
	cmd) command -v "$2" >/dev/null 2>&1 ;;
	x32) echo '#include <stdio.h>' | ${CC:-gcc} -mx32 -E - >/dev/null 2>&1 ;;
	pc) ${PKG_CONFIG:-pkg-config} --exists "$2" 2>/dev/null ;;
	hdr) echo "#include <$2>" | $cc -E - >/dev/null 2>&1 ;;
	m32) [ "$(uname -m)" != x86_64 ] || echo '#include <stdio.h>' | gcc -m32 -E - >/dev/null 2>&1 ;;
	sanrt)  # clang under a sanitizer needs its run-time; gcc brings its own
		[ -z "$SANITIZE" ] || [ "${cc%% *}" != clang ] ||
			test -n "$(find /usr/lib/llvm-* /usr/lib/clang -name 'libclang_rt.asan*' 2>/dev/null | head -n 1)" ;;
	clangrt) test -n "$(find /usr/lib/llvm-* /usr/lib/clang -name 'libclang_rt.fuzzer*.a' 2>/dev/null | head -n 1)" ;;
	*) echo "deps.sh: bad probe: $*" >&2; exit 2 ;;
	esac
}

sets=" build "
for s in "$@"; do
	case $s in
	# programs of the other ABIs, and a machine that runs them (tests/vm/vm.t)
	check-full) sets="$sets check $([ "$(uname -m)" = x86_64 ] && echo vm) " ;;
	*) sets="$sets$s " ;;
	esac
done

missing=
while IFS='|' read -r set probe package; do
	case "$sets" in *" $set "*) ;; *) continue ;; esac
	case $probe in *CC*) probe="cmd ${cc%% *}"; [ "${cc%% *}" = clang ] && package=clang ;; esac
	# shellcheck disable=SC2086
	have $probe && continue
	case " $missing " in *" $package "*) ;; *) missing="$missing $package" ;; esac
done <<END
$(printf '%s\n' "$table" | sed '/^$/d')
END
missing=${missing# }
[ -z "$missing" ] && exit 0

if ! command -v apt-get >/dev/null 2>&1; then
	echo "missing (names of the Debian packages): $missing" >&2
	exit 1
fi
command="apt-get install -y --no-install-recommends $missing"
if [ "$(id -u)" = 0 ]; then
	sudo=
elif sudo -n true 2>/dev/null; then
	sudo='sudo -n'
else
	sudo=none
fi
if [ -n "$print" ] || [ "$sudo" = none ]; then
	echo "packages are missing; install them with:" >&2
	if [ "$(id -u)" = 0 ]; then echo "  $command" >&2; else echo "  sudo $command" >&2; fi
	exit 1
fi

# A server that is installed for a test must not start listening on this machine.
policy=/usr/sbin/policy-rc.d
made=
if [ ! -e $policy ]; then
	printf '#!/bin/sh\nexit 101\n' | $sudo tee $policy >/dev/null && $sudo chmod 755 $policy && made=1
fi
cleanup() { [ -n "$made" ] && $sudo rm -f $policy; made=; }
trap cleanup EXIT
trap 'exit 1' INT TERM HUP

echo "installing: $missing" >&2
export DEBIAN_FRONTEND=noninteractive
# shellcheck disable=SC2086
$sudo env DEBIAN_FRONTEND=noninteractive $command || {
	$sudo apt-get update && $sudo env DEBIAN_FRONTEND=noninteractive $command
} || {
	echo "installing failed; the command was: $command" >&2
	exit 1
}
