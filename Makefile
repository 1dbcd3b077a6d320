# frec and fanalyze: build, test, measure, install. One plain Makefile; GNU make.
#
#   make                     frec and fanalyze into $(BUILD)
#   make check               everything that proves it works (installs what is missing, see deps)
#   make check-full          the same with the long loops
#   make demo                record a real nginx under load and read the case back
#   make bench               frec beside strace, a bare ptrace loop and nothing, as a table and JSON
#   make fuzz                libFuzzer over the readers, FUZZ_SECONDS each (needs clang)
#   make deps                install the packages that the targets above need, and nothing else
#   make install             PREFIX=/usr/local, DESTDIR=
#   make man-lint            mandoc -T lint over the manuals
#   make format-check        names the C files that are not as .clang-format has them
#   make clean
#
# Variables:
#   BUILD=build              where everything that is made goes
#   CC=gcc CFLAGS= CPPFLAGS= LDFLAGS= LDLIBS=   yours come last, after the project's own
#   PKG_CONFIG=pkg-config    finds libzstd, nettle, sqlite3
#   WERROR=1                 warnings are errors
#   SANITIZE=address,undefined
#   STATIC=1                 frec as one static binary
#   HARDEN=0                 without the hardening flags
#   V=1                      print the commands
#   PREFIX= DESTDIR= BINDIR= MANDIR=
#   PROVEFLAGS=              for prove(1), e.g. PROVEFLAGS=-v
#   TESTS=                   run only these: make check TESTS='tests/arch.t build/unit/bytes'
#   FREC_MUST_WORK=1         a test that would skip because ptrace is forbidden fails instead

VERSION = 0.1.0

BUILD      = build
CC         = gcc
AR         = ar
AWK        = awk
CFLAGS    ?= $(if $(STATIC),-Os,-O2) -g
PKG_CONFIG ?= pkg-config
PROVE      = prove
PREFIX    ?= /usr/local
BINDIR     = $(PREFIX)/bin
MANDIR     = $(PREFIX)/share/man
HARDEN     = 1
FUZZ_SECONDS = 60

# ---- sources, by name -------------------------------------------------------------------

COMMON_SRC = \
	common/crc32c.c \
	common/tailfile.c \
	common/block.c \
	common/casestate.c \
	common/casesrc.c \
	common/casescan.c \
	common/casefile.c \
	common/bodies.c \
	common/columns.c \
	common/declared.c \
	common/decode.c \
	common/describe.c \
	common/describe_uring.c \
	common/detail.c \
	common/encode.c \
	common/error.c \
	common/flags.c \
	common/nums.c \
	common/receipt.c \
	common/segment.c \
	common/sha256.c \
	common/statement.c \
	common/sysent.c \
	common/text.c \
	common/unfinished.c \

RECORDER_SRC = \
	recorder/main.c \
	recorder/session.c \
	recorder/engine.c \
	recorder/attach.c \
	recorder/launch.c \
	recorder/front.c \
	recorder/filter.c \
	recorder/lockdown.c \
	recorder/tracee.c \
	recorder/fdtable.c \
	recorder/resolve.c \
	recorder/walk.c \
	recorder/mem.c \
	recorder/emit.c \
	recorder/capture.c \
	recorder/args.c \
	recorder/structs.c \
	recorder/fds.c \
	recorder/effects.c \
	recorder/signs.c \
	recorder/lifecycle.c \
	recorder/mapped.c \
	recorder/keep.c \
	recorder/uring.c \
	recorder/uring_files.c \
	recorder/uring_op.c \
	recorder/verbose.c \
	recorder/placement.c \
	recorder/pins.c \
	recorder/guardian.c \
	recorder/heirs.c \
	recorder/affinity.c \
	recorder/stopwait.c \
	recorder/append.c \
	recorder/checkpoint.c \
	recorder/genesis.c \
	recorder/recover.c \
	recorder/recover_plan.c \
	recorder/tail.c \
	recorder/writer.c \
	recorder/writer_helper.c \
	recorder/writer_open.c \
	recorder/diagnose.c \
	recorder/control.c \
	recorder/status.c \
	recorder/context.c \
	recorder/procinfo.c \
	recorder/names.c \
	recorder/shown.c \
	recorder/option_rows.c \
	recorder/options.c \
	recorder/quantity.c \
	recorder/recordset.c \

