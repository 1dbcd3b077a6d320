# gen-syscalls.awk - flags.tab, structs.tab and syscalls.tab into the arrays of sysent.c
# and flags.c. Any POSIX awk. A line that is not understood ends the build: FILE:LINE: why.
#
# Output, by macro of the including file:
#   FRZ_GEN_FLAGS    frz_flag_names[], frz_flag_sets[]
#   FRZ_GEN_SYSENTS  members, structures, commands, rows, numbers

function fail(why) {
	printf "%s:%d: %s\n", FILENAME, FNR, why > "/dev/stderr"
	failed = 1
	exit 1
}

function words(list, into,   n, i, w) {
	n = split(list, w, " ")
	for (i = 1; i <= n; i++)
		into[w[i]] = i
}

# Upper case of a word of the table.
function up(s) { return toupper(s) }

# NAME(PARAM) into `head` and `param`, "" when there are no parentheses.
function call_form(s,   i) {
	i = index(s, "(")
	if (!i) {
		head = s
		param = ""
		return
	}
	if (substr(s, length(s)) != ")")
		fail("unclosed parenthesis in \"" s "\"")
	head = substr(s, 1, i - 1)
	param = substr(s, i + 1, length(s) - i - 1)
	if (param == "")
		fail("empty parentheses in \"" s "\"")
}

function set_number(name) {
	if (!(name in set_of))
		fail("no set \"" name "\" in flags.tab")
	return set_of[name]
}

function is_number(s) { return s ~ /^(0x[0-9a-f]+|[0-9]+)$/ }

# kind and param of an argument as "KIND, param"; slots are checked later, when their number is known.
function argdef(spec,   p) {
	call_form(spec)
	if (!(head in kinds))
		fail("unknown kind \"" head "\"")
	p = -1
	if (head ~ /^(flags|enum)$/) {
		if (param == "")
			fail(head " needs a set: " head "(SET)")
		p = set_number(param)
		if (head == "enum" && set_kind[p] != "enum")
			fail("set \"" param "\" holds bits")
	} else if (head ~ /^nums_(in|out|inout)$/) {
		if (!(param in struct_of))
			fail("no struct \"" param "\" in structs.tab")
		p = struct_of[param]
	} else if (head in slotted) {
		if (param !~ /^[0-5]$/)
			fail(head " needs a slot: " head "(0..5)")
		p = param + 0
	} else if (param != "")
		fail(head " takes no parameter")
	arg_kind = head
	arg_param = p
	return "FRZ_ARG_" up(head) ", " p
}

BEGIN {
	words("none int uint long ulong len hex off off_lo off_hi pgoff fd dirfd path str strv " \
	      "buf_in buf_out iov_in iov_out msg_in msg_out mmsg_in mmsg_out addr_in addr_out " \
	      "fd2_out flags enum mode dev id16 nums_in nums_out nums_inout fdset handle_in handle_out " \
	      "iocbs bycmd", kinds)
	words("buf_in buf_out iov_in iov_out mmsg_in mmsg_out addr_in addr_out fdset iocbs bycmd", slotted)
	words("file desc io net process memory other", classes)
	words("int fd size sent pid ptr never", rets)
	words("close dup fcntl close_range pair accept connect recvmsg recvmmsg pidfd_getfd clone " \
	      "exec exit unshare unlink rename truncate open cred prctl ptrace ioctl mmap munmap " \
	      "mprotect mremap cwd affinity uring_setup uring_enter uring_register restart seccomp multi", effects)
	nabi = split("x86_64 i386 x32 aarch64", abi, " ")
	nsets = nflags = nstructs = nmembers = ncmds = nrows = 0
}

