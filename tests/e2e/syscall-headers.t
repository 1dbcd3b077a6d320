#!/bin/sh
# The table of system calls and the names of flags against this machine's kernel headers:
# a call or number that the headers know and the table has otherwise, or not, is a failure.
cd "$(dirname "$0")/../.." || exit 1
. tests/tap.sh

CC=${CC:-cc}
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT

# header NAME DEFINES: "name number" of each call in <asm/NAME>, sorted, x32's bit taken off.
header() {
	printf '#include <%s>\n' "$1" >"$dir/h.c"
	# shellcheck disable=SC2086
	$CC $2 -E -dM "$dir/h.c" 2>/dev/null |
		sed -n 's/^#define __NR_\([a-z_][a-z0-9_]*\) .*/\1/p' |
		grep -vx -e syscalls -e arch_specific_syscall | sort >"$dir/names"
	[ -s "$dir/names" ] || return 1
	{
		cat "$dir/h.c"
		sed 's/.*/call & = __NR_&/' "$dir/names"
	} >"$dir/n.c"
	# shellcheck disable=SC2086
	$CC $2 -E -P "$dir/n.c" |
		sed -n 's/^call \([a-z0-9_]*\) = (\{0,1\}\([_A-Z0-9x]* + \)\{0,1\}\([0-9]*\))\{0,1\}$/\1 \3/p' |
		sort
}

# table COLUMN: the same from the table, calls through socketcall(2) left out.
table() {
	awk -v c="$1" '
		/^[ \t]*(#|$)/ { next }
		{
			n = split($c, w, ",")
			for (i = 1; i <= n; i++)
				if (w[i] ~ /^@?[0-9]+$/) {
					sub(/^@/, "", w[i])
					print $1, w[i]
				}
		}' common/syscalls.tab | sort
}

# Calls of newer kernels with numbers in a gap of older ones.
late='uretprobe uprobe'

compare() {
	abi=$1 column=$2 name=$3 defines=$4 least=$5
	if ! header "$name" "$defines" >"$dir/want"; then
		ok 0 "$abi # SKIP no <$name> here"
		return
	fi
	table "$column" >"$dir/have"
	n=$(wc -l <"$dir/want")
	[ "$n" -ge "$least" ]
	ok $? "$abi: <$name> names $n calls, at least $least"
	[ "$n" -eq "$(wc -l <"$dir/names")" ]
	ok $? "$abi: each of them with a number"
	empty "$(comm -23 "$dir/want" "$dir/have")" "$abi: every call of the headers is in the table with its number"
	# x32's own calls have numbers from 512 on, behind every new one
	max=$(awk '$2 < 512 && $2 > m { m = $2 } END { print m }' "$dir/want")
	empty "$(comm -13 "$dir/want" "$dir/have" |
		awk -v max="$max" -v late=" $late " '($2 <= max || $2 >= 512) && !index(late, " " $1 " ")')" \
		"$abi: the table adds none below the headers' last number, $max"
}

compare x86_64 2 asm/unistd_64.h '' 350
compare i386 3 asm/unistd_32.h '' 400
compare x32 4 asm/unistd_x32.h '' 340
compare aarch64 5 asm-generic/unistd.h \
	'-D__ARCH_WANT_RENAMEAT -D__ARCH_WANT_NEW_STAT -D__ARCH_WANT_SET_GET_RLIMIT -D__ARCH_WANT_SYS_CLONE3 -D__ARCH_WANT_MEMFD_SECRET -D__ARCH_WANT_TIME32_SYSCALLS' 290

# ---- flags ----

# Names that are macros of the headers, with the value the table gives them. Sets for another
# architecture are left out, and masks: MS_MGC_VAL is a value of the field under its mask.
awk '
	/^[ \t]*(#|$)/ { next }
	/^[^ \t]/ { arm = $1 ~ /_arm$/; quota = $1 == "quotactl"; next }
	!arm && !quota {
		for (i = 1; i <= NF; i++)
			if ($i !~ /^@/) {
				split($i, w, "[=/]")
				printf "#ifdef %s\n\tcompared++;\n\tif ((unsigned int)(%s) != (unsigned int)%sULL) " \
				       "printf(\"%s: headers 0x%%x, table %s\\n\", (unsigned int)(%s));\n#endif\n", \
				       w[1], w[1], w[2], w[1], w[2], w[1]
			}
	}' common/flags.tab >"$dir/checks.h"
cat >"$dir/flags.c" <<'END'
#include <stddef.h>
#include <linux/types.h>
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/openat2.h>
#include <linux/stat.h>
#include <linux/mman.h>
#include <linux/sched.h>
#include <linux/wait.h>
#include <linux/ptrace.h>
#include <linux/prctl.h>
#include <linux/seccomp.h>
#include <linux/landlock.h>
#include <linux/mount.h>
#include <linux/reboot.h>
#include <linux/net.h>
#include <linux/ipc.h>
#include <linux/time.h>
#include <linux/resource.h>
#include <linux/personality.h>
#include <linux/keyctl.h>
#include <linux/perf_event.h>
#include <linux/random.h>
#include <linux/io_uring.h>
#include <linux/capability.h>
#include <linux/fs.h>
#include <linux/fiemap.h>
#include <linux/fsverity.h>
#include <linux/loop.h>
#include <linux/falloc.h>
#include <linux/fadvise.h>
#include <linux/memfd.h>
#include <linux/inotify.h>
#include <linux/fanotify.h>
#include <linux/userfaultfd.h>
#include <linux/nsfs.h>
#include <linux/if_tun.h>
#include <linux/sockios.h>
#include <linux/close_range.h>
#include <linux/module.h>
#include <linux/kexec.h>
#include <linux/xattr.h>
#include <asm/signal.h>
#include <asm/socket.h>
#include <asm/ioctls.h>
int printf(const char *, ...);
int main(void)
{
	unsigned int compared = 0;
#include "checks.h"
	printf("compared %u\n", compared);
	return 0;
}
END
case $($CC -dumpmachine) in
x86_64-*)
	if $CC -w -o "$dir/flags" "$dir/flags.c" 2>"$dir/err"; then
		"$dir/flags" >"$dir/out"
		n=$(sed -n 's/^compared //p' "$dir/out")
		[ "$n" -ge 600 ]
		ok $? "flags: $n names are macros of the headers, at least 600"
		empty "$(grep -v '^compared ' "$dir/out")" "flags: each with the headers' value"
	else
		empty "$(grep error: "$dir/err" | head -n 5)" "flags: the headers compile"
	fi
	;;