ANALYZER_SRC = \
	analyzer/aggregate.c \
	analyzer/anchors.c \
	analyzer/building.c \
	analyzer/caseinfo.c \
	analyzer/custody.c \
	analyzer/custody_check.c \
	analyzer/custody_list.c \
	analyzer/custody_signers.c \
	analyzer/db.c \
	analyzer/effects.c \
	analyzer/escape.c \
	analyzer/export.c \
	analyzer/extract.c \
	analyzer/extract_filter.c \
	analyzer/extract_learn.c \
	analyzer/extract_records.c \
	analyzer/extract_told.c \
	analyzer/extract_write.c \
	analyzer/feed.c \
	analyzer/files.c \
	analyzer/follow.c \
	analyzer/import.c \
	analyzer/insert.c \
	analyzer/intern.c \
	analyzer/look.c \
	analyzer/madehere.c \
	analyzer/main.c \
	analyzer/message.c \
	analyzer/notes.c \
	analyzer/options.c \
	analyzer/output.c \
	analyzer/peers.c \
	analyzer/query.c \
	analyzer/report.c \
	analyzer/rows.c \
	analyzer/rules.c \
	analyzer/rules_apply.c \
	analyzer/rules_known.c \
	analyzer/rules_learn.c \
	analyzer/spans.c \
	analyzer/sshsig.c \
	analyzer/summary.c \
	analyzer/table.c \
	analyzer/tailmark.c \
	analyzer/verify.c \
	analyzer/verify_action.c \
	analyzer/verify_json.c \
	analyzer/verify_tail.c \
	analyzer/verify_text.c \

# common/gen-NAME.awk reads the tables in this order and writes $(BUILD)/gen/NAME.inc
TABLES = common/flags.tab common/structs.tab common/syscalls.tab
COMMON_GEN = \
	syscalls \

# schema/NAME.sql, embedded in the order given; found by NAME at run time (schema/embedded.h)
SQL = \
	tables \
	views \
	indexes \
	queries/timeline \
	queries/files \
	queries/bytes \
	queries/processes \
	queries/connections \
	queries/failures \
	queries/coverage \
	queries/observer \
	queries/audit \
	queries/info \
	queries/summary \
	queries/alerts \
	queries/syscalls \
	queries/context \
	queries/created \
	queries/credentials \
	queries/deleted-open \
	queries/destroyed \
	queries/executed \
	queries/executed-deleted \
	queries/hashes \
	queries/kernel \
	queries/links \
	queries/listening \
	queries/mapped \
	queries/memory \
	queries/modes \
	queries/mounts \
	queries/namespaces \
	queries/owners \
	queries/ptrace \
	queries/read \
	queries/renamed \
	queries/short-lived \
	queries/signals \
	queries/signs \
	queries/times \
	queries/top-readers \
	queries/top-writers \
	queries/writes-outside \
	queries/written \
	queries/written-executed \
	queries/xattrs \

# tests/unit/NAME.c, by what they link: libcommon; that and recorder/; that and analyzer/
UNIT_COMMON = \
	tailfile \
	unfinished \
	bytes \
	block \
	segment \
	casefile \
	record \
	crc32c \
	sysent \
	describe \
	text \
	statement \
	flags \

UNIT_RECORDER = \
	fdtable \
	lockdown \
	guardian \
	placement \
	stopwait \
	unfollowed \
	checkpoint \
	writer_faults \
	recover \
	control \
	diagnose \
	procinfo \
	options \
	writer \

