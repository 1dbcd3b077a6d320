/*
 * rules.c - rules of redaction: what is a rule, what a string becomes, what of a cut string
 * must not stay.
 */
#include "rules.h"
#include "tap.h"

static struct rules_text text;

/* What becomes of a string under these rules; "?" when they are none. */
static const char *becomes(const char *rules, const char *s, bool cut)
{
	static char out[4096];
	char err[200];
	struct rules *r = rules_parse(rules, strlen(rules), "rules", err, sizeof(err));

	if (!r)
		return "?";
	if (rules_apply(r, s, strlen(s), cut, &text) == RULES_NOMEM)
		abort();
	snprintf(out, sizeof(out), "%.*s", (int)text.n, (const char *)text.p);
	rules_free(r);
	return out;
}

static const struct {
	const char *glob, *text;
	bool whole, cut;
} globs[] = {
	{ "", "", true, true },
	{ "", "a", false, false },
	{ "abc", "abc", true, true },
	{ "abc", "ab", false, true },
	{ "abc", "abcd", false, false },
	{ "abc", "abd", false, false },
	{ "*", "", true, true },
	{ "*", "a/b", true, true },
	{ "a*c", "abbbc", true, true },
	{ "a*c", "abbb", false, true },
	{ "a*c", "bbc", false, false },
	{ "a**c", "ac", true, true },
	{ "a*b*c", "aXbYc", true, true },
	{ "a*b*c", "aXcYb", false, true },
	{ "a?c", "abc", true, true },
	{ "a?c", "ac", false, true },
	{ "[a-c]x", "bx", true, true },
	{ "[a-c]x", "dx", false, false },
	{ "[^a-c]x", "dx", true, true },
	{ "[^a-c]x", "ax", false, false },
	{ "[]]x", "]x", true, true },
	{ "[a-]x", "-x", true, true },
	{ "[ax", "[ax", true, true },
	{ "/home/*/mail/*", "/home/a/b/mail/c", true, true },
	{ "/home/*/mail/*", "/home/a", false, true },
	{ "/home/*/mail/*", "/srv/a", false, false },
	{ "\xff*", "\xff\xfe", true, true },
};

static void check_globs(void)
{
	for (size_t i = 0; i < sizeof(globs) / sizeof(globs[0]); i++) {
		size_t ng = strlen(globs[i].glob), n = strlen(globs[i].text);
		const uint8_t *t = (const uint8_t *)globs[i].text;

		ok(rules_glob(globs[i].glob, ng, t, n, false) == globs[i].whole,
		   "'%s' against '%s'", globs[i].glob, globs[i].text);
		ok(rules_glob(globs[i].glob, ng, t, n, true) == globs[i].cut,
		   "  and what it may begin");
	}
}

static const struct {
	const char *rules, *was, *now;
	bool cut;
} cases[] = {
	{ "redact part alice\n", "/home/alice/alice.txt", "/home/[redacted]/[redacted].txt",
	  false },
	{ "redact part alice\n", "Alice", "Alice", false },
	{ "redact part alice\nredact names /\x01\n", "", "", true },
	{ "redact whole *\n", "", "", false },
	{ "redact part alice", "malice", "m[redacted]", false },
	{ "# alice\n\nredact part bob\n", "alice", "alice", false },
	{ "redact part a b\n", "xa by", "x[redacted]y", false },
	{ "redact part alice \n", "alice", "alice", false },
	{ "redact whole /home/*\n", "/home/alice/x", "[redacted]", false },
	{ "redact whole /home/*\n", "see /home/alice", "see /home/alice", false },
	{ "redact whole /home/*\nredact part srv\n", "/srv/home", "/[redacted]/home", false },
	{ "redact part home\nredact whole /home/*\n", "/home/alice", "[redacted]", false },
	{ "redact names /home\n", "/home/alice/x", "/home/[redacted]/x", false },
	{ "redact names /home/\n", "/home/alice", "/home/[redacted]", false },
	{ "redact names /home\n", "/home", "/home", false },
	{ "redact names /home\n", "/home/", "/home/", false },
	{ "redact names /home\n", "/homes/alice", "/homes/alice", false },
	{ "redact names /home\n", "--a=/home/alice --b=/home/bob/x",
	  "--a=/home/[redacted]/home/[redacted]/x", false },
	{ "redact names /home\nredact part x\n", "/home/alice/x", "/home/[redacted]/[redacted]",
	  false },
	/* cut: the rest could be anything */
	{ "redact part alice\n", "/srv/ali", "/srv/[redacted]", true },
	{ "redact part alice\n", "/srv/ali", "/srv/ali", false },
	{ "redact part alice\n", "/srv/bob", "/srv/bob", true },
	{ "redact part alice\n", "alice/a", "[redacted]/[redacted]", true },
	{ "redact whole /home/*/mail\n", "/home/ali", "[redacted]", true },
	{ "redact whole /home/*/mail\n", "/srv/ali", "/srv/ali", true },
	{ "redact names /home\n", "/home/al", "/home/[redacted]", true },
	/* written in another way */
	{ "redact names /home\n", "/home/./alice/x", "/home/./[redacted]/x", false },
	{ "redact names /home\n", "/home//./alice/x", "/home//./[redacted]/x", false },
	{ "redact names /home\n", "/home/.alice", "/home/[redacted]", false },
	{ "redact names /home\n", "/home/../srv", "/home/../srv", false },
};

