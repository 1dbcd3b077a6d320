/* db.c - the database of a case (contract in db.h). */
#include "db.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "building.h"
#include "embedded.h"
#include "madehere.h"
#include "message.h"
#include "options.h"
#include "schema_version.h"
#include "sha256.h"

#define PATH_BYTES 4200

static char used_path[PATH_BYTES];
static char building[PATH_BYTES]; /* temporary file to remove when killed; "" none */

enum match {
	DB_ABSENT,
	DB_CURRENT, /* has all of the case */
	DB_OLDER,   /* has the case's first blocks */
	DB_STALE,   /* of this case, but cannot be gone on with */
	DB_REFUSED, /* not ours or not this case's: a line was printed */
};

/* How far the case is in the database, as `meta` says. */
struct noted {
	char case_id[33], link[FRZ_HEX_LEN];
	uint64_t blocks;
	bool damaged;
	char tail[TAIL_TEXT_MAX]; /* tail_state_text */
	char file[160];		  /* size, times and so on of the case file then */
};

const char *db_path(void) { return used_path; }

static const char *schema_text(const char *name)
{
	for (unsigned i = 0; i < schema_files_n; i++)
		if (!strcmp(schema_files[i].name, name))
			return schema_files[i].sql;
	return "";
}

bool db_create_tables(sqlite3 *db)
{
	char pragmas[100];

	snprintf(pragmas, sizeof(pragmas), "PRAGMA application_id = %d; PRAGMA user_version = %d",
		 SCHEMA_APPLICATION_ID, SCHEMA_VERSION);
	return sqlite3_exec(db, pragmas, NULL, NULL, NULL) == SQLITE_OK &&
	       sqlite3_exec(db, schema_text("tables"), NULL, NULL, NULL) == SQLITE_OK &&
	       sqlite3_exec(db, schema_text("views"), NULL, NULL, NULL) == SQLITE_OK;
}

bool db_create_indexes(sqlite3 *db)
{
	return sqlite3_exec(db, schema_text("indexes"), NULL, NULL, NULL) == SQLITE_OK;
}

/* SHA-256 over the text of all tables, views and indexes. */
static bool schema_hash(sqlite3 *db, uint8_t out[FRZ_HASH_LEN])
{
	sqlite3_stmt *st = NULL;
	struct frz_sha256 h;
	int rc;

	frz_sha256_init(&h);
	if (sqlite3_prepare_v2(
		    db,
		    "SELECT type, name, coalesce(sql, '') FROM sqlite_schema ORDER BY type, name",
		    -1, &st, NULL) != SQLITE_OK)
		return false;
	while ((rc = sqlite3_step(st)) == SQLITE_ROW)
		for (int i = 0; i < 3; i++) {
			const unsigned char *t = sqlite3_column_text(st, i);

			frz_sha256_add(&h, t ? t : (const unsigned char *)"",
				       (size_t)sqlite3_column_bytes(st, i) + 1);
		}
	sqlite3_finalize(st);
	frz_sha256_peek(&h, out);
	return rc == SQLITE_DONE;
}

/* The schema is to the letter the one that this program makes: nothing was added to it. */
static bool schema_is_ours(sqlite3 *db)
{
	uint8_t theirs[FRZ_HASH_LEN], ours[FRZ_HASH_LEN];
	sqlite3 *mem = NULL;
	bool same;

	same = sqlite3_open(":memory:", &mem) == SQLITE_OK && db_create_tables(mem) &&
	       db_create_indexes(mem) && schema_hash(mem, ours) && schema_hash(db, theirs) &&
	       !memcmp(ours, theirs, sizeof(ours));
	sqlite3_close(mem);
	return same;
}

static int pragma_int(sqlite3 *db, const char *sql)
{
	sqlite3_stmt *st = NULL;
	int v = -1;

	if (sqlite3_prepare_v2(db, sql, -1, &st, NULL) == SQLITE_OK &&
	    sqlite3_step(st) == SQLITE_ROW)
		v = sqlite3_column_int(st, 0);
	sqlite3_finalize(st);
	return v;
}

