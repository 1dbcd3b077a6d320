/*
 * options.c - frec's command line: good lines give the right fields, bad ones one line that
 * names option, value and remedy.
 */
#include "options.h"

#include <sys/mman.h>
#include <unistd.h>

#include "quantity.h"
#include "recordset.h"
#include "tap.h"

#define MAX_WORDS 16

/* Runs the parser with standard output and error in memory; text gets both. */
static int parse(const char *const *words, struct frec_options *o, char *text, size_t cap)
{
	static char *argv[MAX_WORDS + 2];
	int argc = 1, rc, out = dup(1), err = dup(2), mem = memfd_create("out", 0);
	ssize_t n;

	if (out < 0 || err < 0 || mem < 0)
		bail_out("no descriptors");
	argv[0] = (char *)"frec";
	for (; *words; words++)
		argv[argc++] = (char *)*words;
	argv[argc] = NULL;
	fflush(stdout);
	dup2(mem, 1);
	dup2(mem, 2);
	rc = options_parse(argc, argv, o);
	fflush(stdout);
	dup2(out, 1);
	dup2(err, 2);
	n = pread(mem, text, cap - 1, 0);
	text[n > 0 ? n : 0] = '\0';
	close(out);
	close(err);
	close(mem);
	return rc;
}

struct bad {
	const char *words[MAX_WORDS];
	const char *line;
};

#define NO_RECORD "frec: nothing to record; give -p PID, or -- COMMAND (frec --help tells more)"
#define CLASSES                                                                                    \
	"classes are all, default, file, desc, io, net, process, memory, other; "                  \
	"frec(1) tells more"

