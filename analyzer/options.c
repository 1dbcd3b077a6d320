/* options.c - fanalyze's command line (contract in options.h). */
#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "message.h"
#include "sysent.h"

enum { OPT_ACTION = 1000, OPT_SHARED = 2000 };

static bool set_pid(struct options *o, const char *v);
static bool set_path(struct options *o, const char *v);
static bool set_syscall(struct options *o, const char *v);
static bool set_since(struct options *o, const char *v);
static bool set_until(struct options *o, const char *v);
static bool set_failed(struct options *o, const char *v);
static bool set_limit(struct options *o, const char *v);
static bool set_format(struct options *o, const char *v);
static bool set_db(struct options *o, const char *v);
static bool set_output(struct options *o, const char *v);
static bool set_allow_damaged(struct options *o, const char *v);
static bool set_quiet(struct options *o, const char *v);
static bool set_require(struct options *o, const char *v);
static bool set_allowed_signers(struct options *o, const char *v);
static bool set_checkpoint(struct options *o, const char *v);
static bool set_expect_head(struct options *o, const char *v);

#define SETTER(name, field)                                                                        \
	static bool set_##name(struct options *o, const char *v)                                   \
	{                                                                                          \
		o->field = v;                                                                      \
		return true;                                                                       \
	}
SETTER(revoked, revoked)
SETTER(receipt, receipt)
SETTER(as, as)
SETTER(to, to)
SETTER(from, from)
SETTER(purpose, remark[FRZ_REMARK_PURPOSE])
SETTER(authority, remark[FRZ_REMARK_AUTHORITY])
SETTER(via, remark[FRZ_REMARK_VIA])
SETTER(place, remark[FRZ_REMARK_PLACE])
SETTER(note, remark[FRZ_REMARK_NOTE])
SETTER(rules, rules)

/* Options that go with several actions. set: false when a line was printed. */
static const struct shared {
	const char *name, *arg, *help;
	bool (*set)(struct options *o, const char *v);
	const char *group; /* heads a new group in the help text */
	unsigned needs;	   /* one of these flags of the action; 0: none */
} shared[] = {
	{ "pid", "PID[,PID]", "of these processes", set_pid, "Filters:", ACTION_ROWS },
	{ "path", "GLOB", "whose path matches, e.g. '/etc/*'", set_path, NULL, ACTION_ROWS },
	{ "syscall", "NAME[,NAME]", "these calls", set_syscall, NULL, ACTION_ROWS },
	{ "since", "TIME", "from 2024-05-06T07:08:09.5 (UTC) or @SECONDS on", set_since, NULL,
	  ACTION_ROWS },
	{ "until", "TIME", "before that time", set_until, NULL, ACTION_ROWS },
	{ "failed", NULL, "that failed", set_failed, NULL, ACTION_ROWS },
	{ "limit", "N", "at most N rows", set_limit, NULL, ACTION_ROWS },
	{ "format", "FORMAT", "text, csv, json or jsonl", set_format,
	  "Output:", ACTION_ROWS | ACTION_FORMAT },
	{ "output", "FILE", "into a new file, never over one that exists", set_output, NULL, 0 },
	{ "db", "FILE", "the database, instead of CASE.sqlite beside it", set_db, NULL, 0 },
	{ "allow-damaged", NULL, "read a damaged case up to and past the damage", set_allow_damaged,
	  NULL, 0 },
	{ "quiet", NULL, "no progress line", set_quiet, NULL, 0 },
	{ "require", "LIST", "fail unless the case is sealed, signed, anchored", set_require,
	  "With --verify:", ACTION_VERIFY },
	{ "allowed-signers", "FILE", "who may sign, as for ssh-keygen -Y verify",
	  set_allowed_signers, NULL, ACTION_TRUST },
	{ "revoked", "FILE", "keys that no longer count, as for ssh-keygen -r", set_revoked, NULL,
	  ACTION_TRUST },
	{ "checkpoint", "FILE", "checkpoints that were kept elsewhere", set_checkpoint, NULL,
	  ACTION_VERIFY },
	{ "receipt", "FILE", "a receipt of an entry (--receive: of the release)", set_receipt, NULL,
	  ACTION_VERIFY | ACTION_RECEIVE },
	{ "expect-head", "HASH", "the chain head that was noted elsewhere", set_expect_head, NULL,
	  ACTION_VERIFY },
	{ "rules", "FILE", "names and paths that are not to be told", set_rules,
	  "With --extract:", ACTION_EXTRACT },
	{ "as", "NAME", "who signs, by the name that allowed signers have", set_as,
	  "With --sign, --release, --receive:", ACTION_SIGN | ACTION_SIGNS },
	{ "to", "NAME", "who is to receive it", set_to, NULL, ACTION_SIGN | ACTION_SIGNS },
	{ "from", "NAME", "who released it", set_from, NULL, ACTION_SIGN | ACTION_SIGNS },
	{ "purpose", "TEXT", "what for", set_purpose, NULL, ACTION_SIGN | ACTION_SIGNS },
	{ "authority", "TEXT", "by whose order", set_authority, NULL, ACTION_SIGN | ACTION_SIGNS },
	{ "via", "TEXT", "by which way", set_via, NULL, ACTION_SIGN | ACTION_SIGNS },
	{ "place", "TEXT", "where", set_place, NULL, ACTION_SIGN | ACTION_SIGNS },
	{ "note", "TEXT", "what else there is to say", set_note, NULL, ACTION_SIGN | ACTION_SIGNS },
};
#define SHARED (sizeof(shared) / sizeof(shared[0]))