static bool meta_get(sqlite3 *db, const char *key, char *out, size_t cap)
{
	sqlite3_stmt *st = NULL;
	const char *t = NULL;

	*out = '\0';
	if (sqlite3_prepare_v2(db, "SELECT value FROM meta WHERE key = ?", -1, &st, NULL) ==
	    SQLITE_OK) {
		sqlite3_bind_text(st, 1, key, -1, SQLITE_STATIC);
		if (sqlite3_step(st) == SQLITE_ROW)
			t = (const char *)sqlite3_column_text(st, 0);
		if (t)
			snprintf(out, cap, "%s", t);
	}
	sqlite3_finalize(st);
	return t != NULL;
}

static bool meta_set(sqlite3 *db, const char *key, const char *value)
{
	sqlite3_stmt *st = NULL;
	bool good = sqlite3_prepare_v2(db, "INSERT OR REPLACE INTO meta VALUES (?, ?)", -1, &st,
				       NULL) == SQLITE_OK;

	if (good) {
		sqlite3_bind_text(st, 1, key, -1, SQLITE_STATIC);
		sqlite3_bind_text(st, 2, value, -1, SQLITE_STATIC);
		good = sqlite3_step(st) == SQLITE_DONE;
	}
	sqlite3_finalize(st);
	return good;
}

static bool noted_get(sqlite3 *db, struct noted *n)
{
	char blocks[24], damaged[8];

	if (!meta_get(db, "case_id", n->case_id, sizeof(n->case_id)) ||
	    !meta_get(db, "link", n->link, sizeof(n->link)) ||
	    !meta_get(db, "blocks", blocks, sizeof(blocks)) ||
	    !meta_get(db, "damaged", damaged, sizeof(damaged)) ||
	    !meta_get(db, "tail", n->tail, sizeof(n->tail)) ||
	    !meta_get(db, "file", n->file, sizeof(n->file)))
		return false;
	n->blocks = strtoull(blocks, NULL, 10);
	n->damaged = !strcmp(damaged, "1");
	return true;
}

/* What tells that the case file's bytes may have changed since they were hashed. */
static void file_mark(const char *path, char *out, size_t cap)
{
	struct stat st;

	*out = '\0';
	if (stat(path, &st) == 0)
		snprintf(out, cap, "%jd bytes, mtime %jd.%09ld, ctime %jd.%09ld, inode %jx:%ju",
			 (intmax_t)st.st_size, (intmax_t)st.st_mtim.tv_sec, st.st_mtim.tv_nsec,
			 (intmax_t)st.st_ctim.tv_sec, st.st_ctim.tv_nsec, (uintmax_t)st.st_dev,
			 (uintmax_t)st.st_ino);
}

uint64_t db_noted(sqlite3 *db, const char *what)
{
	char v[24];

	return meta_get(db, what, v, sizeof(v)) ? strtoull(v, NULL, 10) : 0;
}

bool db_noted_tail(sqlite3 *db, struct tail_mark mark[FRZ_TAIL_HALVES], unsigned *n)
{
	char v[TAIL_TEXT_MAX];

	return meta_get(db, "tail", v, sizeof(v)) && tail_state_marks(v, mark, n);
}

bool db_noted_is(sqlite3 *db, const struct case_state *s)
{
	char link[FRZ_HEX_LEN], tail[TAIL_TEXT_MAX];
	struct noted n;

	frz_hex(s->head.link, sizeof(s->head.link), link);
	tail_state_text(&s->tail, tail);
	return noted_get(db, &n) && n.blocks == s->head.blocks && !strcmp(n.link, link) &&
	       !strcmp(n.tail, tail);
}

bool db_begin(sqlite3 *db)
{
	return sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL) == SQLITE_OK;
}

