/* analyze_options.c - fanalyze's command line: times, filters, refusals. */
#include <getopt.h>

#include "../../analyzer/options.h"
#include "tap.h"

static int nothing(const struct options *o)
{
	(void)o;
	return 0;
}

static const struct action actions[] = {
	{ NULL, NULL, NULL, nothing, NULL, ACTION_ROWS },
	{ "timeline", NULL, "t", nothing, "timeline", ACTION_ROWS },
	{ "files", NULL, "f", nothing, "files", ACTION_ROWS },
	{ "sql", "SELECT", "s", nothing, NULL, ACTION_ROWS },
	{ "verify", NULL, "v", nothing, NULL, ACTION_TRUST | ACTION_VERIFY },
};

static int parse(struct options *o, const char *const *words)
{
	static char name[] = "fanalyze";
	char *argv[16] = { name };
	int argc = 1;

	while (words[argc - 1] && argc < 15) {
		argv[argc] = (char *)(uintptr_t)words[argc - 1];
		argc++;
	}
	optind = 0;
	return options_parse(argc, argv, actions, sizeof(actions) / sizeof(actions[0]), o);
}

extern int optind;

#define PARSE(o, ...) parse(o, (const char *const[]){ __VA_ARGS__, NULL })

static void times(void)
{
	static const struct {
		const char *in;
		bool good;
		int64_t ns;
	} row[] = {
		{ "1970-01-01", true, 0 },
		{ "1970-01-02T00:00:01", true, 86401000000000 },
		{ "2024-05-06T07:08:09.123456789Z", true, 1714979289123456789 },
		{ "2024-05-06 07:08", true, 1714979280000000000 },
		{ "2024-05-06T07:08:09.5+02:00", true, 1714972089500000000 },
		{ "2024-05-06T07:08:09-0130", true, 1714984689000000000 },
		{ "@1714979289.25", true, 1714979289250000000 },
		{ "@0", true, 0 },
		{ "", false, 0 },
		{ "@", false, 0 },
		{ "@-1", false, 0 },
		{ "@99999999999999", false, 0 },
		{ "yesterday", false, 0 },
		{ "2024-13-01", false, 0 },
		{ "2024-05-06T25:00", false, 0 },
		{ "2024-05-06T07:08:09.", false, 0 },
		{ "2024-05-06T07:08:09Zx", false, 0 },
		{ "2024-05-06T", false, 0 },
		{ "24-05-06", false, 0 },
		{ "@1x", false, 0 },
		{ "2024-05-06+02", false, 0 },
	};

	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		int64_t ns = -1;
		bool good = parse_time(row[i].in, &ns);

		ok(good == row[i].good && (!good || ns == row[i].ns), "time '%s'", row[i].in);
		if (good && ns != row[i].ns)
			diag("got %" PRId64, ns);
	}
}

int main(void)
{
	struct options o;

	times();
	is_int(PARSE(&o, "x.frz"), 0, "a case alone");
	ok(o.action == &actions[0] && !strcmp(o.case_path, "x.frz"), "is the summary");
	is_int(PARSE(&o, "--pid", "1,23", "--timeline", "x.frz", "--path", "/a*", "--failed",
		     "--limit", "7", "--syscall", "read,openat", "--format", "csv"),
	       0, "in any order");
	ok(o.action == &actions[1] && !strcmp(o.filters.pid, "1,23") &&
		   !strcmp(o.filters.path, "/a*") && o.filters.failed && o.filters.limit == 7 &&
		   o.format == OUTPUT_CSV,
	   "all taken");
	is_int(PARSE(&o, "x.frz", "--sql", "SELECT 1"), 0, "an action with an argument");
	is_str(o.arg, "SELECT 1", "is its argument");
	is_int(PARSE(&o, "x.frz", "--syscall", "io_uring.read"), 0,
	       "an io_uring operation is a call");
	is_int(PARSE(&o, "--sql", "SELECT 1", "--", "--files"), 0, "a case named like an option");
	is_str(o.case_path, "--files", "behind --");

	is_int(PARSE(&o, "x.frz", "--verify", "--require", "sealed", "--allowed-signers", "s"), 0,
	       "what goes together");

	fclose(stderr); /* what follows complains */
	stderr = fopen("/dev/null", "w");
	is_int(PARSE(&o, "x.frz", "--timeline", "--files"), 3, "two actions");
	is_int(PARSE(&o, "x.frz", "y.frz"), 3, "two cases");
	is_int(PARSE(&o, "x.frz", "--require", "sealed"), 3, "a requirement for a summary");
	is_int(PARSE(&o, "x.frz", "--verify", "--failed"), 3, "a filter for --verify");
	is_int(PARSE(&o, "x.frz", "--files", "--as", "a@b"), 3, "a signer for a question");
	is_int(PARSE(&o, "x.frz", "--frob"), 3, "an unknown option");
	is_int(PARSE(&o, "x.frz", "-x"), 3, "an unknown letter");
	is_int(PARSE(&o, "x.frz", "--sql"), 3, "a missing argument");
	is_int(PARSE(&o, "x.frz", "--pid", "12x"), 3, "a pid that is no number");
	is_int(PARSE(&o, "x.frz", "--pid", "1,"), 3, "a list that ends in a comma");
	is_int(PARSE(&o, "x.frz", "--pid", "-1"), 3, "a negative pid");
	is_int(PARSE(&o, "x.frz", "--pid", ""), 3, "an empty pid");
	is_int(PARSE(&o, "x.frz", "--limit", "many"), 3, "a limit that is no number");
	is_int(PARSE(&o, "x.frz", "--limit", "99999999999999999999"), 3, "a limit out of range");
	is_int(PARSE(&o, "x.frz", "--syscall", "frobnicate"), 3, "an unknown call");
	is_int(PARSE(&o, "x.frz", "--syscall", "read,"), 3, "an empty call in a list");
	is_int(PARSE(&o, "x.frz", "--format", "xml"), 3, "an unknown format");
	is_int(PARSE(&o, "x.frz", "--since", "soon"), 3, "a time that is none");
	is_int(PARSE(&o, "x.frz", "--path", ""), 3, "an empty pattern");
	is_int(PARSE(&o, "x.frz", "--require", "holy"), 3, "an unknown requirement");
	is_int(PARSE(&o, "x.frz", "--expect-head", "abc"), 3, "a head that is no hash");
	return tap_done();
}