UNIT_ANALYZER = \
	analyze_options \
	escape \
	queries \
	rules \
	spans \
	tables \

# tests/tamper/NAME.c: what can be done to a case, done to it
TAMPER = \
	tamper \

# tests/DIR/NAME.c, programs over libcommon that tests run
HELPERS = \
	golden/golden \

# tests/targets/NAME.c: programs to be traced, linked with nothing of ours
TARGETS = \
	commands \
	faults \
	hostile \
	where \
	counter \
	io \
	noise \
	paths \
	races \
	server \
	sideways \
	sockets \
	threads \
	tree \
	uring \

# of these NAME32 is the same for i386 and NAMEx32 for x32, where the compiler has what that takes
TARGETS32 = \
	commands \
	io \
	noise \
	paths \
	sideways \
	sockets \
	threads \
	tree \
	uring \

# tests/hazards/NAME.c: one program of many targets, each of which fails when traced wrongly
HAZARDS = \
	clone \
	ends \
	exec \
	main \
	procs \
	seccomp \
	shapes \
	siginfo \
	signals \
	sleeps \
	stops \
	surroundings \
	threads \
	waits \

# tests/fuzz/NAME.c: LLVMFuzzerTestOneInput over libcommon; tests/fuzz/main.c replays a corpus
FUZZERS = \
	block \
	casefile \
	record \
	segment \
	statement \
	tailfile \

# executables that print TAP
SCRIPT_TESTS = \
	tests/e2e/syscall-headers.t \
	tests/arch.t \
	tests/e2e/placement.t \
	tests/fuzz/replay.t \
	tests/hazards/run.t \
	tests/hazards/attach.t \
	tests/hazards/job.t \
	tests/hazards/launch.t \
	tests/golden/golden.t \
	tests/e2e/account.t \
	tests/e2e/analyze-database.t \
	tests/e2e/alerts.t \
	tests/e2e/analyze-views.t \
	tests/e2e/analyze-hostile.t \
	tests/e2e/analyze-follow.t \
	tests/e2e/commands.t \
	tests/e2e/connections.t \
	tests/e2e/audit.t \
	tests/e2e/context.t \
	tests/e2e/hostile.t \
	tests/e2e/mapped.t \
	tests/e2e/noise.t \
	tests/e2e/races.t \
	tests/e2e/differential.t \
	tests/e2e/bad-input.t \
	tests/e2e/cycles.t \
	tests/e2e/verify.t \
	tests/e2e/victims.t \
	tests/e2e/custody.t \
	tests/e2e/extract.t \
	tests/e2e/frec-manual.t \
	tests/e2e/killed.t \
	tests/e2e/media.t \
	tests/e2e/leftover.t \
	tests/e2e/damaged.t \
	tests/e2e/unfinished.t \
	tests/e2e/modes.t \
	tests/e2e/planted.t \
	tests/e2e/services.t \
	tests/e2e/stock-tools.t \
	tests/e2e/tamper.t \
	tests/e2e/strace.t \
	tests/e2e/uring.t \
	tests/e2e/uring-files.t \
	tests/e2e/terminal.t \

# the same, only for check-full
SCRIPT_TESTS_FULL = \
	tests/build.t \
	tests/vm/vm.t \

# tests/bench/NAME.c
BENCH = \
	inserts \
	limit \
	threads \

MAN1 = \
	docs/fanalyze.1 \
	docs/frec.1 \

MAN5 = \
	docs/frz.5 \

# ---- flags ------------------------------------------------------------------------------