bool db_commit(sqlite3 *db, const char *case_path, const struct case_state *s)
{
	char hex[FRZ_HEX_LEN], made[FRZ_HEX_LEN], number[24], events[24], mark[160];
	char tail[TAIL_TEXT_MAX];

	frz_hex(s->head.case_id, sizeof(s->head.case_id), hex);
	if (!made_here(sqlite3_db_filename(db, "main"), hex, made))
		made[0] = '\0';
	if (!meta_set(db, "case_id", hex) || !meta_set(db, "made", made))
		return false;
	frz_hex(s->head.link, sizeof(s->head.link), hex);
	snprintf(number, sizeof(number), "%" PRIu64, s->head.blocks);
	snprintf(events, sizeof(events), "%" PRIu64, s->head.events + s->tail.events);
	file_mark(case_path, mark, sizeof(mark));
	tail_state_text(&s->tail, tail);
	return meta_set(db, "link", hex) && meta_set(db, "tail", tail) &&
	       meta_set(db, "events", events) && meta_set(db, "blocks", number) &&
	       meta_set(db, "file", mark) &&
	       meta_set(db, "damaged",
			s->head.damages || (s->end != FRZ_END && s->end != FRZ_E_UNSEALED) ? "1" :
											     "0") &&
	       sqlite3_exec(db, "COMMIT", NULL, NULL, NULL) == SQLITE_OK;
}

static sqlite3 *open_by(const char *path, int flags, const char *vfs)
{
	sqlite3 *db = NULL;

	/* no statistics, and so no lock around each malloc; has no effect once SQLite is in use */
	sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
	if (sqlite3_open_v2(path, &db, flags | SQLITE_OPEN_NOMUTEX, vfs) != SQLITE_OK) {
		sqlite3_close(db);
		return NULL;
	}
	sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	sqlite3_busy_timeout(db, 10000);
	return db;
}

static sqlite3 *open_at(const char *path, int flags) { return open_by(path, flags, NULL); }

static bool empty_or_absent(const char *path)
{
	struct stat st;

	return stat(path, &st) < 0 ? errno == ENOENT : S_ISREG(st.st_mode) && st.st_size == 0;
}

/* Nothing beside the case makes us wait: the database, and what SQLite looks for next to it. */
static bool regular(const char *path)
{
	static const char *const suffixes[] = { "", "-journal", "-wal", "-shm" };
	char name[PATH_BYTES];
	struct stat st;

	for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
		snprintf(name, sizeof(name), "%s%s", path, suffixes[i]);
		if (stat(name, &st) == 0 && !S_ISREG(st.st_mode)) {
			complain(0,
				 "%s: no regular file: move it away, or name another database "
				 "with --db",
				 name);
			return false;
		}
	}
	return true;
}

/* Made by this user, and in this file; or whoever brought it can have put anything into it. */
static bool is_own(sqlite3 *db, const char *path, const char *case_id)
{
	char noted[FRZ_HEX_LEN], mark[FRZ_HEX_LEN];

	return meta_get(db, "made", noted, sizeof(noted)) && made_here(path, case_id, mark) &&
	       !strcmp(noted, mark);
}

/* What the database at path is to a case in this state. A line is printed for DB_REFUSED, and for
 * one that somebody else made. */
static enum match match_db(const char *path, const struct options *o, struct case_state *s,
			   struct noted *n)
{
	char id[33], link[FRZ_HEX_LEN], tail[TAIL_TEXT_MAX];
	enum match m = DB_STALE;
	sqlite3 *db;

	if (!regular(path))
		return DB_REFUSED;
	if (empty_or_absent(path))
		return DB_ABSENT;
	db = open_at(path, SQLITE_OPEN_READONLY);
	if (!db || pragma_int(db, "PRAGMA application_id") != SCHEMA_APPLICATION_ID) {
		complain(0,
			 "%s: not a database of fanalyze: move it away, or name another with --db",
			 path);
		sqlite3_close(db);
		return DB_REFUSED;
	}
	frz_hex(s->head.case_id, sizeof(s->head.case_id), id);
	meta_get(db, "case_id", n->case_id, sizeof(n->case_id));
	if (strcmp(n->case_id, id)) {
		complain(0, "%s: belongs to another case (%s, not %s): name another with --db",
			 path, n->case_id[0] ? n->case_id : "unknown", id);
		sqlite3_close(db);
		return DB_REFUSED;
	}
	if (!is_own(db, path, id)) {
		if (!o->quiet)
			complain(0, "%s: was made by somebody else, or elsewhere: not relied on",
				 path);
	} else if (pragma_int(db, "PRAGMA user_version") == SCHEMA_VERSION && schema_is_ours(db) &&
		   noted_get(db, n)) {
		frz_hex(s->head.link, sizeof(s->head.link), link);
		tail_state_text(&s->tail, tail);
		if (n->blocks == s->head.blocks && !strcmp(n->link, link)) {
			m = !strcmp(n->tail, tail) ? DB_CURRENT : n->damaged ? DB_STALE : DB_OLDER;
		} else if (n->blocks && n->blocks < s->head.blocks && !n->damaged) {
			struct case_state again;

			case_look(o->case_path, FRZ_CASE_SKIM, n->blocks - 1, &again);
			frz_hex(again.link_at, FRZ_HASH_LEN, link);
			if (again.has_link_at && !strcmp(n->link, link))
				m = DB_OLDER;
		}
	}
	sqlite3_close(db);
	return m;
}