static const struct bad bad[] = {
	{ { NULL }, NO_RECORD },
	{ { "-o", "c.frz", NULL }, NO_RECORD },
	{ { "-p", "1", NULL }, "frec: no case file; add -o CASE.frz" },
	{ { "--", "true", NULL }, "frec: no case file; add -o CASE.frz" },
	/* process ids */
	{ { "-p", "x", NULL }, "frec: -p x: is no process id; ps or pgrep shows it" },
	{ { "-p", "12,nginx", NULL }, "frec: -p nginx: is no process id; ps or pgrep shows it" },
	{ { "-p", "0x12", NULL }, "frec: -p 0x12: is no process id; ps or pgrep shows it" },
	{ { "-p", "1.5", NULL }, "frec: -p 1.5: is no process id; ps or pgrep shows it" },
	{ { "-p", "+1", NULL }, "frec: -p +1: is no process id; ps or pgrep shows it" },
	{ { "-p", "0", NULL }, "frec: -p 0: 0 is no process; ps or pgrep shows the id" },
	{ { "--pid=00", NULL }, "frec: --pid 00: 0 is no process; ps or pgrep shows the id" },
	{ { "-p", "-5", NULL }, "frec: -p -5: a process id is positive; ps or pgrep shows it" },
	{ { "-p", "4194305", NULL },
	  "frec: -p 4194305: is larger than any process id; ps or pgrep shows it" },
	{ { "-p", "18446744073709551617", NULL },
	  "frec: -p 18446744073709551617: is larger than any process id; ps or pgrep shows it" },
	{ { "-p", "", NULL }, "frec: -p: no process id given; did pgrep or pidof find nothing?" },
	{ { "-p", " ,\n", NULL },
	  "frec: -p: no process id given; did pgrep or pidof find nothing?" },
	{ { "-p", "1", "2", NULL },
	  "frec: 2: stray word; several process ids go into one -p, as in "
	  "-p \"$(pgrep nginx)\"" },
	{ { "-p", "1", "-o", "c", "--", "ls", "-l", NULL },
	  "frec: -p 1: goes without a command (ls); attach or start, one case for each" },
	/* the case */
	{ { "-p", "1", "-o", "", NULL },
	  "frec: -o \"\": a case needs a file name, such as CASE.frz" },
	{ { "-p", "1", "-o", "-", NULL },
	  "frec: -o -: a case cannot go to standard output; name a file" },
	{ { "-p", "1", "-o", NULL }, "frec: -o: needs a value: -o CASE.frz" },
	{ { "-o", "-p", "1", NULL },
	  "frec: -o: needs a value: -o CASE.frz; one that begins with - goes "
	  "behind =, as in --output=-x" },
	{ { "-o", "a", "--output=b", NULL },
	  "frec: --output b: given a second time; give it once" },
	/* the set */
	{ { "-e", "raed", NULL },
	  "frec: -e raed: no such system call or class; did you mean read?" },
	{ { "-e", "read,openta", NULL },
	  "frec: -e openta: no such system call or class; did you mean openat?" },
	{ { "-e", "!clsoe", NULL },
	  "frec: -e !clsoe: no such system call or class; did you mean !close?" },
	{ { "-e", "fiel", NULL },
	  "frec: -e fiel: no such system call or class; did you mean file?" },
	{ { "-e", "proces", NULL },
	  "frec: -e proces: no such system call or class; did you mean process?" },
	{ { "-e", "pread", NULL },
	  "frec: -e pread: no such system call or class; did you mean pread64?" },
	{ { "-e", "proc", NULL },
	  "frec: -e proc: no such system call or class; did you mean process?" },
	{ { "-e", "nonsensical", NULL },
	  "frec: -e nonsensical: no such system call or class; " CLASSES },
	{ { "-e", "", NULL }, "frec: -e: no system call or class given; " CLASSES },
	{ { "-e", "!", NULL }, "frec: -e !: no such system call or class; " CLASSES },
	{ { "-p1", "-oc", "-e", "read,!read", NULL },
	  "frec: -e: what is left out leaves nothing to record; drop a !NAME" },
	{ { "-p1", "-oc", "-e", "!all", NULL },
	  "frec: -e: what is left out leaves nothing to record; drop a !NAME" },
	{ { "-e", "a\033[31mb\n", NULL },
	  "frec: -e a\\x1b[31mb: no such system call or class; " CLASSES },
	/* quantities */
	{ { "--snap", "-1", NULL },
	  "frec: --snap -1: is not a size; write bytes, or a number with "
	  "K, M, G or T, such as 10M" },
	{ { "--snap", "65K", NULL },
	  "frec: --snap 65K: is more than can be kept of a buffer; at most 64K" },
	{ { "--duration", "0", NULL },
	  "frec: --duration 0: would record nothing; leave the option out "
	  "to record without end" },
	{ { "--duration", "5 minutes", NULL },
	  "frec: --duration 5 minutes: is not a duration; write "
	  "seconds, or a number with ms, s, m, h or d, such as 30, 1.5s or 2h" },
	{ { "--duration", "300000d", NULL }, "frec: --duration 300000d: is too long" },
	{ { "--max-size", "1M1", NULL },
	  "frec: --max-size 1M1: is not a size; write bytes, or a number "
	  "with K, M, G or T, such as 10M" },
	{ { "--max-size", "99999999T", NULL }, "frec: --max-size 99999999T: is too large" },
	{ { "--max-size", "100", NULL },
	  "frec: --max-size 100: is too small for a case; at least 64K, "
	  "or leave the option out" },
	{ { "--max-events", "10k", NULL },
	  "frec: --max-events 10k: is not a number; use decimal digits only" },
	{ { "--max-events", "18446744073709551616", NULL },
	  "frec: --max-events 18446744073709551616: is too large" },
	{ { "--max-events=0", NULL },
	  "frec: --max-events 0: would record nothing; leave the option out "
	  "to record without end" },
	{ { "--sync", "0", NULL },
	  "frec: --sync 0: is none of segment, event, or seconds from 1 to 3600" },
	{ { "--sync", "never", NULL },
	  "frec: --sync never: is none of segment, event, or seconds from 1 to 3600" },
	/* words */
	{ { "--case-id", "IR-12", NULL },
	  "frec: --case-id IR-12: is no case id; write 32 hex digits or "
	  "a UUID, or use --exhibit or --note for a text" },
	{ { "--case-id", "00112233445566778899aabbccddeeff0", NULL },
	  "frec: --case-id "
	  "00112233445566778899aabbccddeeff0: is no case id; write 32 hex digits or a UUID, or use "
	  "--exhibit or --note for a text" },
	{ { "--note", "", NULL },
	  "frec: --note \"\": is empty; give a text or leave the option out" },
	{ { "--exhibit=", NULL },
	  "frec: --exhibit \"\": is empty; give a text or leave the option out" },
	{ { "--examiner=", NULL },
	  "frec: --examiner \"\": is empty; give a text or leave the option out" },
	{ { "--checkpoint=", NULL },
	  "frec: --checkpoint \"\": name a file, or journald, or stderr" },
	{ { "--keep=", NULL }, "frec: --keep \"\": name the directory that the copies go to" },
	{ { "--placement", "fast", NULL },
	  "frec: --placement fast: is none of auto, spin, colocate, none" },
	{ { "--redact", "A=b", NULL },
	  "frec: --redact A=b: is no pattern for the name of a variable; "
	  "write it without a value, such as '*_TOKEN'" },
	{ { "-p1", "-oc", "--redact", "A", NULL },
	  "frec: --redact A: no environment is recorded without --env" },
	/* the line itself */
	{ { "--durtion", "3", NULL }, "frec: --durtion: no such option; did you mean --duration?" },
	{ { "--max-event=3", NULL },
	  "frec: --max-event=3: no such option; did you mean --max-events?" },
	{ { "--dur", "3", NULL }, "frec: --dur: no such option; did you mean --duration?" },
	{ { "--frobnicate", NULL }, "frec: --frobnicate: no such option; frec --help lists them" },
	{ { "-x", NULL }, "frec: -x: no such option; frec --help lists them" },
	{ { "-qx", NULL }, "frec: -qx: no such option; frec --help lists them" },
	{ { "--quiet=yes", NULL }, "frec: --quiet=yes: takes no value; write --quiet alone" },
	{ { "ls", NULL },
	  "frec: ls: stray word; a command to start goes behind --, as in "
	  "frec -o CASE.frz -- ls" },
	{ { "-o", "c", "--", NULL },
	  "frec: --: no command behind it; write frec -o CASE.frz -- COMMAND [ARG...]" },
	{ { "-o", "c", "--", "", NULL },
	  "frec: --: no command behind it; write frec -o CASE.frz -- COMMAND [ARG...]" },
	{ { "--recover", "c", "-p", "1", NULL },
	  "frec: --recover c: goes without --pid; it only finishes a case" },
	{ { "--recover", "c", "--", "ls", NULL },
	  "frec: --recover c: goes without a command; it only finishes a case" },
	{ { "--recover", "", NULL },
	  "frec: --recover \"\": name the case to finish, such as CASE.frz" },
};