# Expanded at first use, which is in a recipe and so after `deps` had its turn.
once = $(eval $(1) := $(shell $(2)))$($(1))
ZSTD_CFLAGS   = $(call once,ZSTD_CFLAGS,$(PKG_CONFIG) --cflags libzstd)
NETTLE_CFLAGS = $(call once,NETTLE_CFLAGS,$(PKG_CONFIG) --cflags nettle)
SQLITE_CFLAGS = $(call once,SQLITE_CFLAGS,$(PKG_CONFIG) --cflags sqlite3)
pc_static     = $(if $(STATIC),--static)
COMMON_LIBS   = $(call once,COMMON_LIBS,$(PKG_CONFIG) --libs libzstd nettle)
FREC_LIBS     = $(call once,FREC_LIBS,$(PKG_CONFIG) $(pc_static) --libs libzstd nettle)
SQLITE_LIBS   = $(call once,SQLITE_LIBS,$(PKG_CONFIG) --libs sqlite3)
MACHINE       = $(call once,MACHINE,$(CC) -dumpmachine)

WARN = -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes \
       -Wwrite-strings -Wundef -Wformat-security $(if $(filter 1,$(WERROR)),-Werror)

# _FORTIFY_SOURCE needs an optimising compile and does not go with the sanitizers.
fortify = $(if $(or $(SANITIZE),$(findstring FORTIFY,$(CFLAGS) $(CPPFLAGS))),,$(if \
          $(filter -O -O1 -O2 -O3 -Os -Oz,$(CFLAGS)),-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2))
HARDEN_CFLAGS = $(if $(filter 1,$(HARDEN)),-fstack-protector-strong -fstack-clash-protection \
                $(fortify) $(if $(filter x86_64-% i%86-%,$(MACHINE)),-fcf-protection) \
                $(if $(filter aarch64-%,$(MACHINE)),-mbranch-protection=standard))
# a comma within $(if) would end the argument
HARDEN_LDFLAGS_1 = -Wl,-z,relro,-z,now,-z,noexecstack
HARDEN_LDFLAGS = $(HARDEN_LDFLAGS_$(HARDEN))

# The static frec is carried to a host and should be small. It compresses at level 3, which zstd
# does with its fast and double-fast strategies for any size; naming the entry points of the
# others here keeps a quarter of a megabyte out. (A zstd that has no such name ignores it;
# tests/build.t compresses with the result.)
static_zstd = $(foreach s,$(foreach v,greedy lazy lazy2,$(v) $(v)_row $(v)_extDict $(v)_extDict_row \
              $(v)_dictMatchState $(v)_dictMatchState_row $(v)_dedicatedDictSearch \
              $(v)_dedicatedDictSearch_row) $(foreach v,btlazy2 btopt btultra,$(v) $(v)_extDict \
              $(v)_dictMatchState) btultra2,ZSTD_compressBlock_$(s)) ZSTD_updateTree ZSTD_row_update \
              ZSTD_insertAndFindFirstIndex ZSTD_dedicatedDictSearch_lazy_loadDictionary
comma = ,
FREC_LDFLAGS = $(if $(STATIC),-static-pie -Wl$(comma)-z$(comma)pack-relative-relocs \
               -Wl$(comma)--no-eh-frame-hdr$(comma)-T$(comma)recorder/static.ld $(static_zstd:%=-Wl$(comma)--defsym=%=0),-pie)

SAN_FLAGS = $(if $(SANITIZE),-fsanitize=$(SANITIZE) -fno-sanitize-recover=all -fno-omit-frame-pointer)

# The same bytes from any folder: no path of the machine in them.
REPRO = -ffile-prefix-map=$(abspath $(BUILD))=build -ffile-prefix-map=$(CURDIR)=. \
        -ffile-prefix-map=$(BUILD)=build

ALL_CPPFLAGS = -D_GNU_SOURCE= -D_FILE_OFFSET_BITS=64 -DFREC_VERSION='"$(VERSION)"' \
               -I$(BUILD)/gen $(CPPFLAGS)
ALL_CFLAGS   = -std=gnu11 -fPIE -pthread -ffunction-sections -fdata-sections $(REPRO) $(WARN) \
               $(HARDEN_CFLAGS) $(SAN_FLAGS) $(if $(STATIC),-fno-asynchronous-unwind-tables) $(CFLAGS)