FNR == 1 {
	nfiles++
	which = FILENAME
	sub(/^.*\//, "", which)
}

/^[ \t]*(#|$)/ { next }

# ---- flags.tab ----

which == "flags.tab" && /^[^ \t]/ {
	if (NF != 2 || $1 !~ /^[a-z0-9_]+$/ || $2 !~ /^(bits|enum)$/)
		fail("wanted: SET bits|enum")
	if ($1 in set_of)
		fail("set \"" $1 "\" is there already")
	set_name[nsets] = $1
	set_of[$1] = nsets
	set_kind[nsets] = $2
	set_first[nsets] = nflags
	set_count[nsets] = 0
	nsets++
	next
}

which == "flags.tab" {
	if (!nsets)
		fail("a member before the first set")
	for (i = 1; i <= NF; i++) {
		if ($i ~ /^@/) {
			if (split(substr($i, 2), w, "/") != 2 || !is_number(w[2]) || !(w[1] in set_of) && w[1] == "")
				fail("wanted: @SET/MASK, not \"" $i "\"")
			flag_line[nflags] = sprintf("{ NULL, 0, %s, FRZ_SET_AT }", w[2])
			flag_ref[nflags] = w[1]
			flag_where[nflags] = FILENAME ":" FNR
		} else {
			eq = index($i, "=")
			name = substr($i, 1, eq - 1)
			n = split(substr($i, eq + 1), w, "/")
			if (!eq || name !~ /^[A-Za-z_][A-Za-z0-9_]*$/ || n < 1 || n > 2 || !is_number(w[1]) || (n == 2 && !is_number(w[2])))
				fail("wanted: NAME=VALUE or NAME=VALUE/MASK, not \"" $i "\"")
			s = nsets - 1
			if ((s, name) in flag_value)
				fail(name " is in this set already")
			flag_value[s, name] = w[1]
			if (n == 1)
				w[2] = set_kind[s] == "enum" ? "UINT64_MAX" : w[1]
			flag_line[nflags] = sprintf("{ \"%s\", %s, %s, -1 }", name, w[1], w[2])
		}
		nflags++
		set_count[nsets - 1]++
	}
	next
}

# ---- structs.tab ----

which == "structs.tab" && $1 == "struct" {
	if (NF < 3 || $2 !~ /^[a-z0-9_]+$/)
		fail("wanted: struct NAME [len=SLOT] [count=SLOT] MEMBER...")
	if ($2 in struct_of)
		fail("struct \"" $2 "\" is there already")
	struct_of[$2] = nstructs
	struct_name[nstructs] = $2
	len = count = -1
	first = nmembers
	kept = texts = 0
	for (i = 3; i <= NF; i++) {
		if ($i ~ /^len=[0-5]$/) { len = substr($i, 5); continue }
		if ($i ~ /^count=[0-5]$/) { count = substr($i, 7); continue }
		if ($i == "count=ret") { count = "FRZ_COUNT_RET"; continue }
		if ($i ~ /^pad([1-9][0-9]?|w|a)$/) {
			p = substr($i, 4)
			size = p == "w" ? "4, 0, 4, 4" : p == "a" ? "0, 0, 0, 4" : p ", " p ", " p ", " p
			member[nmembers++] = "{ NULL, { " size " }, false, false, FRZ_ARG_NONE, -1 }"
			continue
		}
		n = split($i, w, ":")
		if (n < 2 || n > 3 || w[1] !~ /^[a-z0-9_]+$/)
			fail("wanted: name:type[:format], not \"" $i "\"")
		if (w[2] ~ /^char[1-9][0-9]?$/ || w[2] == "str64") {
			if (n == 3 || texts++)
				fail(n == 3 ? "text has no format" : "struct \"" $2 "\" has two texts")
			p = w[2] == "str64" ? 8 : substr(w[2], 5)
			size = p ", " p ", " p ", " p
			member[nmembers++] = sprintf("{ \"%s\", { %s }, false, false, FRZ_ARG_%s, -1 }", w[1], size, \
				w[2] == "str64" ? "STR" : "BUF_IN")
			continue
		}
		if (w[2] ~ /^[uso](8|16|32|64)$/) {
			p = substr(w[2], 2) / 8
			size = p ", " p ", " p ", " p
		} else if (w[2] ~ /^u?long$/)
			size = "8, 4, 8, 8"
		else if (w[2] == "ptr")
			size = "8, 4, 4, 8"
		else
			fail("unknown type \"" w[2] "\"")
		signed = w[2] ~ /^(s|long)/ ? "true" : "false"
		format = n == 3 ? w[3] : "dec"
		if (format == "dec")
			def = signed == "true" ? "FRZ_ARG_LONG, -1" : "FRZ_ARG_ULONG, -1"
		else if (format == "hex")
			def = "FRZ_ARG_HEX, -1"
		else if (format == "oct")
			def = "FRZ_ARG_MODE, -1"
		else if (format == "fd")
			def = "FRZ_ARG_FD, -1"
		else if (format ~ /^(flags|enum)\(/)
			def = argdef(format)
		else
			fail("unknown format \"" format "\"")
		member[nmembers++] = sprintf("{ \"%s\", { %s }, %s, %s, %s }", w[1], size, signed, \
			w[2] ~ /^o/ ? "true" : "false", def)
		kept++
	}
	if (!kept && !texts)
		fail("struct \"" $2 "\" has no members")
	if (kept > 12)
		fail("struct \"" $2 "\" has more than FRZ_NUMS_MAX members")
	struct_line[nstructs++] = sprintf("{ \"%s\", %s, %s, %d, %d, &frz_members[%d] }", $2, len, count, nmembers - first, kept, first)
	next
}

which == "structs.tab" && $1 == "cmd" {
	if (NF < 4 || NF > 8)
		fail("wanted: cmd SET NAME [NAME:]KIND...")
	s = set_number($2)
	if (!((s, $3) in flag_value))
		fail("set \"" $2 "\" has no " $3)
	if ((s, $3) in cmd_seen)
		fail($3 " is there already")
	cmd_seen[s, $3] = 1
	def = ""
	for (i = 4; i <= NF; i++) {
		c = index($i, ":")
		name = c ? substr($i, 1, c - 1) : "arg"
		def = def (i > 4 ? ", " : "") "{ \"" name "\", " argdef(substr($i, index($i, ":") + 1)) " }"
		if (arg_kind in slotted)
			fail(arg_kind " is not for commands")
	}
	cmd_line[ncmds++] = sprintf("{ %d, %s, %d, { %s } }", s, flag_value[s, $3], NF - 3, def)
	next
}

which == "structs.tab" { fail("wanted: struct or cmd") }

# ---- syscalls.tab ----

which == "syscalls.tab" {
	if (NF < 9)
		fail("wanted: name, four numbers, classes, ret, effect, moves, arguments")
	if ($1 !~ /^[a-z_][a-z0-9_]*$/)
		fail("bad name \"" $1 "\"")
	for (a = 1; a <= nabi; a++) {
		nr[nrows, a] = -1
		if ($(a + 1) == "-")
			continue
		n = split($(a + 1), w, ",")
		for (i = 1; i <= n; i++) {
			plain = w[i]
			if (abi[a] == "i386" && plain ~ /^[@s]/)
				plain = substr(plain, 2)
			if (plain !~ /^[0-9]+$/ || plain + 0 > 1023)
				fail("bad number \"" w[i] "\" for " abi[a])
			space = w[i] ~ /^s/ ? "socketcall" : abi[a]
			if ((space, plain) in row_of)
				fail(space " " plain " is already \"" row_name[row_of[space, plain]] "\"")
			row_of[space, plain] = nrows
			if (!((space) in top) || plain + 0 > top[space])
				top[space] = plain + 0
			if (nr[nrows, a] < 0)
				nr[nrows, a] = space == "socketcall" ? "FRZ_NR_SOCKETCALL + " plain : plain + 0
			if (w[i] ~ /^@/)
				block[plain] = nrows
		}
		if (($1, a) in named)
			fail("\"" $1 "\" has two rows for " abi[a])
		named[$1, a] = 1
	}
	n = split($6, w, ",")
	cl = ""
	for (i = 1; i <= n; i++) {
		if (!(w[i] in classes))
			fail("unknown class \"" w[i] "\"")
		cl = cl (i > 1 ? " | " : "") "FRZ_CL_" up(w[i])
	}
	if (!($7 in rets))
		fail("unknown return kind \"" $7 "\"")
	if ($8 != "-" && !($8 in effects))
		fail("unknown effect \"" $8 "\"")

	nargs = NF - 9
	if (nargs > 6)
		fail(nargs " arguments")
	args = ""
	for (i = 0; i < nargs; i++) {
		c = index($(10 + i), ":")
		name = substr($(10 + i), 1, c - 1)
		if (!c || name !~ /^[a-z][a-z0-9_]*$/)
			fail("wanted: name:kind, not \"" $(10 + i) "\"")
		def = argdef(substr($(10 + i), c + 1))
		kind[i] = arg_kind
		if (arg_kind in slotted && arg_param >= nargs)
			fail("slot " arg_param " of \"" name "\" is not there")
		if (arg_kind == "bycmd")
			bycmd[i] = arg_param
		args = args (i ? ", " : "") "{ \"" name "\", " def " }"
	}
	for (i = 0; i < nargs; i++) {
		if (kind[i] == "dirfd" && (i + 1 >= nargs || kind[i + 1] != "path"))
			fail("a dirfd needs a path right behind it")
		if (kind[i] == "off_lo" && (i + 1 >= nargs || kind[i + 1] != "off_hi") && (i < 1 || kind[i - 1] != "off_hi"))
			fail("off_lo without its off_hi")
		if (kind[i] == "bycmd" && kind[bycmd[i]] != "enum")
			fail("slot " bycmd[i] " is no enum")
	}
	from = to = -1
	counted = 0
	if ($9 != "-") {
		if ($9 !~ /^[RrWw][0-5]([RrWw][0-5])?$/)
			fail("bad moves \"" $9 "\"")
		for (i = 1; i < length($9); i += 2) {
			d = substr($9, i, 1)
			p = substr($9, i + 1, 1) + 0
			if (p >= nargs || kind[p] != "fd")
				fail("slot " p " of moves is no fd")
			if (i > 1 && (d ~ /[RW]/) != counted)
				fail("moves both counted and not")
			counted = d ~ /[RW]/
			if (up(d) == "R") from = p
			else to = p
		}
	}
	row_name[nrows] = $1
	row_line[nrows] = sprintf("{ \"%s\", %d, %s, FRZ_RET_%s, FRZ_FX_%s, %d, %d, %d, %s, { %s } }",
		$1, nrows, cl, up($7), $8 == "-" ? "NONE" : up($8), nargs, from, to,
		counted ? "true" : "false", nargs ? args : "{ NULL, 0, -1 }")
	nrows++
	next
}

{ fail("not one of flags.tab, structs.tab, syscalls.tab") }

function lookup(name, space,   i) {
	printf "static const uint16_t %s[] = {", name
	for (i = 0; i <= top[space]; i++)
		printf "%s%d,", i % 16 ? " " : "\n\t", (space, i) in row_of ? row_of[space, i] + 1 : 0
	print "\n};"
}

# An enum as an array of names by value: `skip` characters of each name cut, the rest behind
# `prefix`, in lower case if asked for.
function by_value(array, set, prefix, skip, lower,   i, key, w) {
	print "static const char *const " array "[] = {"
	for (key in flag_value) {
		split(key, w, SUBSEP)
		if (w[1] == set_number(set))
			value_name[array, flag_value[key] + 0] = w[2]
		if (w[1] == set_number(set) && flag_value[key] + 0 > top[array])
			top[array] = flag_value[key] + 0
	}
	for (i = 0; i <= top[array]; i++)
		if ((array, i) in value_name) {
			w[2] = substr(value_name[array, i], skip + 1)
			printf "\t[%d] = \"%s\",\n", i, prefix (lower ? tolower(w[2]) : w[2])
		}
	print "};"
}

END {
	if (failed)
		exit 1
	if (nfiles != 3 || !nsets || !nstructs || !nrows) {
		print "gen-syscalls.awk: wanted flags.tab structs.tab syscalls.tab" > "/dev/stderr"
		exit 1
	}
	print "/* made by common/gen-syscalls.awk */"
	print "#ifdef FRZ_GEN_FLAGS"
	print "static const struct frz_flag frz_flag_names[] = {"
	for (i = 0; i < nflags; i++) {
		if (i in flag_ref) {
			if (!(flag_ref[i] in set_of)) {
				printf "%s: no set \"%s\"\n", flag_where[i], flag_ref[i] > "/dev/stderr"
				exit 1
			}
			sub(/FRZ_SET_AT/, set_of[flag_ref[i]], flag_line[i])
		}
		print "\t" flag_line[i] ","
	}
	print "};"
	print "static const struct frz_flag_set frz_flag_sets[] = {"
	for (i = 0; i < nsets; i++)
		printf "\t{ \"%s\", %s, %d, &frz_flag_names[%d] },\n", set_name[i], set_kind[i] == "enum" ? "true" : "false", set_count[i], set_first[i]
	print "};"
	print "#endif"
	print "#ifdef FRZ_GEN_NAMES"
	by_value("frz_errno_names", "errno", "", 0, 0)
	by_value("frz_uring_names", "uring_op", "io_uring.", length("IORING_OP_"), 1)
	by_value("frz_family_names", "family", "", length("AF_"), 1)
	print "#endif"
	print "#ifdef FRZ_GEN_SET_NUMBERS"
	print "enum {"
	for (i = 0; i < nsets; i++)
		print "\tFRZ_SET_" up(set_name[i]) " = " i ","
	for (i = 0; i < nstructs; i++)
		print "\tFRZ_STRUCT_" up(struct_name[i]) " = " i ","
	print "};"
	print "#endif"
	print "#ifdef FRZ_GEN_SYSENTS"
	print "static const struct frz_member frz_members[] = {"
	for (i = 0; i < nmembers; i++)
		print "\t" member[i] ","
	print "};\nstatic const struct frz_numsdef frz_structs[] = {"
	for (i = 0; i < nstructs; i++)
		print "\t" struct_line[i] ","
	print "};\nstatic const struct frz_command frz_commands[] = {"
	for (i = 0; i < ncmds; i++)
		print "\t" cmd_line[i] ","
	print "};\nconst struct frz_sysent frz_sysents[] = {"
	for (i = 0; i < nrows; i++)
		print "\t" row_line[i] ","
	print "};\nstatic const int32_t frz_row_numbers[][4] = {"
	for (i = 0; i < nrows; i++)
		printf "\t{ %s, %s, %s, %s },\n", nr[i, 1], nr[i, 2], nr[i, 3], nr[i, 4]
	print "};\n/* by number: row + 1, 0 none */"
	for (a = 1; a <= nabi; a++)
		lookup("frz_by_" abi[a], abi[a])
	lookup("frz_by_socketcall", "socketcall")
	print "/* i386 numbers whose arguments are an array at argument 0 */"
	printf "static const uint16_t frz_in_memory[] = {"
	for (i = 0; i <= top["i386"]; i++)
		if (i in block)
			printf " %d,", i
	print " };"
	print "#endif"
}