static void test_bad(void)
{
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct frec_options o;
		char text[4096], want[1024];
		int rc = parse(bad[i].words, &o, text, sizeof(text));

		snprintf(want, sizeof(want), "%s\n", bad[i].line);
		if (!ok(rc == 3 && !strcmp(text, want), "refused: %s", bad[i].line))
			diag("code %d, said %s", rc, text);
	}
}

/* A long hostile value must not make a second line, nor a line without end. */
static void test_hostile(void)
{
	static char value[100001];
	const char *words[] = { "-e", value, NULL };
	struct frec_options o;
	char text[8192];

	memset(value, '\n', 50000);
	memset(value, 'z', 10);
	memset(value + 10, '\001', 50000);
	is_int(parse(words, &o, text, sizeof(text)), 3, "hostile value refused");
	ok(strchr(text, '\n') == text + strlen(text) - 1 && strlen(text) < 1100,
	   "in one short line");
	ok(strstr(text, "...") && !strchr(text, '\001'), "cut, escaped and marked");
}

static bool good(struct frec_options *o, const char *const *words)
{
	char text[4096];
	int rc = parse(words, o, text, sizeof(text));

	if (ok(rc == 0 && !*text, "accepted: %s ...", words[0]))
		return true;
	diag("code %d, said %s", rc, text);
	return false;
}