ALL_LDFLAGS  = -pthread -Wl,--gc-sections $(HARDEN_LDFLAGS) $(SAN_FLAGS) $(CFLAGS) $(LDFLAGS)

Q = $(if $(filter 1,$(V)),,@)
silent = $(findstring s,$(firstword -$(MAKEFLAGS)))
say = $(if $(filter 1,$(V)),,@$(if $(silent),:,printf) '  %-7s %s\n' $(1) $(patsubst $(BUILD)/%,%,$(2));)

# ---- what is made -----------------------------------------------------------------------

.DELETE_ON_ERROR:
.SUFFIXES:
.DEFAULT_GOAL = all

objs = $(patsubst %.c,$(BUILD)/obj/%.o,$(1))

COMMON_OBJ   = $(call objs,$(COMMON_SRC))
RECORDER_OBJ = $(call objs,$(filter-out recorder/main.c,$(RECORDER_SRC)))
ANALYZER_OBJ = $(call objs,$(filter-out analyzer/main.c,$(ANALYZER_SRC))) $(BUILD)/obj/gen/schema.o
GEN          = $(patsubst %,$(BUILD)/gen/%.inc,$(COMMON_GEN))
.SECONDARY: $(GEN)
UNIT         = $(UNIT_COMMON) $(UNIT_RECORDER) $(UNIT_ANALYZER)
UNIT_BIN     = $(patsubst %,$(BUILD)/unit/%,$(UNIT))
TAMPER_BIN   = $(patsubst %,$(BUILD)/tamper/%,$(TAMPER))
HELPER_BIN   = $(patsubst %,$(BUILD)/%,$(HELPERS))
TARGET_BIN   = $(patsubst %,$(BUILD)/targets/%,$(TARGETS))
abis32 := $(if $(filter check%,$(MAKECMDGOALS)),$(foreach m,32 x32,$(shell echo '#include <stdio.h>' | \
               $(CC) -m$(m) -xc -fsyntax-only - 2>/dev/null && echo $(m))))
TARGET32_BIN = $(foreach m,$(abis32),$(patsubst %,$(BUILD)/targets/%$(m),$(TARGETS32)))
FUZZ_BIN     = $(patsubst %,$(BUILD)/fuzz/%,$(FUZZERS))
HAZARD_BIN   = $(patsubst %,$(BUILD)/hazards/%,hazards $(if $(filter x86_64,$(shell uname -m)),i386 x32))
BENCH_BIN    = $(patsubst %,$(BUILD)/bench/%,$(BENCH))
PROGRAMS     = $(if $(filter recorder/main.c,$(RECORDER_SRC)),$(BUILD)/frec) \
               $(if $(filter analyzer/main.c,$(ANALYZER_SRC)),$(BUILD)/fanalyze)

.PHONY: all check check-full check-programs bench demo install fuzz fuzz-programs deps man-lint \
        format-check clean force

all: $(PROGRAMS)

$(BUILD)/frec: $(call objs,recorder/main.c) $(BUILD)/librecorder.a $(BUILD)/libcommon.a
	$(call say,LINK,$@)$(CC) $(FREC_LDFLAGS) $(ALL_LDFLAGS) -o $@ $(filter %.o %.a,$^) $(FREC_LIBS) $(LDLIBS)

$(BUILD)/fanalyze: $(call objs,analyzer/main.c) $(BUILD)/libanalyzer.a $(BUILD)/libcommon.a
	$(call say,LINK,$@)$(CC) -pie $(ALL_LDFLAGS) -o $@ $(filter %.o %.a,$^) $(COMMON_LIBS) $(SQLITE_LIBS) $(LDLIBS)