static bool whole_number(const char *v, int64_t max, int64_t *out)
{
	char *end;

	if (*v < '0' || *v > '9')
		return false;
	errno = 0;
	*out = strtoll(v, &end, 10);
	return !*end && !errno && *out <= max;
}

static bool set_pid(struct options *o, const char *v)
{
	const char *p = v;

	while (*p >= '0' && *p <= '9') {
		size_t n = strspn(p, "0123456789");

		if (n > 10)
			break;
		p += n;
		if (!*p) {
			o->filters.pid = v;
			return true;
		}
		if (*p++ != ',')
			break;
	}
	complain(0, "--pid %s: not a process id, or several with commas between them", v);
	return false;
}

static bool set_path(struct options *o, const char *v)
{
	if (!*v) {
		complain(0, "--path: the pattern is empty");
		return false;
	}
	o->filters.path = v;
	return true;
}

static bool known_syscall(const char *name, size_t n)
{
	for (unsigned i = 0; i < frz_sysents_n; i++)
		if (!strncmp(frz_sysents[i].name, name, n) && !frz_sysents[i].name[n])
			return true;
	for (unsigned i = 0; i < 256; i++) {
		const char *op = frz_uring_op_name(i);

		if (op && !strncmp(op, name, n) && !op[n])
			return true;
	}
	return n > 8 && !strncmp(name, "syscall_", 8);
}

static bool set_syscall(struct options *o, const char *v)
{
	for (const char *p = v;; p++) {
		size_t n = strcspn(p, ",");

		if (!n || !known_syscall(p, n)) {
			complain(0, "--syscall %.*s: no such system call", n ? (int)n : 2,
				 n ? p : "''");
			return false;
		}
		p += n;
		if (!*p)
			break;
	}
	o->filters.syscall = v;
	return true;
}

/* n digits with a value of lo..hi; moves *p behind them. */
static bool digits(const char **p, int n, int lo, int hi, int *out)
{
	*out = 0;
	for (int i = 0; i < n; i++) {
		if ((*p)[i] < '0' || (*p)[i] > '9')
			return false;
		*out = *out * 10 + (*p)[i] - '0';
	}
	*p += n;
	return *out >= lo && *out <= hi;
}

/* ".5" into ns; moves *p. */
static bool fraction(const char **p, int64_t *ns)
{
	int64_t scale = 100000000;

	*ns = 0;
	if (**p != '.')
		return true;
	(*p)++;
	if (**p < '0' || **p > '9')
		return false;
	for (; **p >= '0' && **p <= '9'; (*p)++, scale /= 10)
		*ns += (**p - '0') * scale;
	return true;
}