static void test_good(void)
{
	struct frec_options o;

	if (good(&o, (const char *[]){ "-p", "12, 13\n14", "-p13,15", "-o", "c.frz", NULL })) {
		static const pid_t want[] = { 12, 13, 14, 15 };

		is_mem(o.pids, o.npids * sizeof(pid_t), want, sizeof(want), "distinct, in order");
		is_str(o.output, "c.frz", "the case");
		ok(!o.command && !o.recover, "no command");
		is_str(o.record_text, "default", "default set");
		ok(o.sync == WRITER_SYNC_SECONDS && o.sync_seconds == 1, "synced each second");
		ok(!o.snap && !o.duration_ns && !o.max_size && !o.max_events, "no limits");
		ok(!o.case_id && !o.exhibit && !o.examiner && !o.note && !o.checkpoint &&
			   !o.keep_dir && !o.redact,
		   "nothing else");
		ok(!o.no_follow && !o.no_seccomp && !o.quiet && !o.verbose && !o.env, "no flags");
		is_int(o.placement, PLACE_AUTO, "placement auto");
		options_release(&o);
	}
	if (good(&o, (const char *[]){ "-qvoc", "--no-follow", "--no-seccomp", "--env",
				       "--placement=spin", "--sync=event", "--", "sh", "-c", "-o x",
				       NULL })) {
		ok(o.quiet && o.verbose && o.no_follow && o.no_seccomp && o.env, "flags");
		is_str(o.output, "c", "a value in the same word");
		ok(o.command && !strcmp(o.command[0], "sh") && !strcmp(o.command[2], "-o x") &&
			   !o.command[3],
		   "the command's own options are left alone");
		ok(o.placement == PLACE_SPIN && o.sync == WRITER_SYNC_EVENT, "modes");
		options_release(&o);
	}
	if (good(&o, (const char *[]){ "-p1", "--output=-x", "--snap=1k", "--duration=1.5s",
				       "--max-size=1.5G", "--max-events=7", "--sync=30", NULL })) {
		is_str(o.output, "-x", "a value that begins with -");
		is_int(o.snap, 1024, "snap");
		is_int(o.duration_ns, 1500000000, "duration");
		is_int(o.max_size, 3ull << 29, "size");
		is_int(o.max_events, 7, "events");
		ok(o.sync == WRITER_SYNC_SECONDS && o.sync_seconds == 30, "sync");
		options_release(&o);
	}
	if (good(&o, (const char *[]){ "-p1", "-oc", "--case-id",
				       "00112233-4455-6677-8899-AABBCCDDEEFF", "--exhibit=e",
				       "--examiner=x", "--note=n=1", "--checkpoint=stderr",
				       "--keep=d", NULL })) {
		is_str(o.case_id, "00112233445566778899aabbccddeeff", "case id");
		ok(!strcmp(o.exhibit, "e") && !strcmp(o.examiner, "x") && !strcmp(o.note, "n=1") &&
			   !strcmp(o.checkpoint, "stderr") && !strcmp(o.keep_dir, "d"),
		   "texts");
		options_release(&o);
	}
	if (good(&o, (const char *[]){ "-p1", "-oc", "--env", "--redact", "*_KEY", "--redact=PASS*",
				       NULL })) {
		ok(o.redact && !strcmp(o.redact[0], "*_KEY") && !strcmp(o.redact[1], "PASS*") &&
			   !o.redact[2],
		   "two patterns");
		options_release(&o);
	}
	if (good(&o, (const char *[]){ "--recover", "c.frz", "-q", NULL })) {
		is_str(o.recover, "c.frz", "recover");
		options_release(&o);
	}
}

/* ---- -e ------------------------------------------------------------------------------------ */

struct set {
	const char *arg;
	const char *text;
	const char *in[4], *out[4];
};

static const struct set sets[] = {
	{ "file,desc,io,net,process,memory", "default", { "read", "openat" }, { "nanosleep" } },
	{ "all", "all", { "read", "nanosleep" }, { NULL } },
	{ "default", "default", { "read" }, { "nanosleep" } },
	{ "default,nanosleep", "default,nanosleep", { "read", "nanosleep" }, { "getpid" } },
	{ "read", "read", { "read" }, { "write", "openat" } },
	{ "write,read", "read,write", { "read", "write" }, { "openat" } },
	{ "read,read read\tread", "read", { "read" }, { "write" } },
	{ "io,file", "file,io", { "read", "openat" }, { "fork" } },
	{ "io,read", "io", { "read", "write" }, { "fork" } },
	{ "!read", "default,!read", { "write", "openat" }, { "read", "nanosleep" } },
	{ "!read,!net", "default,!net,!read", { "write" }, { "socket", "read" } },
	{ "!read,read,write", "write", { "write" }, { "read" } },
	{ "io,!fork", "io", { "read" }, { "fork" } },
	{ "all,!io", "all,!io", { "fork" }, { "read", "write" } },
	{ "nanosleep,!io", "nanosleep", { "nanosleep" }, { "read" } },
};

static bool has(const struct recordset *s, const char *name)
{
	for (unsigned i = 0; i < frz_sysents_n; i++)
		if (!strcmp(frz_sysents[i].name, name))
			return s->record[i];
	diag("%s is not in the table", name);
	return false;
}

static bool make(struct recordset *s, const char *arg)
{
	const char *at;
	size_t len;
	char near[64];

	return recordset_init(s) && recordset_add(s, arg, &at, &len, near, sizeof(near)) &&
	       recordset_finish(s);
}