$(BUILD)/libcommon.a: $(COMMON_OBJ)
$(BUILD)/librecorder.a: $(RECORDER_OBJ)
$(BUILD)/libanalyzer.a: $(ANALYZER_OBJ)
$(BUILD)/lib%.a: $(BUILD)/flags
	$(call say,AR,$@)rm -f $@ && $(AR) rcsD $@ $(filter %.o,$^)

# Rewritten only when a compiler or flag changed; every object depends on it.
$(BUILD)/flags: force
	@mkdir -p $(BUILD)
	@$(PKG_CONFIG) --exists libzstd nettle sqlite3 || { sh tests/deps.sh --print build; exit 1; }
	@printf '%s\n' '$(subst ','\'',$(CC) $(ALL_CPPFLAGS) $(ALL_CFLAGS) $(ALL_LDFLAGS) $(STATIC))' >$@.new
	@if cmp -s $@.new $@; then rm $@.new; else mv $@.new $@; fi
force:

compile = $(call say,CC,$<)mkdir -p $(@D) && $(CC) $(ALL_CPPFLAGS) $(1) -MMD -MP $(ALL_CFLAGS) -c -o $@ $<

$(BUILD)/obj/common/%.o: common/%.c $(BUILD)/flags | $(GEN)
	$(call compile,-Icommon $(ZSTD_CFLAGS) $(NETTLE_CFLAGS))
$(BUILD)/obj/recorder/%.o: recorder/%.c $(BUILD)/flags | $(GEN)
	$(call compile,-Irecorder -Icommon $(NETTLE_CFLAGS))
$(BUILD)/obj/analyzer/%.o: analyzer/%.c $(BUILD)/flags | $(GEN)
	$(call compile,-Ianalyzer -Icommon -Ischema $(NETTLE_CFLAGS) $(SQLITE_CFLAGS))
$(BUILD)/obj/gen/schema.o: $(BUILD)/gen/schema.c $(BUILD)/flags
	$(call compile,-Ischema)
# A unit test sees the headers of the program that it tests: both have an options.h.
test_inc = $(if $(filter $(UNIT_ANALYZER:%=unit/%) tamper/%,$*),-Ianalyzer -Ischema,$(if \
           $(filter $(UNIT_RECORDER:%=unit/%),$*),-Irecorder,-Irecorder -Ianalyzer -Ischema))
$(BUILD)/obj/tests/%.o: tests/%.c $(BUILD)/flags | $(GEN)
	$(call compile,-Itests $(test_inc) -Icommon $(NETTLE_CFLAGS) $(SQLITE_CFLAGS))

$(BUILD)/gen/%.inc: common/gen-%.awk $(TABLES)
	$(call say,GEN,$@)mkdir -p $(@D) && $(AWK) -f $< $(TABLES) >$@

$(BUILD)/gen/schema.c: schema/embed.awk $(patsubst %,schema/%.sql,$(SQL)) $(BUILD)/flags
	$(call say,GEN,$@)mkdir -p $(@D) && $(AWK) -f schema/embed.awk $(patsubst %,schema/%.sql,$(SQL)) </dev/null >$@

# ---- tests ------------------------------------------------------------------------------

link = $(call say,LINK,$@)mkdir -p $(@D) && $(CC) -pie $(ALL_LDFLAGS) -o $@ $(filter %.o %.a,$^)

$(patsubst %,$(BUILD)/unit/%,$(UNIT_COMMON)): $(BUILD)/unit/%: $(BUILD)/obj/tests/unit/%.o $(BUILD)/libcommon.a
	$(call link) $(COMMON_LIBS) $(LDLIBS)
$(patsubst %,$(BUILD)/unit/%,$(UNIT_RECORDER)): $(BUILD)/unit/%: $(BUILD)/obj/tests/unit/%.o $(BUILD)/librecorder.a $(BUILD)/libcommon.a
	$(call link) $(COMMON_LIBS) $(LDLIBS)