bool parse_time(const char *s, int64_t *ns)
{
	struct tm tm = { .tm_isdst = 0 }, day;
	int64_t frac = 0, offset = 0, sec;
	int h, m, sign;

	if (*s == '@') {
		char *end;

		errno = 0;
		sec = strtoll(s + 1, &end, 10);
		s = end;
		if (errno || s[-1] == '@' || sec > 9000000000 || sec < 0 || !fraction(&s, &frac) ||
		    *s)
			return false;
		*ns = sec * 1000000000 + frac;
		return true;
	}
	if (!digits(&s, 4, 1970, 2200, &tm.tm_year) || *s++ != '-' ||
	    !digits(&s, 2, 1, 12, &tm.tm_mon) || *s++ != '-' || !digits(&s, 2, 1, 31, &tm.tm_mday))
		return false;
	tm.tm_year -= 1900;
	tm.tm_mon -= 1;
	day = tm;
	timegm(&day);
	if (day.tm_mday != tm.tm_mday) /* February 30 */
		return false;
	if (*s == 'T' || *s == ' ') {
		s++;
		if (!digits(&s, 2, 0, 23, &tm.tm_hour) || *s++ != ':' ||
		    !digits(&s, 2, 0, 59, &tm.tm_min))
			return false;
		if (*s == ':') {
			s++;
			if (!digits(&s, 2, 0, 60, &tm.tm_sec) || !fraction(&s, &frac))
				return false;
		}
	}
	if (*s == 'Z') {
		s++;
	} else if (*s == '+' || *s == '-') {
		sign = *s++ == '+' ? 1 : -1;
		if (!digits(&s, 2, 0, 23, &h))
			return false;
		if (*s == ':')
			s++;
		if (!digits(&s, 2, 0, 59, &m))
			return false;
		offset = sign * (h * 3600 + m * 60);
	}
	if (*s)
		return false;
	sec = timegm(&tm) - offset;
	*ns = sec * 1000000000 + frac;
	return true;
}

static bool set_time(const char *option, const char *v, int64_t *out)
{
	if (parse_time(v, out))
		return true;
	complain(0, "--%s %s: not a time such as 2024-05-06T07:08:09.5 or @1714979289", option, v);
	return false;
}

static bool set_since(struct options *o, const char *v)
{
	return set_time("since", v, &o->filters.since_ns);
}

static bool set_until(struct options *o, const char *v)
{
	return set_time("until", v, &o->filters.until_ns);
}

static bool set_failed(struct options *o, const char *v)
{
	(void)v;
	return o->filters.failed = true;
}

static bool set_limit(struct options *o, const char *v)
{
	if (whole_number(v, INT64_MAX, &o->filters.limit))
		return true;
	complain(0, "--limit %s: not a number", v);
	return false;
}

static bool set_format(struct options *o, const char *v)
{
	if (!output_format_by_name(v, &o->format)) {
		complain(0, "--format %s: it is text, csv, json or jsonl", v);
		return false;
	}
	o->format_given = true;
	return true;
}

static bool set_db(struct options *o, const char *v)
{
	o->db = v;
	return *v || (complain(0, "--db: the name is empty"), false);
}

static bool set_output(struct options *o, const char *v)
{
	o->output = v;
	return *v || (complain(0, "--output: the name is empty"), false);
}

static bool set_allow_damaged(struct options *o, const char *v)
{
	(void)v;
	return o->allow_damaged = true;
}

static bool set_quiet(struct options *o, const char *v)
{
	(void)v;
	return o->quiet = true;
}

static bool set_require(struct options *o, const char *v)
{
	o->require = verify_parse_require(v);
	return o->require ||
	       (complain(0, "--require %s: it is a list of sealed, signed, anchored", v), false);
}

static bool set_allowed_signers(struct options *o, const char *v)
{
	o->allowed_signers = v;
	return true;
}

static bool set_checkpoint(struct options *o, const char *v)
{
	o->checkpoint = v;
	return true;
}

static bool set_expect_head(struct options *o, const char *v)
{
	uint8_t link[FRZ_HASH_LEN];

	o->expect_head = v;
	return verify_parse_head(v, link) ||
	       (complain(0, "--expect-head %s: not 64 hexadecimal digits", v), false);
}

static void help_line(const char *name, const char *arg, const char *help)
{
	char left[64];

	snprintf(left, sizeof(left), "--%s%s%s", name, arg ? " " : "", arg ? arg : "");
	printf("  %-26s %s\n", left, help);
}

static void print_help(const struct action *actions, size_t n)
{
	printf("usage: fanalyze CASE.frz [action] [filters]\n"
	       "                [--format text|csv|json|jsonl] [--db FILE]\n\n"
	       "Reads a case that frec recorded. Without an action: a summary.\n\nActions:\n");
	for (size_t i = 0; i < n; i++)
		if (actions[i].name)
			help_line(actions[i].name, actions[i].arg, actions[i].help);
	for (size_t i = 0; i < SHARED; i++) {
		if (shared[i].group)
			printf("\n%s\n", shared[i].group);
		help_line(shared[i].name, shared[i].arg, shared[i].help);
	}
	printf("\nExit status: 0 good; 1 damaged or failed; 2 usage or I/O; 3 intact but not\n"
	       "sealed; 4 signature missing or not trusted.\n");
}

static struct option *long_options(const struct action *actions, size_t n)
{
	struct option *list = calloc(n + SHARED + 3, sizeof(*list)), *l = list;