static void check_cases(void)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		is_str(becomes(cases[i].rules, cases[i].was, cases[i].cut), cases[i].now,
		       cases[i].was);
}

static void check_pseudonyms(void)
{
#define KEY "key 000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n"
	char first[100], second[100];
	static const char list[] = "a\0/home/alice\0\0alice";

	strcpy(first, becomes(KEY "pseudonym part alice\n", "alice", false));
	ok(strlen(first) == 21 && !strncmp(first, "name-", 5), "a pseudonym: %s", first);
	is_str(becomes(KEY "pseudonym whole al*\n", "alice", false), first,
	       "is the same for the same text");
	strcpy(second, becomes(KEY "pseudonym part bob\n", "bob", false));
	ok(strcmp(first, second) != 0, "and another for another");
	strcpy(first, becomes("pseudonym part alice\n", "alice", false));
	strcpy(second, becomes("pseudonym part alice\n", "alice", false));
	ok(strcmp(first, second) != 0, "without a key each extract has its own");

	struct rules *r = rules_parse("redact part alice\n", 18, "rules", first, sizeof(first));
	is_int(rules_apply_list(r, list, sizeof(list) - 1, false, &text), RULES_CHANGED,
	       "a list of strings");
	is_mem(text.p, text.n, "a\0/home/[redacted]\0\0[redacted]", 30, "is dealt with one by one");
	is_int(rules_apply_list(r, "al\0ali", 6, true, &text), RULES_CHANGED,
	       "and when it was cut");
	is_mem(text.p, text.n, "al\0[redacted]", 13, "its last");
	is_int(rules_apply(r, "bob", 3, false, &text), RULES_SAME, "what no rule is for");
	is_int(rules_apply(NULL, "alice", 5, false, &text), RULES_SAME,
	       "or where there are no rules");
	is_mem(text.p, text.n, "alice", 5, "stays");
	rules_free(r);
}

/* What becomes of the last of some strings when all of them were learned from; dir NULL: none is
 * relative to it. */
static const char *learned(const char *rules, const char *dir, const char *const *s, bool cut)
{
	static char out[4096];
	char err[200];
	struct rules *r = rules_parse(rules, strlen(rules), "rules", err, sizeof(err));
	const char *last = "";

	if (!r)
		return "?";
	for (; *s; last = *s++)
		if (!rules_learn(r, *s, strlen(*s), cut && !s[1]) ||
		    (dir && !rules_learn_path(r, dir, strlen(dir), *s, strlen(*s), false)))
			abort();
	if (rules_apply(r, last, strlen(last), cut, &text) == RULES_NOMEM)
		abort();
	snprintf(out, sizeof(out), "%.*s", (int)text.n, (const char *)text.p);
	rules_free(r);
	return out;
}