$(patsubst %,$(BUILD)/unit/%,$(UNIT_ANALYZER)): $(BUILD)/unit/%: $(BUILD)/obj/tests/unit/%.o $(BUILD)/libanalyzer.a $(BUILD)/libcommon.a
	$(call link) $(COMMON_LIBS) $(SQLITE_LIBS) $(LDLIBS)

$(TAMPER_BIN): $(BUILD)/%: $(BUILD)/obj/tests/%.o $(BUILD)/libanalyzer.a $(BUILD)/libcommon.a
	$(call link) $(COMMON_LIBS) $(SQLITE_LIBS) $(LDLIBS)
$(HELPER_BIN): $(BUILD)/%: $(BUILD)/obj/tests/%.o $(BUILD)/libcommon.a
	$(call link) $(COMMON_LIBS) $(LDLIBS)

# Targets are traced, not tested: no sanitizer in them, which would do IO of its own.
$(TARGET_BIN): $(BUILD)/targets/%: tests/targets/%.c $(BUILD)/flags
	$(call say,CC,$<)mkdir -p $(@D) && $(CC) -std=gnu11 -D_GNU_SOURCE= -O1 -g $(WARN) -pthread -MMD -MP -MF $@.d -o $@ $<

target32 = $(call say,CC,$@)mkdir -p $(@D) && $(CC) -m$(1) -std=gnu11 -D_GNU_SOURCE= -O1 -g $(WARN) -pthread -o $@ $<
$(filter-out %x32,$(TARGET32_BIN)): $(BUILD)/targets/%32: tests/targets/%.c $(BUILD)/flags
	$(call target32,32)
$(filter %x32,$(TARGET32_BIN)): $(BUILD)/targets/%x32: tests/targets/%.c $(BUILD)/flags
	$(call target32,x32)

$(BUILD)/hazards/hazards: $(patsubst %,tests/hazards/%.c,$(HAZARDS)) tests/hazards/hazard.h $(BUILD)/flags
	$(call say,CC,tests/hazards)mkdir -p $(@D) && $(CC) -std=gnu11 -D_GNU_SOURCE= -O1 -g $(WARN) -pthread -o $@ $(filter %.c,$^)
# Freestanding: the compiler can do it without a library for that ABI.
other = $(call say,CC,$<)mkdir -p $(@D) && $(CC) -m$(1) -O1 $(WARN) -Wno-missing-prototypes -ffreestanding \
	-fno-stack-protector -fcf-protection=none -fno-pie -nostdlib -static -o $@ $<
$(BUILD)/hazards/i386: tests/hazards/other.c $(BUILD)/flags
	$(call other,32)
$(BUILD)/hazards/x32: tests/hazards/other.c $(BUILD)/flags
	$(call other,x32)

$(BENCH_BIN): $(BUILD)/bench/%: tests/bench/%.c $(BUILD)/flags
	$(call say,CC,$<)mkdir -p $(@D) && $(CC) -std=gnu11 -D_GNU_SOURCE= -O2 $(WARN) -pthread -MMD -MP -MF $@.d -o $@ $< $(SQLITE_LIBS)

# With FUZZER=1 libFuzzer brings main; without it tests/fuzz/main.c replays files.
$(FUZZ_BIN): $(BUILD)/fuzz/%: $(BUILD)/obj/tests/fuzz/%.o $(if $(FUZZER),,$(BUILD)/obj/tests/fuzz/main.o) $(BUILD)/libcommon.a
	$(call link) $(if $(FUZZER),-fsanitize=fuzzer) $(COMMON_LIBS) $(LDLIBS)

check-programs: all $(UNIT_BIN) $(TAMPER_BIN) $(HELPER_BIN) $(TARGET_BIN) $(TARGET32_BIN) $(HAZARD_BIN) $(FUZZ_BIN)

