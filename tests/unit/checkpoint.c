/*
 * checkpoint.c - checkpoint lines: their form, the last one, journald's protocol, a reader that
 * does not read.
 */
#include "tap.h"

#include <regex.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "checkpoint.h"
#include "fakecase.h"
#include "sha256.h"

static char err[600];
static const uint8_t id[16] = { 0xab, 1, 2, 3 };

static void block(struct checkpoint *c, uint64_t n)
{
	uint8_t link[FRZ_HASH_LEN] = { (uint8_t)n };

	checkpoint_block(c, id, n, 10 * n, link);
}

static bool matches(const char *line, uint64_t blocks)
{
	char pattern[400];
	regex_t re;
	bool good;

	snprintf(pattern, sizeof pattern,
		 "^frz-checkpoint case=ab0102030{24} blocks=%d events=%d head=%02x0{62} "
		 "time=2[0-9]{3}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{9}Z$",
		 (int)blocks, (int)blocks * 10, (unsigned)blocks);
	if (regcomp(&re, pattern, REG_EXTENDED | REG_NOSUB))
		return false;
	good = regexec(&re, line, 0, NULL, 0) == 0;
	regfree(&re);
	return good;
}

static unsigned lines_of(const char *path, char lines[][400], unsigned max)
{
	FILE *f = fopen(path, "r");
	unsigned n = 0;

	while (f && n < max && fgets(lines[n], 400, f))
		lines[n][strcspn(lines[n], "\n")] = '\0', n++;
	if (f)
		fclose(f);
	return n;
}

static void to_file(void)
{
	char *path = fake_path("checkpoints");
	struct checkpoint *c = checkpoint_open(path, err, sizeof err);
	char lines[20][400];

	if (!ok(c != NULL, "a file"))
		bail_out(err);
	block(c, 1);
	is_int(lines_of(path, lines, 20), 1, "the first block is told at once");
	ok(matches(lines[0], 1), "  in the form that is promised: %s", lines[0]);
	for (uint64_t n = 2; n < 9; n++)
		block(c, n);
	is_int(lines_of(path, lines, 20), 1, "those that follow within a second are not");
	usleep(1010000);
	block(c, 9);
	is_int(lines_of(path, lines, 20), 2, "after a second one is");
	block(c, 10);
	checkpoint_close(c);
	is_int(lines_of(path, lines, 20), 3, "the last one always");
	ok(matches(lines[1], 9) && matches(lines[2], 10), "  they are the ninth and the tenth");

	c = checkpoint_open(path, err, sizeof err);
	block(c, 1);
	checkpoint_close(c);
	is_int(lines_of(path, lines, 20), 4,
	       "an existing file is appended to, and nothing told twice");
	ok(!checkpoint_open("/nonexistent/x", err, sizeof err) && strstr(err, "/nonexistent/x"),
	   "%s", err);
	checkpoint_close(NULL);
	free(path);
}

static void to_journal(void)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	char *path = fake_path("journal"), msg[2000], *message;
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0), filler;
	struct checkpoint *c;
	uint64_t t;
	ssize_t n;

	ok(!checkpoint_open_journal(path, err, sizeof err) && strstr(err, "journald"),
	   "no journald: %s", err);
	snprintf(to.sun_path, sizeof to.sun_path, "%s", path);
	if (bind(fd, (struct sockaddr *)&to, sizeof to))
		bail_out("bind");
	c = checkpoint_open_journal(path, err, sizeof err);
	block(c, 7);
	n = recv(fd, msg, sizeof msg - 1, 0);
	msg[n > 0 ? n : 0] = '\0';
	ok(strstr(msg, "\nFRZ_BLOCKS=7\nFRZ_EVENTS=70\nFRZ_HEAD=07"), "journald gets fields");
	ok(strstr(msg, "\nSYSLOG_IDENTIFIER=frec\n") && msg[n - 1] == '\n', "  in its protocol");
	message = strtok(msg, "\n");
	ok(message && !strncmp(message, "MESSAGE=", 8) && matches(message + 8, 7),
	   "  and the line as the message");

	/* a journald that does not read: the socket's queue fills up */
	t = fake_now();
	filler = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	if (connect(filler, (struct sockaddr *)&to, sizeof to))
		bail_out("connect");
	while (send(filler, "", 1, 0) == 1)
		;
	for (uint64_t i = 8; i < 12; i++) {
		block(c, i);
		usleep(i < 10 ? 1010000 : 0);
	}
	t += 2 * 1010000000u;
	ok(fake_now() - t < 1000000000u, "a journald that does not read keeps nobody waiting");
	checkpoint_close(c);
	close(fd);
	close(filler);
	free(path);
}

static void to_full_pipe(void)
{
	char *path = fake_path("pipe"), fill[4096] = { 0 };
	struct checkpoint *c;
	uint64_t t = fake_now();
	int fd;

	if (mkfifo(path, 0600))
		bail_out("mkfifo");
	fd = open(path, O_RDWR | O_NONBLOCK);
	c = checkpoint_open(path, err, sizeof err);
	while (write(fd, fill, sizeof fill) > 0)
		;
	block(c, 1);
	checkpoint_close(c);
	ok(fake_now() - t < 500000000u, "a full pipe keeps nobody waiting");
	close(fd);
	free(path);
}

/* As the writer calls it. */
static void with_a_writer(void)
{
	char *path = fake_path("case.frz"), *log = fake_path("log"), lines[20][400],
	     want[100] = "head=";
	struct checkpoint *c = checkpoint_open(log, err, sizeof err);
	struct writer_options o = { .sync = WRITER_SYNC_SECONDS,
				    .on_block = checkpoint_block,
				    .on_block_arg = c };
	struct fake_writer f = { .w = fake_open(path, &o, err, sizeof err), .next = 1 };
	uint8_t head[FRZ_HASH_LEN];
	unsigned n;

	fake_group(&f, 5);
	writer_seal(f.w, "test", head);
	writer_free(f.w);
	checkpoint_close(c);
	n = lines_of(log, lines, 20);
	ok(n == 2 && strstr(lines[0], "blocks=1 events=0 ") &&
		   strstr(lines[1], "blocks=3 events=5 "),
	   "GENESIS and SEAL of a short recording");
	frz_hex(head, FRZ_HASH_LEN, want + 5);
	ok(n == 2 && strstr(lines[1], want), "  the last head is the seal");
	free(path), free(log);
}

int main(void)
{
	char *log = fake_path("stderr"), lines[20][400];
	int old = dup(STDERR_FILENO);

	to_file();
	if (!freopen(log, "w", stderr))
		bail_out("stderr");
	to_journal();
	to_full_pipe();
	fflush(stderr);
	dup2(old, STDERR_FILENO);
	ok(lines_of(log, lines, 20) == 2 && strstr(lines[0], "cannot be written") &&
		   strstr(lines[1], "/pipe"),
	   "what cannot be written is told once each");
	free(log);
	with_a_writer();
	fake_cleanup();
	return tap_done();
}
