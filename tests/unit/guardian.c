/* guardian.c - the process that puts masks back after its maker's death, and guardian_restore. */
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "affinity.h"
#include "guardian.h"
#include "tap.h"

static cpu_set_t all;
static int one_cpu, other_cpu;

static void nap_ms(unsigned ms) { usleep(ms * 1000); }

static pid_t sleeper(void)
{
	pid_t pid = fork();

	if (pid == 0)
		for (;;)
			pause();
	return pid;
}

static void end(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static bool has_mask(pid_t pid, const cpu_set_t *want)
{
	cpu_set_t now;

	return affinity_get(pid, &now) && CPU_EQUAL(&now, want);
}

static bool gets_mask(pid_t pid, const cpu_set_t *want)
{
	for (int i = 0; i < 300; i++, nap_ms(10))
		if (has_mask(pid, want))
			return true;
	return false;
}

/* First line of /proc/PID/NAME that begins with key, without the key; "" when there is none. */
static void proc_line(pid_t pid, const char *name, const char *key, char out[256])
{
	char path[64], line[256];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	out[0] = '\0';
	f = fopen(path, "r");
	if (!f)
		return;
	while (fgets(line, sizeof(line), f))
		if (!strncmp(line, key, strlen(key))) {
			line[strcspn(line, "\n")] = '\0';
			memcpy(out, line + strlen(key), strlen(line + strlen(key)) + 1);
			break;
		}
	fclose(f);
}

/* The guardian that holds a pidfd of the owner, by pid; 0: none. */
static pid_t guardian_of(pid_t owner)
{
	DIR *d = opendir("/proc");
	struct dirent *e;
	pid_t found = 0;

	while (d && !found && (e = readdir(d))) {
		pid_t pid = (pid_t)atoi(e->d_name);
		char name[64], text[256];

		if (pid <= 0)
			continue;
		proc_line(pid, "comm", "", text);
		if (strcmp(text, "frec-guardian"))
			continue;
		for (int fd = 0; fd < 64 && !found; fd++) {
			snprintf(name, sizeof(name), "fdinfo/%d", fd);
			proc_line(pid, name, "Pid:\t", text);
			if (*text && atoi(text) == owner)
				found = pid;
		}
	}
	if (d)
		closedir(d);
	return found;
}

static pid_t wait_for_guardian(pid_t owner, bool want)
{
	for (int i = 0; i < 300; i++, nap_ms(10)) {
		pid_t pid = guardian_of(owner);

		if ((pid != 0) == want)
			return pid;
	}
	return want ? 0 : -1;
}

static struct guardian_pin *take(struct guardian *g, pid_t tid)
{
	return guardian_take(g, tid, one_cpu, &all);
}

/* ---- the process ---- */

static unsigned count_fds(pid_t pid)
{
	char path[64];
	unsigned n = 0;
	DIR *d;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	d = opendir(path);
	while (d && readdir(d))
		n++;
	if (d)
		closedir(d);
	return n - 2;
}

static void test_process(void)
{
	struct guardian *g = guardian_new(NULL);
	char text[256];
	pid_t pid;

	ok(g != NULL, "a guardian can be made");
	pid = wait_for_guardian(getpid(), true);
	ok(pid > 0, "it is a process named frec-guardian");
	errno = 0;
	ok(waitpid(-1, NULL, __WALL | WNOHANG) < 0 && errno == ECHILD, "it is no child of ours");
	ok(getsid(pid) == pid && getpgid(pid) == pid, "it has a session and a group of its own");
	is_int(count_fds(pid), 2, "it keeps two fds");
	proc_line(pid, "status", "SigBlk:\t", text);
	/* SIGKILL and SIGSTOP cannot be blocked, 32 and 33 are the C library's */
	is_str(text, "fffffffe7ffbfeff", "every signal that can be is blocked");
	guardian_free(g);
	ok(wait_for_guardian(getpid(), false) == 0, "it ends with guardian_free");
}

/* The owner in a child: pins t, says so, and waits to be killed. */
static pid_t owner(pid_t target, struct guardian_area *area, bool set)
{
	int ready[2];
	pid_t pid;
	char c;

	if (pipe(ready) != 0)
		bail_out("pipe");
	pid = fork();
	if (pid == 0) {
		struct guardian *g;
		cpu_set_t mask;

		signal(SIGINT, SIG_DFL); /* ignored in what a shell put into the background */
		setpgid(0, 0);
		g = guardian_new(area);
		if (!g || !take(g, target))
			_exit(1);
		affinity_one(one_cpu, &mask);
		if (set)
			affinity_set(target, &mask);
		if (write(ready[1], "r", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	close(ready[1]);
	if (read(ready[0], &c, 1) != 1)
		bail_out("the owner died");
	close(ready[0]);
	return pid;
}

static void test_death(int sig, bool group, const char *name)
{
	pid_t target = sleeper(), pid = owner(target, NULL, true);
	cpu_set_t pinned;

	affinity_one(one_cpu, &pinned);
	ok(has_mask(target, &pinned), "%s: pinned before", name);
	kill(group ? -pid : pid, sig);
	waitpid(pid, NULL, 0);
	ok(gets_mask(target, &all), "%s: mask restored", name);
	ok(wait_for_guardian(pid, false) == 0, "%s: the guardian is gone", name);
	end(target);
}

static void test_not_set_yet(void)
{
	pid_t target = sleeper(), pid = owner(target, NULL, false);

	end(pid);
	ok(wait_for_guardian(pid, false) == 0 && has_mask(target, &all),
	   "killed between writing down and setting: nothing changes");
	end(target);
}

/* ---- restoring from an area ---- */

static struct guardian_area *shared_area(void)
{
	void *m = mmap(NULL, sizeof(struct guardian_area), PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (m == MAP_FAILED)
		bail_out("mmap");
	return m;
}

static void test_area(void)
{
	struct guardian_area *area = shared_area();
	pid_t mine = sleeper(), foreign = sleeper(), dead = sleeper(), reused = sleeper();
	struct guardian *g = guardian_new(area);
	struct guardian_pin *pin;
	struct guardian_result r;
	cpu_set_t one, other;

	affinity_one(one_cpu, &one);
	affinity_one(other_cpu, &other);
	take(g, mine);
	affinity_set(mine, &one);
	take(g, foreign);
	affinity_set(foreign, &other);
	take(g, dead);
	pin = take(g, reused);
	pin->start_ticks--;
	pin->tgid_start_ticks--;
	affinity_set(reused, &one);
	guardian_give_back(take(g, getpid()));
	end(dead);
	guardian_free(g);

	r = guardian_restore(area);
	is_int(r.restored, 1, "one restored");
	is_int(r.foreign, 1, "one has another mask by now");
	is_int(r.gone, 2, "one is dead, one is another thread with that tid");
	is_int(r.failed, 0, "none failed");
	ok(has_mask(mine, &all), "ours has its mask again");
	ok(has_mask(foreign, &other), "what somebody else set stays");
	ok(has_mask(reused, &one), "another thread with the tid is not touched");
	r = guardian_restore(area);
	is_int(r.restored + r.foreign + r.gone + r.failed, 0,
	       "a second time there is nothing to do");
	end(mine);
	end(foreign);
	end(reused);
	munmap(area, sizeof(*area));
}

static void test_full(void)
{
	struct guardian *g = guardian_new(NULL);
	struct guardian_pin *pin = NULL;

	for (unsigned i = 0; i < GUARDIAN_PINS; i++)
		pin = take(g, getpid());
	ok(pin != NULL, "%u places", GUARDIAN_PINS);
	ok(take(g, getpid()) == NULL, "and not one more");
	guardian_give_back(pin);
	ok(take(g, getpid()) == pin, "a place given back is taken again");
	guardian_free(g);
}

static void test_hex(void)
{
	char out[AFFINITY_HEX_MAX];
	cpu_set_t m;

	CPU_ZERO(&m);
	affinity_hex(&m, out);
	is_str(out, "0", "no CPU");
	CPU_SET(0, &m);
	CPU_SET(1, &m);
	affinity_hex(&m, out);
	is_str(out, "3", "CPUs 0 and 1");
	CPU_SET(33, &m);
	affinity_hex(&m, out);
	is_str(out, "2,00000003", "and 33");
	memset(&m, 0xff, sizeof(m));
	affinity_hex(&m, out);
	ok(strlen(out) == AFFINITY_HEX_MAX - 2 && strspn(out, "f,") == strlen(out), "all");
}

int main(void)
{
	test_hex();
	if (!affinity_get(0, &all) || CPU_COUNT(&all) < 2)
		skip_all("needs two CPUs");
	while (!CPU_ISSET((size_t)one_cpu, &all))
		one_cpu++;
	for (other_cpu = one_cpu + 1; !CPU_ISSET((size_t)other_cpu, &all);)
		other_cpu++;
	test_process();
	test_death(SIGKILL, false, "SIGKILL");
	test_death(SIGINT, true, "SIGINT to the group");
	test_death(SIGABRT, false, "SIGABRT");
	test_not_set_yet();
	test_area();
	test_full();
	return tap_done();
}