# A relative BUILD is made absolute, because tests change directory.
# What a shell puts into the background has SIGINT and SIGQUIT ignored: tests begin with none ignored.
test_env = env --default-signal BUILD='$(abspath $(BUILD))' FREC='$(abspath $(BUILD))/frec' \
           FANALYZE='$(abspath $(BUILD))/fanalyze' CC='$(CC)' SANITIZE='$(SANITIZE)' \
           FREC_MUST_WORK='$(FREC_MUST_WORK)' LC_ALL=C.UTF-8 TZ=UTC0 \
           PYTHONDONTWRITEBYTECODE=1

CHECKS = $(if $(TESTS),$(TESTS),$(UNIT_BIN) $(TAMPER_BIN) $(SCRIPT_TESTS))

check: check-programs
	$(Q)$(test_env) $(PROVE) --exec '' $(PROVEFLAGS) $(CHECKS)
check-full: check-programs
	$(Q)$(test_env) FREC_FULL=1 $(PROVE) --exec '' $(PROVEFLAGS) $(CHECKS) $(SCRIPT_TESTS_FULL)

bench: all $(BENCH_BIN) $(TARGET_BIN)
	$(Q)$(test_env) python3 tests/bench/bench.py --json '$(abspath $(BUILD))/bench.json' $(BENCHFLAGS)

demo: all
	$(Q)$(test_env) sh tests/demo

fuzz:
	$(Q)$(MAKE) --no-print-directory BUILD=$(BUILD)/fuzzing CC=clang FUZZER=1 \
		SANITIZE=address,undefined,fuzzer-no-link fuzz-programs
	$(Q)for f in $(FUZZERS); do mkdir -p $(BUILD)/fuzzing/corpus/$$f; echo "== $$f"; \
		$(BUILD)/fuzzing/fuzz/$$f -max_total_time=$(FUZZ_SECONDS) -rss_limit_mb=1024 \
		-print_final_stats=1 -artifact_prefix=$(BUILD)/fuzzing/ \
		$(BUILD)/fuzzing/corpus/$$f $$(test -d tests/fuzz/corpus/$$f && echo tests/fuzz/corpus/$$f) || exit 1; done
fuzz-programs: $(FUZZ_BIN)

# ---- set-up, install, the rest ----------------------------------------------------------

# The first thing that check, demo, bench and fuzz do, before anything is compiled.
deps_set = $(strip $(foreach g,check check-full demo bench fuzz man-lint format-check,$(if $(filter $(g),$(MAKECMDGOALS)),$(g))))
deps:
	$(Q)CC='$(CC)' SANITIZE='$(SANITIZE)' sh tests/deps.sh $(if $(deps_set),$(deps_set),check demo bench fuzz man-lint)
ifneq ($(deps_set),)
$(BUILD)/flags $(GEN): | deps
endif

man-lint: | deps
	$(Q)for m in $(MAN1) $(MAN5); do mandoc -T lint -W warning $$m || exit 1; done

# No part of check: each version of clang-format lays some things out another way. The files
# follow version 14. What is a table by hand stands between "clang-format off" and "on".
CLANG_FORMAT = clang-format-14
format-check: | deps
	$(Q)bad=0; for f in $$(find recorder common analyzer schema tests -name '*.[ch]' | sort); do \
		$(CLANG_FORMAT) $$f | cmp -s - $$f || { echo "$$f"; bad=1; }; done; exit $$bad

install: all
	install -d $(DESTDIR)$(BINDIR) $(DESTDIR)$(MANDIR)/man1 $(DESTDIR)$(MANDIR)/man5
	install -m 755 $(PROGRAMS) $(DESTDIR)$(BINDIR)
	$(if $(strip $(MAN1)),install -m 644 $(MAN1) $(DESTDIR)$(MANDIR)/man1)
	$(if $(strip $(MAN5)),install -m 644 $(MAN5) $(DESTDIR)$(MANDIR)/man5)

clean:
	rm -rf $(BUILD)

-include $(shell test -d $(BUILD) && find $(BUILD) -name '*.d')
