/* custody_signers.c - an allowed-signers file without its wildcards (contract in custody.h). */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "custody.h"
#include "message.h"

#define SIGNERS_MAX ((size_t)4 << 20)

/* The first field of a line: does it name signers by a pattern? Quotes may begin anywhere in it,
 * and blanks within them are part of it. */
static bool has_wildcard(const char *line, size_t n)
{
	bool quoted = false;

	for (size_t i = 0; i < n && (quoted || (line[i] != ' ' && line[i] != '\t')); i++) {
		if (strchr("*?!", line[i]))
			return true;
		quoted ^= line[i] == '"';
	}
	return false;
}

static bool limits_time(const char *line, size_t n)
{
	static const char word[] = "valid-before";

	for (size_t i = 0; i + sizeof(word) - 1 <= n; i++)
		if (!strncasecmp(line + i, word, sizeof(word) - 1))
			return true;
	return false;
}

bool signers_load(struct signers *s, const char *path, const char *revoked, char *err, size_t cap)
{
	size_t n, kept = 0;
	unsigned line = 0;

	*s = (struct signers){ .path = path, .revoked = revoked };
	if (revoked && access(revoked, R_OK)) {
		snprintf(err, cap, "%s: cannot be read: %s", revoked, strerror(errno));
		return false;
	}
	s->text = anchors_slurp(path, SIGNERS_MAX, &n, err, cap);
	if (!s->text)
		return false;
	if (memchr(s->text, '\0', n)) {
		snprintf(err, cap, "%s: holds a NUL byte, and is no file of allowed signers", path);
		signers_release(s);
		return false;
	}
	for (size_t at = 0, len; at < n; at += len) {
		const char *nl = memchr(s->text + at, '\n', n - at), *p = s->text + at;
		size_t blank;

		len = nl ? (size_t)(nl - p) + 1 : n - at;
		line++;
		blank = strspn(p, " \t");
		if (blank < len && p[blank] != '#' && has_wildcard(p + blank, len - blank)) {
			if (!s->wildcards++)
				s->wildcard_line = line;
			complain(0,
				 "%s line %u: names signers by a wildcard, and so none: left out",
				 path, line);
			continue;
		}
		s->expiry |= limits_time(p, len);
		memmove(s->text + kept, p, len);
		kept += len;
	}
	s->n = kept;
	return true;
}

void signers_release(struct signers *s)
{
	free(s->text);
	s->text = NULL;
}
