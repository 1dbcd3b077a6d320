/*
 * names.c - user and group names from /etc/passwd and /etc/group, read as plain files: the
 * name services of a suspect host (NSS modules, LDAP, the network) are not to be run or asked.
 *
 * A small direct-mapped cache; both "has this name" and "has none" are kept. Tracer thread only.
 */
#include "procinfo.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SLOTS	     64
#define NAME_MAX_LEN 64

struct cached {
	uint32_t id;
	bool used, has;
	char name[NAME_MAX_LEN];
};

/* Lines are NAME:password:ID:... in both files. */
static bool look_up(const char *file, uint32_t id, char *name)
{
	FILE *f = fopen(file, "re");
	char *line = NULL;
	size_t cap = 0;
	bool found = false;

	if (!f)
		return false;
	while (!found && getline(&line, &cap, f) > 0) {
		char *pw = strchr(line, ':'), *num = pw ? strchr(pw + 1, ':') : NULL, *end;
		unsigned long v;

		if (!num || pw == line || pw - line >= NAME_MAX_LEN || num[1] < '0' || num[1] > '9')
			continue;
		errno = 0;
		v = strtoul(num + 1, &end, 10);
		if (errno || *end != ':' || v != id)
			continue;
		memcpy(name, line, (size_t)(pw - line));
		name[pw - line] = '\0';
		found = true;
	}
	free(line);
	fclose(f);
	return found;
}

static const char *cached(struct cached *slots, const char *file, uint32_t id)
{
	struct cached *c = &slots[id % SLOTS];

	if (!c->used || c->id != id) {
		c->used = true;
		c->id = id;
		c->has = look_up(file, id, c->name);
	}
	return c->has ? c->name : NULL;
}

const char *user_name(uid_t uid)
{
	static struct cached slots[SLOTS];

	return cached(slots, "/etc/passwd", uid);
}

const char *group_name(gid_t gid)
{
	static struct cached slots[SLOTS];

	return cached(slots, "/etc/group", gid);
}