/* ---- where ---- */

static bool folder_writable(const char *path)
{
	char dir[PATH_BYTES], *slash;

	snprintf(dir, sizeof(dir), "%s", path);
	slash = strrchr(dir, '/');
	if (!slash)
		snprintf(dir, sizeof(dir), ".");
	else
		slash[slash == dir] = '\0';
	return access(dir, W_OK) == 0;
}

static bool beside(const char *case_path, char *out, size_t cap)
{
	size_t n = strlen(case_path);

	if (n > 4 && !strcmp(case_path + n - 4, ".frz") && case_path[n - 5] != '/')
		n -= 4;
	return (size_t)snprintf(out, cap, "%.*s.sqlite", (int)n, case_path) < cap;
}

/* A file named after the case in the cache folder. */
static bool in_cache(const struct case_state *s, char *out, size_t cap)
{
	char id[33], folder[PATH_BYTES - 100];

	frz_hex(s->head.case_id, sizeof(s->head.case_id), id);
	return cache_folder(folder, sizeof(folder)) &&
	       (size_t)snprintf(out, cap, "%s/%s.sqlite", folder, id) < cap;
}

/* ---- making it ---- */

static void killed(int signo)
{
	if (building[0])
		unlink(building);
	signal(signo, SIG_DFL);
	raise(signo);
}

static void catch_signals(bool on)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP };

	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		signal(signals[i], on ? killed : SIG_DFL);
}

static const char *damage_remedy(const struct options *o, int code)
{
	return code == VERIFY_DAMAGED && !o->allow_damaged ?
		       "; --verify says what holds, --allow-damaged reads past it" :
		       "";
}

/* Imports into db, whose transaction is open or not needed. n: what it has, NULL for nothing. The
 * line was printed on failure, but for IMPORT_STALE. */
static bool import_into(sqlite3 *db, const struct options *o, const struct noted *n,
			struct case_state *s, int *code)
{
	struct import_options io = { .path = o->case_path,
				     .allow_damaged = o->allow_damaged,
				     .progress = !o->quiet && isatty(STDERR_FILENO) };
	struct import *im = NULL;
	char err[600];
	bool good;

	if (n) {
		io.skip_blocks = n->blocks;
		if (!tail_state_marks(n->tail, io.mark, &io.nmarks)) {
			*code = IMPORT_STALE;
			return false;
		}
	}
	im = import_new(db, &io, err, sizeof(err), code);
	good = im && import_run(im, s, err, sizeof(err), code);
	import_free(im);
	if (!good && *code != IMPORT_STALE)
		complain(*code, "%s%s", err, damage_remedy(o, *code));
	return good;
}

static bool db_failed(const char *path, const char *what, int *code)
{
	*code = complain(VERIFY_USAGE, "%s: %s", path, what);
	return false;
}

/* Who can read the case can read its database. */
static mode_t mode_like(const char *case_path)
{
	mode_t m = umask(077);
	struct stat st;

	umask(m);
	return stat(case_path, &st) == 0 ? ((st.st_mode & 0644) | 0600) & ~m : 0600;
}