#define LEARNED(rules, dir, cut, ...)                                                              \
	learned(rules, dir, (const char *const[]){ __VA_ARGS__, NULL }, cut)

static void check_learned(void)
{
	static const char home[] = "redact names /home\n";
	static const struct {
		const char *was, *now;
	} same[] = {
		{ "alice", "[redacted]" },
		{ "alice/x", "[redacted]/x" },
		{ "../alice", "../[redacted]" },
		{ "USER=alice", "USER=[redacted]" },
		{ "ls -l alice;", "ls -l [redacted];" },
		{ "alice@host:alice", "[redacted]@host:[redacted]" },
		{ "/srv/alice.txt", "/srv/[redacted].txt" },
		{ "my-alice_x", "my-[redacted]_x" },
		{ "malice", "malice" },
		{ "/srv/alices/alic", "/srv/alices/alic" },
		{ "j.doe-smith", "[redacted]" },
		{ "-u j.doe-smith", "-u [redacted]" },
		{ "/doe/smith", "/doe/smith" },
		{ "/x/John Roe", "/x/[redacted]" },
		{ "/home/John Roe/y", "/home/[redacted]/y" },
		{ "", "" },
	};

	for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++)
		is_str(LEARNED(home, NULL, false, "/home/alice/y", "/home/j.doe-smith",
			       "/home/John Roe", same[i].was),
		       same[i].now, same[i].was);
	is_str(LEARNED(home, NULL, false, "--a=/home/bob/../carol/x", "carol"), "[redacted]",
	       "behind a way back");
	is_str(LEARNED(home, NULL, false, "--a=/home/bob/../carol/x", "bob"), "[redacted]",
	       "or passed by");
	is_str(LEARNED(home, "/home/x", false, "../bob/../carol", "bob"), "[redacted]",
	       "relative, too");
	is_str(LEARNED(home, NULL, false, "/home/./././dave", "dave"), "[redacted]", "behind dots");
	is_str(LEARNED(home, NULL, false, "/srv/../home/erin", "erin"), "[redacted]",
	       "from elsewhere");
	is_str(LEARNED(home, "/home", false, "alice/x"), "[redacted]/x",
	       "relative to the directory itself");
	is_str(LEARNED(home, "/home/bob", false, "../alice/x"), "../[redacted]/x", "beside it");
	is_str(LEARNED(home, "/", false, "home/alice"), "home/[redacted]", "below the root");
	is_str(LEARNED(home, "/srv", false, "alice/x"), "alice/x", "elsewhere it is no name");
	is_str(LEARNED(home, NULL, true, "/home/alice", "x/al"), "x/[redacted]",
	       "cut short: the rest could be hers");
	is_str(LEARNED(home, NULL, true, "/home/alice", "x/bo"), "x/bo", "or could not");
	is_str(LEARNED("redact whole */plan*.txt\n", "/srv/secret", false, "plan1.txt"),
	       "[redacted]", "a relative path that a `whole` fits with its directory");
	is_str(LEARNED("redact whole /srv/*\n", "/srv/secret", false, "../../etc/passwd"),
	       "../../etc/passwd", "and one that it does not");
	is_str(LEARNED("redact part alice\n", "/home", false, "bob"), "bob",
	       "rules that learn nothing");
}

static void check_refused(void)
{
	static const char *const bad[] = {
		"hide part x\n",
		"redact\n",
		"redact part\n",
		"redact part \n",
		"redact some x\n",
		"redact names home\n",
		"redact names /\n",
		" redact part x\n",
		"key 00\n",
		KEY KEY,
		"pseudonym x\n",
		"key 000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1g\n",
	};
	char err[200] = "";

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ok(!strcmp(becomes(bad[i], "x", false), "?"), "no rules: %.*s",
		   (int)strcspn(bad[i], "\n"), bad[i]);
	ok(!rules_parse("redact part x\nredact part \0\n", 28, "R", err, sizeof(err)) &&
		   strstr(err, "R line 2: "),
	   "the line is named: %s", err);
}

int main(void)
{
	check_globs();
	check_cases();
	check_pseudonyms();
	check_learned();
	check_refused();
	free(text.p);
	return tap_done();
}