static void test_sets(void)
{
	for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++) {
		const struct set *t = &sets[i];
		struct recordset s, again;
		bool right = true;

		if (!ok(make(&s, t->arg), "-e %s", t->arg))
			continue;
		is_str(s.text, t->text, "canonical");
		for (size_t j = 0; j < 4; j++) {
			right &= !t->in[j] || has(&s, t->in[j]);
			right &= !t->out[j] || !has(&s, t->out[j]);
		}
		ok(right, "holds what it should");
		if (ok(make(&again, s.text), "its text reads back"))
			ok(!memcmp(s.record, again.record, frz_sysents_n * sizeof(bool)) &&
				   !strcmp(s.text, again.text),
			   "as the same set and text");
		recordset_release(&s);
		recordset_release(&again);
	}
}

/* Every call and every class by itself, and left out by itself. */
static void test_every_name(void)
{
	unsigned wrong = 0;

	for (unsigned i = 0; i < frz_sysents_n; i++) {
		struct recordset s;
		char arg[80];

		wrong += !make(&s, frz_sysents[i].name) || !has(&s, frz_sysents[i].name) ||
			 strcmp(s.text, frz_sysents[i].name) != 0;
		recordset_release(&s);
		snprintf(arg, sizeof(arg), "all,!%s", frz_sysents[i].name);
		wrong += !make(&s, arg) || has(&s, frz_sysents[i].name) || strcmp(s.text, arg) != 0;
		recordset_release(&s);
	}
	is_int(wrong, 0, "each name of the table alone and left out");
}

/* ---- quantities ---------------------------------------------------------------------------- */

static void test_quantities(void)
{
	static const struct {
		const char *s;
		uint64_t v;
	} size[] = {
		{ "0", 0 }, { "1", 1 }, { "10M", 10485760 }, { "10m", 10485760 }, { "1KiB", 1024 },
		{ "1G", 1073741824 }, { "1.5K", 1536 }, { "0.5M", 524288 }, { "16777215T", 16777215ull << 40 },
		{ "18446744073709551615", UINT64_MAX },
	}, duration[] = {
		{ "30", 30000000000 }, { "30s", 30000000000 }, { "5m", 300000000000 },
		{ "2h", 7200000000000 }, { "1.5s", 1500000000 }, { "250ms", 250000000 },
		{ "0.000000001", 1 }, { "1d", 86400000000000 }, { "1.5h", 5400000000000 },
	};
	static const char *const no_size[] = { "",	    "K",
					       "1.M",	    ".5M",
					       "1 M",	    "1KB",
					       "-1",	    "1e3",
					       "0x10",	    "18446744073709551616",
					       "16777216T", "1.0123456789K",
					       " 1",	    "1 " };
	static const char *const no_duration[] = { "",	 "s",	  "5x",	  "5 s",
						   "-1", "1.5.5", "1:30", "9223372037" };
	uint64_t v;

	for (size_t i = 0; i < sizeof(size) / sizeof(size[0]); i++)
		ok(!quantity_size(size[i].s, &v) && v == size[i].v, "size %s", size[i].s);
	for (size_t i = 0; i < sizeof(duration) / sizeof(duration[0]); i++)
		ok(!quantity_duration(duration[i].s, &v) && v == duration[i].v, "duration %s",
		   duration[i].s);
	for (size_t i = 0; i < sizeof(no_size) / sizeof(no_size[0]); i++)
		ok(quantity_size(no_size[i], &v) != NULL, "no size: '%s'", no_size[i]);
	for (size_t i = 0; i < sizeof(no_duration) / sizeof(no_duration[0]); i++)
		ok(quantity_duration(no_duration[i], &v) != NULL, "no duration: '%s'",
		   no_duration[i]);
}

static void test_answers(void)
{
	struct frec_options o;
	char text[16384];

	is_int(parse((const char *[]){ "--version", NULL }, &o, text, sizeof(text)), 1,
	       "--version");
	ok(!strncmp(text, "frec ", 5) && strstr(text, "case format 1\n"), "says what it is");
	is_int(parse((const char *[]){ "--help", "--nonsense", NULL }, &o, text, sizeof(text)), 1,
	       "--help");
	ok(strstr(text, "--recover CASE.frz") && strstr(text, "usage: frec -p"),
	   "lists the options");
	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
		if (strlen(line) > 100)
			ok(false, "a line of the help is %zu columns long", strlen(line));
}

int main(void)
{
	test_bad();
	test_hostile();
	test_good();
	test_sets();
	test_every_name();
	test_quantities();
	test_answers();
	return tap_done();
}
