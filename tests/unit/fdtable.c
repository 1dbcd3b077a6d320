/*
 * fdtable.c - test of the identity of descriptors: many more fds in several tables than are kept
 * awake, bound, ended, replaced, looked up and woken at random, against a plain array.
 */
#include "fdtable.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tap.h"

#define TABLES 3
#define FDS    6000
#define ROUNDS 300000

static struct fdtable *table[TABLES];
static uint64_t model[TABLES][FDS]; /* instance, 0 none */
static bool written[TABLES][FDS];   /* was declared */
static unsigned wrong;

static struct fileinfo file_of(int fd)
{
	struct fileinfo f = { 0 };
	char path[64];

	snprintf(path, sizeof(path), fd & 1 ? "/file/%d" : "socket:[%d]", fd);
	f.f.mask = FRZ_F_PATH | FRZ_F_INO | FRZ_F_DEV;
	f.f.ino = (uint64_t)fd + 7;
	f.path = strdup(path);
	f.path_len = (uint32_t)strlen(path);
	return f;
}

static void expect(bool good) { wrong += !good; }

static void bind_one(unsigned t, int fd)
{
	struct fileinfo file = file_of(fd);
	struct fdent *old = fdtable_get(table[t], fd), *e;
	uint64_t was = model[t][fd];

	if (!old && fdtable_asleep(table[t], fd).instance)
		old = fdtable_wake(table[t], fd, NULL);
	expect(old ? old->instance == was : !was || !written[t][fd]);
	e = fdtable_bind(table[t], fd, &file, FRZ_B_OPEN, 1, &old);
	expect(e && e->bound && e->fd == fd && (!old || old->instance == was));
	if (old) {
		expect(!old->bound);
		fdent_unref(old);
	}
	model[t][fd] = e->instance;
	written[t][fd] = rand() % 4 != 0;
	e->opening = !written[t][fd];
}

static void end_one(unsigned t, int fd)
{
	struct fdent *e = fdtable_get(table[t], fd);

	if (!e)
		e = fdtable_wake(table[t], fd, NULL);
	if (!e) {
		/* of what was never declared nothing may be left */
		expect(!model[t][fd] || !written[t][fd]);
	} else {
		expect(e->instance == model[t][fd] && fdtable_unbind(table[t], e) &&
		       !fdtable_unbind(table[t], e));
		fdent_unref(e);
	}
	model[t][fd] = 0;
}

static void look_one(unsigned t, int fd)
{
	struct fdent *e = fdtable_get(table[t], fd);
	struct sleeper s = fdtable_asleep(table[t], fd);
	struct fileinfo file = file_of(fd);

	expect(!e || !s.instance);
	if (e) {
		expect(e->instance == model[t][fd] && e->bound && e->in == table[t]);
	} else if (s.instance) {
		expect(s.instance == model[t][fd] && s.ino == file.f.ino &&
		       s.check == fileinfo_check(&file));
		e = fdtable_wake(table[t], fd, &file);
		expect(e && e->instance == s.instance && !e->opening && e->file.path && !file.path);
		e->opening = false;
	} else {
		expect(!model[t][fd] || !written[t][fd]);
	}
	fileinfo_release(&file);
}

static unsigned seen;

static void count_asleep(void *arg, int fd)
{
	unsigned t = *(unsigned *)arg;

	expect(fdtable_asleep(table[t], fd).instance == model[t][fd]);
	seen++;
	if (fd % 3 == 0)
		end_one(t, fd);
}

static void count_awake(void *arg, struct fdent *e)
{
	unsigned t = *(unsigned *)arg;

	expect(e->instance == model[t][e->fd]);
	seen++;
}

int main(void)
{
	struct fdent *held;
	unsigned all = 0;

	srand(1);
	for (unsigned t = 0; t < TABLES; t++)
		table[t] = fdtable_new(NULL, 0);
	bind_one(0, 5);
	held = fdtable_get(table[0], 5);
	fdent_ref(held);
	for (unsigned i = 0; i < ROUNDS; i++) {
		unsigned t = (unsigned)rand() % TABLES;
		int fd = rand() % FDS;

		if (!t && fd == 5)
			continue;
		switch (rand() % 5) {
		case 0:
		case 1:
			bind_one(t, fd);
			break;
		case 2:
			end_one(t, fd);
			break;
		default:
			look_one(t, fd);
		}
	}
	is_int(wrong, 0, "300,000 random steps: awake or asleep, each fd has its instance");
	ok(held->bound && fdtable_get(table[0], 5) == held, "what a call holds stays awake");
	for (unsigned t = 0; t < TABLES; t++) {
		unsigned known = 0, awake;

		for (int fd = 0; fd < FDS; fd++)
			known += model[t][fd] && written[t][fd];
		seen = 0;
		fdtable_each(table[t], 0, FDS, count_awake, &t);
		awake = seen;
		/* ends some while it goes on, which puts others to sleep */
		fdtable_each_asleep(table[t], 0, FDS, count_asleep, &t);
		all += seen - awake;
		ok(awake && seen > awake && seen >= known && !wrong,
		   "table %u: %u awake and %u asleep visited", t, awake, seen - awake);
	}
	ok(all > FDS, "most sleep");

	expect(!fdtable_is_ending(table[0], 9));
	for (int i = 0; i < 20; i++)
		fdtable_ending(table[0], i, i * 10, i * 10 + 5);
	ok(fdtable_is_ending(table[0], 15) && fdtable_is_ending(table[0], 9),
	   "calls that end fds: beyond what is remembered, any may");
	for (int i = 19; i >= 0; i--)
		fdtable_ended(table[0], i);
	ok(!fdtable_is_ending(table[0], 15) && !fdtable_is_ending(table[0], 9),
	   "until they are over");

	for (unsigned t = 0; t < TABLES; t++)
		fdtable_unref(table[t]);
	ok(!held->bound, "a table that goes leaves what is held");
	fdent_unref(held);
	return tap_done();
}
