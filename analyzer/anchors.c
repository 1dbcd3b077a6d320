/* anchors.c - anchors from the command line and from files (contract in anchors.h). */
#include "anchors.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "receipt.h"
#include "sha256.h"
#include "verify.h"

#define CHECKPOINTS_MAX ((size_t)256 << 20)

char *anchors_slurp(const char *path, size_t max, size_t *n, char *err, size_t cap)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	size_t room = 0;
	char *p = NULL;
	ssize_t got = 0;

	*n = 0;
	while (fd >= 0) {
		if (room - *n < 4096) {
			char *more = *n > max ? NULL : realloc(p, room = 2 * room + 16384);

			if (!more) {
				snprintf(err, cap, "%s: %s", path,
					 *n > max ? "too long to be what it should be" :
						    "out of memory");
				goto fail;
			}
			p = more;
		}
		got = read(fd, p + *n, room - *n - 1);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			break;
		*n += (size_t)got;
	}
	if (fd < 0 || got < 0) {
		snprintf(err, cap, "%s: cannot be read: %s", path, strerror(errno));
		goto fail;
	}
	close(fd);
	p[*n] = '\0';
	return p;
fail:
	if (fd >= 0)
		close(fd);
	free(p);
	return NULL;
}

void anchors_release(struct anchors *s)
{
	free(s->a);
	s->a = NULL;
	s->n = 0;
}

bool anchors_head(struct anchors *s, const char *hex)
{
	*s = (struct anchors){ .from = "--expect-head", .a = calloc(1, sizeof(*s->a)), .n = 1 };
	if (s->a && verify_parse_head(hex, s->a->link))
		return true;
	anchors_release(s);
	return false;
}

/* ---- checkpoints ---- */

static bool word(const char **p, const char *name)
{
	size_t n = strlen(name);

	if (strncmp(*p, name, n) != 0)
		return false;
	*p += n;
	return true;
}

static bool number(const char **p, uint64_t *v)
{
	const char *start = *p;

	for (*v = 0; **p >= '0' && **p <= '9' && *p - start < 19; (*p)++)
		*v = *v * 10 + (uint64_t)(**p - '0');
	return *p > start;
}

/* One line, NUL-terminated, from "frz-checkpoint " on. */
static bool parse_line(const char *p, struct anchor *a, char case_hex[33])
{
	char head[2 * FRZ_HASH_LEN + 1];

	if (!word(&p, "frz-checkpoint case=") || strlen(p) < 32)
		return false;
	memcpy(case_hex, p, 32);
	case_hex[32] = '\0';
	p += 32;
	if (strspn(case_hex, "0123456789abcdef") != 32 || !word(&p, " blocks=") ||
	    !number(&p, &a->blocks) || !word(&p, " events=") || !number(&p, &a->events) ||
	    !word(&p, " head=") || strlen(p) < sizeof(head) - 1)
		return false;
	memcpy(head, p, sizeof(head) - 1);
	head[sizeof(head) - 1] = '\0';
	p += sizeof(head) - 1;
	a->has_counts = true;
	return a->blocks && verify_parse_head(head, a->link) && (!*p || word(&p, " time="));
}

static int by_blocks(const void *a, const void *b)
{
	const struct anchor *x = a, *y = b;

	if (x->blocks != y->blocks)
		return x->blocks < y->blocks ? -1 : 1;
	return x->line < y->line ? -1 : x->line > y->line;
}

static bool add(struct anchors *s, const struct anchor *a)
{
	if ((s->n & (s->n - 1)) == 0) { /* full: 0, 1, 2, 4, ... */
		struct anchor *more = realloc(s->a, (s->n ? 2 * s->n : 1) * sizeof(*more));

		if (!more)
			return false;
		s->a = more;
	}
	s->a[s->n++] = *a;
	return true;
}