	if (!list)
		return NULL;
	for (size_t i = 0; i < n; i++)
		if (actions[i].name)
			*l++ = (struct option){ actions[i].name,
						actions[i].arg ? required_argument : no_argument,
						NULL, OPT_ACTION + (int)i };
	for (size_t i = 0; i < SHARED; i++)
		*l++ = (struct option){ shared[i].name,
					shared[i].arg ? required_argument : no_argument, NULL,
					OPT_SHARED + (int)i };
	*l++ = (struct option){ "help", no_argument, NULL, 'h' };
	*l++ = (struct option){ "version", no_argument, NULL, 'V' };
	return list;
}

static int unknown(int c, char *const *argv)
{
	const char *word = argv[optind - 1];

	if (c == ':')
		complain(0, "%s needs an argument: see fanalyze --help", word);
	else if (optopt > 0 && optopt < 256)
		complain(0, "unknown option -%c: see fanalyze --help", optopt);
	else
		complain(0,
			 "%s: unknown or ambiguous option, or one that takes no argument: see "
			 "fanalyze --help",
			 word);
	return 3;
}

static int take_action(struct options *o, const struct action *a)
{
	if (a->flags & ACTION_SIGN) {
		o->sign_key = optarg;
		if (o->action)
			return 0; /* whether the two go together is seen at the end */
	} else if (o->action && (o->action->flags & ACTION_SIGN)) {
		o->action = NULL;
	}
	if (o->action && o->action != a) {
		complain(0, "--%s and --%s: one action at a time", o->action->name, a->name);
		return 3;
	}
	o->action = a;
	o->arg = optarg;
	return 0;
}

static const char *goes_with(unsigned needs)
{
	return needs & (ACTION_VERIFY | ACTION_TRUST) ? ": it goes with --verify" :
	       needs & ACTION_EXTRACT		      ? ": it goes with --extract" :
	       needs & ACTION_SIGNS ? ": it goes with --sign, --release, --receive" :
				      "";
}

/* Nothing is passed over in silence: who gives --require expects it to be looked at. given: a bit
 * for each of shared. */
static bool goes_together(const struct options *o, uint64_t given)
{
	for (size_t i = 0; i < SHARED; i++)
		if (given >> i & 1 && shared[i].needs && !(shared[i].needs & o->action->flags)) {
			complain(0, "--%s does not apply to %s%s%s", shared[i].name,
				 o->action->name ? "--" : "the summary",
				 o->action->name ? o->action->name : "",
				 goes_with(shared[i].needs));
			return false;
		}
	if (o->sign_key && !(o->action->flags & (ACTION_SIGN | ACTION_SIGNS)))
		complain(0, "--%s and --sign: one action at a time", o->action->name);
	else if (o->revoked && !o->allowed_signers)
		complain(0, "--revoked needs --allowed-signers");
	else
		return true;
	return false;
}

int options_parse(int argc, char **argv, const struct action *actions, size_t n, struct options *o)
{
	struct option *list = long_options(actions, n);
	uint64_t given = 0;
	int c, rc = 0;

	_Static_assert(SHARED <= 64, "a bit for each");
	*o = (struct options){ .filters = { .since_ns = FILTER_NONE,
					    .until_ns = FILTER_NONE,
					    .limit = FILTER_NONE } };
	if (!list) {
		complain(0, "out of memory");
		return 3;
	}
	opterr = 0;
	while (!rc && (c = getopt_long(argc, argv, ":hV", list, NULL)) != -1) {
		if (c == 'h') {
			print_help(actions, n);
			rc = 1;
		} else if (c == 'V') {
			printf("fanalyze " FREC_VERSION "\n");
			rc = 1;
		} else if (c >= OPT_SHARED) {
			given |= (uint64_t)1 << (c - OPT_SHARED);
			rc = shared[c - OPT_SHARED].set(o, optarg) ? 0 : 3;
		} else if (c >= OPT_ACTION) {
			rc = take_action(o, &actions[c - OPT_ACTION]);
		} else {
			rc = unknown(c, argv);
		}
	}
	free(list);
	if (rc)
		return rc;
	if (!o->action)
		for (size_t i = 0; i < n; i++)
			if (!actions[i].name)
				o->action = &actions[i];
	if (!goes_together(o, given))
		return 3;
	if (optind < argc)
		o->case_path = argv[optind++];
	if (optind < argc) {
		bool is_action = false;

		for (size_t i = 0; i < n; i++)
			is_action |= actions[i].name && !strcmp(actions[i].name, argv[optind]);
		complain(0, is_action ? "%s: did you mean --%s?" : "%s: one case at a time",
			 argv[optind], argv[optind]);
		return 3;
	}
	return 0;
}