/* A new database at path, in place of what may be there. */
static bool build(const char *path, const struct options *o, struct case_state *s, int *code)
{
	sqlite3 *db = NULL;
	bool good = false;
	int fd, rc;

	catch_signals(true);
	fd = building_open(path, building, sizeof(building));
	if (fd < 0) {
		db_failed(path, strerror(errno), code);
		building[0] = '\0';
		catch_signals(false);
		return false;
	}
	if (fchmod(fd, mode_like(o->case_path)) < 0) {
		db_failed(path, strerror(errno), code);
		goto out;
	}
	/* nobody else opens it; where flock(2) and SQLite's locks are one kind, it is held
	 * already */
	db = open_by(building, SQLITE_OPEN_READWRITE, "unix-none");
	if (db) /* a file of our own, just made; or there would be a journal */
		sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 0, NULL);
	if (!db ||
	    sqlite3_exec(db,
			 "PRAGMA page_size = 8192; PRAGMA journal_mode = OFF;"
			 "PRAGMA synchronous = OFF; PRAGMA locking_mode = EXCLUSIVE;"
			 "PRAGMA cache_size = -262144; PRAGMA temp_store = MEMORY;"
			 "PRAGMA secure_delete = OFF; PRAGMA threads = 2; BEGIN",
			 NULL, NULL, NULL) != SQLITE_OK ||
	    !db_create_tables(db)) {
		db_failed(path, db ? sqlite3_errmsg(db) : "cannot be opened", code);
		goto out;
	}
	if (!import_into(db, o, NULL, s, code))
		goto out;
	if (!db_create_indexes(db) || !db_commit(db, o->case_path, s)) {
		db_failed(path, sqlite3_errmsg(db), code);
		goto out;
	}
	rc = sqlite3_close(db);
	db = NULL;
	if (rc != SQLITE_OK || fdatasync(fd) < 0 || rename(building, path) < 0) {
		db_failed(path, rc != SQLITE_OK ? sqlite3_errstr(rc) : strerror(errno), code);
		goto out;
	}
	good = true;
out:
	sqlite3_close(db);
	if (!good)
		unlink(building);
	building[0] = '\0';
	catch_signals(false);
	close(fd);
	return good;
}

sqlite3 *db_open_writable(const char *path)
{
	sqlite3 *db = open_at(path, SQLITE_OPEN_READWRITE);

	if (!db || sqlite3_exec(db,
				"PRAGMA cache_size = -262144; PRAGMA synchronous = NORMAL;"
				"PRAGMA secure_delete = OFF",
				NULL, NULL, NULL) != SQLITE_OK) {
		complain(0, "%s: %s", path,
			 db ? sqlite3_errmsg(db) : "cannot be opened for writing");
		sqlite3_close(db);
		return NULL;
	}
	return db;
}

/* Goes on where an earlier import stopped, in one transaction; or anew, when what it took from
 * the tail is not what came into the case. */
static bool extend(const char *path, const struct options *o, const struct noted *n,
		   struct case_state *s, int *code)
{
	sqlite3 *db = db_open_writable(path);
	struct noted now;
	bool good;

	if (!db) {
		*code = VERIFY_USAGE;
		return false;
	}
	if (!db_begin(db)) {
		db_failed(path, sqlite3_errmsg(db), code);
		sqlite3_close(db);
		return false;
	}
	/* another fanalyze may have gone on with it since it was looked at */
	good = noted_get(db, &now) && !now.damaged && !strcmp(now.case_id, n->case_id);
	if (good)
		good = import_into(db, o, &now, s, code);
	else
		*code = IMPORT_STALE;
	if (good && !db_commit(db, o->case_path, s))
		good = db_failed(path, sqlite3_errmsg(db), code);
	sqlite3_close(db); /* takes back what was not committed */
	return good || (*code == IMPORT_STALE && build(path, o, s, code));
}

static bool choose(const struct options *o, struct case_state *s, enum match *m, struct noted *n)
{
	if (o->db) {
		snprintf(used_path, sizeof(used_path), "%s", o->db);
		*m = match_db(used_path, o, s, n);
		return *m != DB_REFUSED;
	}
	if (!beside(o->case_path, used_path, sizeof(used_path)))
		return db_failed(o->case_path, "name too long", &(int){ 0 });
	*m = match_db(used_path, o, s, n);
	if (*m == DB_CURRENT || *m == DB_REFUSED || folder_writable(used_path))
		return *m != DB_REFUSED;
	if (!in_cache(s, used_path, sizeof(used_path))) {
		complain(0,
			 "%s: the folder cannot be written to and there is no cache folder: name "
			 "a database with --db",
			 o->case_path);
		return false;
	}
	*m = match_db(used_path, o, s, n);
	return *m != DB_REFUSED;
}