*) ok 0 "flags # SKIP the table holds x86 values" ;;
esac

# ---- rows that must not build ----

gen() { "${AWK:-awk}" -f common/gen-syscalls.awk "$dir/flags.tab" "$dir/structs.tab" "$dir/syscalls.tab" 2>&1 >/dev/null; }

# refused FILE LINE MESSAGE NAME: the line added to FILE ends the generator there with MESSAGE.
refused() {
	cp common/flags.tab common/structs.tab common/syscalls.tab "$dir"
	printf '%s\n' "$2" >>"$dir/$1"
	line=$(wc -l <"$dir/$1")
	got=$(gen)
	status=$?
	is "$status $got" "1 $dir/$1:$line: $3" "$4"
}

cp common/flags.tab common/structs.tab common/syscalls.tab "$dir"
is "$(gen; echo $?)" 0 "the tables as they are build"
refused syscalls.tab 'new 999 - - - file int - -x' 'bad moves "-x"' 'moves that are none'
refused syscalls.tab 'new 999 - - - file int -' 'wanted: name, four numbers, classes, ret, effect, moves, arguments' 'too few columns'
refused syscalls.tab 'new 0 - - - file int - -' 'x86_64 0 is already "read"' 'a number that is taken'
refused syscalls.tab 'read 999 - - - file int - -' '"read" has two rows for x86_64' 'a name that has a number there'
refused syscalls.tab 'new 9x - - - file int - -' 'bad number "9x" for x86_64' 'no number'
refused syscalls.tab 'new 999 - - - fil int - -' 'unknown class "fil"' 'an unknown class'
refused syscalls.tab 'new 999 - - - file nt - -' 'unknown return kind "nt"' 'an unknown return kind'
refused syscalls.tab 'new 999 - - - file int zap -' 'unknown effect "zap"' 'an unknown effect'
refused syscalls.tab 'new 999 - - - file int - - a:zap' 'unknown kind "zap"' 'an unknown kind'
refused syscalls.tab 'new 999 - - - file int - - a' 'wanted: name:kind, not "a"' 'an argument without a kind'
refused syscalls.tab 'new 999 - - - file int - - a:flags(zap)' 'no set "zap" in flags.tab' 'an unknown set'
refused syscalls.tab 'new 999 - - - file int - - a:enum(open)' 'set "open" holds bits' 'bits as an enum'
refused syscalls.tab 'new 999 - - - file int - - a:nums_in(zap)' 'no struct "zap" in structs.tab' 'an unknown structure'
refused syscalls.tab 'new 999 - - - file int - - a:buf_in(3)' 'slot 3 of "a" is not there' 'a slot that is not there'
refused syscalls.tab 'new 999 - - - file int - - a:dirfd' 'a dirfd needs a path right behind it' 'a dirfd without its path'
refused syscalls.tab 'new 999 - - - file int - - a:off_lo b:int' 'off_lo without its off_hi' 'half an offset'
refused syscalls.tab 'new 999 - - - file int - R0 a:int' 'slot 0 of moves is no fd' 'bytes from what is no fd'
refused syscalls.tab 'new 999 - - - file int - - a:int b:int c:int d:int e:int f:int g:int' '7 arguments' 'seven arguments'
refused flags.tab 'zap' 'wanted: SET bits|enum' 'a set without its kind'
refused flags.tab '	ZAP' 'wanted: NAME=VALUE or NAME=VALUE/MASK, not "ZAP"' 'a name without a value'
refused structs.tab 'struct zap a:u24' 'unknown type "u24"' 'an unknown type'
refused structs.tab 'struct zap a:char4 b:str64' 'struct "zap" has two texts' 'two texts'
refused structs.tab 'struct zap a:char4:hex' 'text has no format' 'a text with a format'
refused structs.tab 'cmd prctl PR_GET_NAME int a:fdset(0)' 'fdset is not for commands' 'a kind that needs a slot'
refused structs.tab 'cmd fcntl F_ZAP int' 'set "fcntl" has no F_ZAP' 'an unknown command'

tap_done