bool anchors_checkpoints(struct anchors *s, const char *path, const uint8_t case_id[16], char *err,
			 size_t cap)
{
	char *text, *line, id[33], case_hex[33];
	unsigned nr = 0;
	size_t n;

	*s = (struct anchors){ .n = 0 };
	snprintf(s->from, sizeof(s->from), "--checkpoint %s", path);
	text = anchors_slurp(path, CHECKPOINTS_MAX, &n, err, cap);
	if (!text)
		return false;
	frz_hex(case_id, 16, id);
	for (line = text; line < text + n;) {
		char *nl = memchr(line, '\n', (size_t)(text + n - line)), *at;
		struct anchor a = { .line = ++nr };
		bool good;

		if (nl)
			*nl = '\0';
		at = strstr(line, "frz-checkpoint ");
		for (char *later = at; later; later = strstr(later + 1, "frz-checkpoint "))
			at = later; /* behind one that was cut short by a crash */
		line = nl ? nl + 1 : text + n;
		if (!at)
			continue;
		good = parse_line(at, &a, case_hex);
		if (!nl) {
			/* a line without its end may lack digits of its numbers, too */
			s->cut_line = true;
			break;
		}
		if (!good) {
			snprintf(err, cap, "%s line %u: not a checkpoint of frec", path, nr);
			goto fail;
		}
		if (strcmp(id, case_hex) != 0) {
			s->other_cases++;
		} else if (!add(s, &a)) {
			snprintf(err, cap, "out of memory");
			goto fail;
		}
	}
	if (s->n)
		qsort(s->a, s->n, sizeof(*s->a), by_blocks);
	free(text);
	return true;
fail:
	free(text);
	anchors_release(s);
	return false;
}

/* ---- a receipt ---- */

bool anchors_receipt(struct anchors *s, const char *path, const uint8_t case_id[16], char *err,
		     size_t cap)
{
	struct frz_receipt r;
	struct anchor a = { .line = 0 };
	const char *why = "";
	char *text;
	size_t n;
	bool good;

	*s = (struct anchors){ .n = 0 };
	snprintf(s->from, sizeof(s->from), "--receipt %s", path);
	text = anchors_slurp(path, FRZ_RECEIPT_MAX, &n, err, cap);
	if (!text)
		return false;
	good = frz_receipt_parse(text, n, &r, &why) == FRZ_OK;
	if (!good) {
		snprintf(err, cap, "%s: %s", path, why);
	} else if (memcmp(r.statement.case_id, case_id, 16) != 0) {
		s->other_cases = 1;
	} else {
		memcpy(a.link, r.head, FRZ_HASH_LEN);
		memcpy(a.sha256, r.case_sha256, FRZ_HASH_LEN);
		a.has_sha256 = true;
		good = add(s, &a);
		if (!good)
			snprintf(err, cap, "out of memory");
	}
	free(text);
	return good;
}

/* ---- held against the case ---- */

static void differs(struct anchors *s, enum anchors_fault fault, const struct anchor *a)
{
	if (s->fault != ANCHORS_AGREE)
		return;
	s->fault = fault;
	s->bad = *a;
}

static void agrees(struct anchors *s, const struct frz_case_head *h)
{
	s->agree++;
	s->found = true;
	s->block = h->blocks - 1;
	s->events = h->events;
	memcpy(s->link, h->link, FRZ_HASH_LEN);
}

void anchors_block(struct anchors *s, const struct frz_case_head *h)
{
	for (; s->next < s->n; s->next++) {
		const struct anchor *a = &s->a[s->next];
		bool linked = memcmp(a->link, h->link, FRZ_HASH_LEN) == 0;

		if (a->has_counts ? a->blocks > h->blocks : !linked)
			return;
		if (!linked)
			differs(s, ANCHORS_OTHER_HEAD, a);
		else if (a->has_counts && a->events != h->events)
			differs(s, ANCHORS_OTHER_COUNT, a);
		else if (a->has_sha256 && memcmp(a->sha256, h->sha256, FRZ_HASH_LEN) != 0)
			differs(s, ANCHORS_OTHER_HASH, a);
		else
			agrees(s, h);
	}
}

bool anchors_end(struct anchors *s)
{
	if (!s->n)
		differs(s, ANCHORS_NONE, &(struct anchor){ .line = 0 });
	else if (s->next < s->n)
		differs(s, s->a[s->next].has_counts ? ANCHORS_BEYOND : ANCHORS_ABSENT,
			&s->a[s->next]);
	return s->fault == ANCHORS_AGREE;
}