static bool report_damage(const struct options *o, const struct case_state *s, int *code)
{
	*code = fault_exit(&s->fault);
	if (s->fault.err == FRZ_E_IO)
		complain(*code, "%s: %s", o->case_path, s->fault.what);
	else
		complain(*code, "%s: %s at block %" PRIu64 ", offset %" PRIu64 ": %s%s",
			 o->case_path, frz_strerror(s->end), s->fault.block, s->fault.offset,
			 s->fault.what, s->head.blocks ? damage_remedy(o, *code) : "");
	return false;
}

/* The file was hashed again and is good: spares the next run from doing so. Where the database
 * cannot be written to, that run hashes it again, and nothing else is lost. */
static void note_mark(const char *mark)
{
	sqlite3 *db = open_at(used_path, SQLITE_OPEN_READWRITE);

	if (db)
		meta_set(db, "file", mark);
	sqlite3_close(db);
}

/* The database at used_path is up to date and *s is the case's state. */
static bool prepare(const struct options *o, struct case_state *s, int *code)
{
	struct noted n = { .blocks = 0 };
	struct tail_state tail;
	enum match m;
	char mark[160];

	case_look_live(o->case_path, false, s);
	if (!case_whole(s)) {
		if (!o->allow_damaged)
			return report_damage(o, s, code);
		case_look_live(o->case_path, true, s);
		if (!s->head.blocks)
			return report_damage(o, s, code);
	}
	*code = VERIFY_USAGE;
	if (!choose(o, s, &m, &n))
		return false;
	if (m == DB_CURRENT && n.damaged && !o->allow_damaged)
		m = DB_STALE; /* says again what is wrong */
	if (m == DB_CURRENT && !n.damaged) {
		file_mark(o->case_path, mark, sizeof(mark));
		if (!strcmp(mark, n.file))
			return true;
		/* the same blocks, but the file was touched: are the frames what they were? */
		tail = s->tail;
		case_look(o->case_path, 0, UINT64_MAX, s);
		s->tail = tail;
		if (!case_whole(s)) {
			if (!o->allow_damaged)
				return report_damage(o, s, code);
			m = DB_STALE;
		}
	}
	switch (m) {
	case DB_CURRENT:
		if (n.damaged) /* then, and nothing was mended since */
			s->head.damages += !s->head.damages;
		else
			note_mark(mark);
		return true;
	case DB_OLDER:
		return extend(used_path, o, &n, s, code);
	default:
		return build(used_path, o, s, code);
	}
}

bool db_state(sqlite3 *db, char *line, size_t cap)
{
#define INFO(key) "(SELECT value FROM info WHERE key = '" key "')"
	static const char sql[] = "SELECT " INFO("verdict") " || ' (case ' || " INFO(
		"case_id") " || ', chain head ' || " INFO("chain_head") " || ')'";
	sqlite3_stmt *st = NULL;
	bool good = sqlite3_prepare_v2(db, sql, -1, &st, NULL) == SQLITE_OK &&
		    sqlite3_step(st) == SQLITE_ROW && sqlite3_column_text(st, 0);

	if (good)
		snprintf(line, cap, "%s", (const char *)sqlite3_column_text(st, 0));
	sqlite3_finalize(st);
	return good;
#undef INFO
}

sqlite3 *db_open(const struct options *o, int *code)
{
	char state[800];
	struct case_state s;
	sqlite3 *db;

	if (!prepare(o, &s, code))
		return NULL;
	db = open_at(used_path, SQLITE_OPEN_READONLY);
	if (!db || sqlite3_exec(db, "PRAGMA cache_size = -65536; PRAGMA query_only = 1", NULL, NULL,
				NULL) != SQLITE_OK) {
		*code = complain(VERIFY_USAGE, "%s: %s", used_path,
				 db ? sqlite3_errmsg(db) : "cannot be opened");
		sqlite3_close(db);
		return NULL;
	}
	*code = case_exit(&s);
	if (*code == VERIFY_DAMAGED && db_state(db, state, sizeof(state)))
		complain(0, "%s: %s", o->case_path, state);
	return db;
}
