-- tables.sql - what an import fills. The views in views.sql are what others rely on; these
-- tables are fanalyze's own and may change with any schema version.
--
-- - `events` is narrow: integers only, text by number. It is kept in order of time, because
--   that is how it is read; there is no second copy of that order in an index.
-- - Everything that a canned query needs is counted while importing (analyzer/rows.c), so that
--   no query has to walk `events`.
-- - Columns that name a row of another table bear its name in the singular; those of text are
--   numbers of `strings`. The order of columns is that of the lists in analyzer/tables.h.
-- - Times are nanoseconds of CLOCK_REALTIME; NULL is "not known".

CREATE TABLE meta (             -- what the importer needs to go on, or to refuse
	key TEXT PRIMARY KEY,
	value
) WITHOUT ROWID;

CREATE TABLE info (
	id INTEGER PRIMARY KEY,
	key TEXT NOT NULL,
	value TEXT
);

CREATE TABLE strings (
	id INTEGER PRIMARY KEY,
	text TEXT NOT NULL,     -- always UTF-8: other bytes stand as \xNN, and then
	raw BLOB                -- raw has the bytes as they were
);

CREATE TABLE details (
	id INTEGER PRIMARY KEY,
	text TEXT NOT NULL
);

CREATE TABLE errnos (
	id INTEGER PRIMARY KEY,
	name TEXT NOT NULL
);

CREATE TABLE calls (
	id INTEGER PRIMARY KEY,
	abi TEXT,
	name TEXT NOT NULL
);

CREATE TABLE events (
	ts INTEGER NOT NULL,    -- entry
	seq INTEGER NOT NULL,
	dur INTEGER NOT NULL,
	thread INTEGER NOT NULL,
	call INTEGER NOT NULL,
	fd INTEGER,
	path INTEGER,
	path2 INTEGER,
	ret INTEGER,
	errno INTEGER,
	bytes INTEGER,
	detail INTEGER,
	PRIMARY KEY (ts, seq)
) WITHOUT ROWID;

CREATE TABLE spans (            -- what occurs when (analyzer/spans.h): for filters of the timeline
	id INTEGER PRIMARY KEY,
	first INTEGER NOT NULL,
	until INTEGER NOT NULL,
	events INTEGER NOT NULL,
	failures INTEGER NOT NULL,
	threads BLOB NOT NULL,  -- ids, 4 bytes each, lowest first
	calls BLOB NOT NULL,
	paths BLOB NOT NULL
);

CREATE TABLE marks (            -- rare events, to be found without a walk
	ts INTEGER NOT NULL,
	seq INTEGER NOT NULL,
	mark TEXT NOT NULL,
	PRIMARY KEY (mark, ts, seq)
) WITHOUT ROWID;

CREATE TABLE procs (
	id INTEGER PRIMARY KEY,
	pid INTEGER NOT NULL,
	start_ticks INTEGER NOT NULL,
	ppid INTEGER,
	uid INTEGER,
	comm INTEGER,
	exe INTEGER,
	cmdline INTEGER,
	cwd INTEGER,
	root INTEGER,
	user INTEGER,
	started INTEGER,
	ended INTEGER,
	gone INTEGER,           -- enum frz_gone
	exit_code INTEGER,
	exit_signal INTEGER,
	core INTEGER NOT NULL,  -- 1: the kernel dumped one
	first_touch INTEGER,    -- its first and last row in file_procs: between them are others' too
	last_touch INTEGER
);

CREATE TABLE tasks (            -- one per life of a thread
	id INTEGER PRIMARY KEY,
	tid INTEGER NOT NULL,
	proc INTEGER NOT NULL,
	life INTEGER NOT NULL,
	fdtable INTEGER,
	born INTEGER,           -- enum frz_born
	gone INTEGER,           -- enum frz_gone
	started INTEGER,
	ended INTEGER,
	io_state INTEGER NOT NULL,      -- enum io_state in analyzer/tables.h
	base_read INTEGER NOT NULL,
	base_written INTEGER NOT NULL,
	kernel_read INTEGER NOT NULL,
	kernel_written INTEGER NOT NULL,
	recorded_read INTEGER NOT NULL,
	recorded_written INTEGER NOT NULL,
	copied INTEGER NOT NULL         -- by copy_file_range, part of both
);

CREATE TABLE threads (          -- a task under one name
	id INTEGER PRIMARY KEY,
	task INTEGER NOT NULL,
	comm INTEGER NOT NULL,
	tid INTEGER NOT NULL,
	pid INTEGER NOT NULL,
	proc INTEGER NOT NULL
);

CREATE TABLE files (
	id INTEGER PRIMARY KEY,
	path INTEGER NOT NULL,
	dev INTEGER NOT NULL,   -- major << 32 | minor; -1 with ino -1: never resolved
	ino INTEGER NOT NULL,
	kind INTEGER,
	mode INTEGER,
	uid INTEGER,
	gid INTEGER,
	owner INTEGER,
	grp INTEGER,
	size INTEGER,
	mtime_s INTEGER,
	mtime_ns INTEGER,
	victim INTEGER NOT NULL,        -- 1: as it was before it was destroyed
	opens INTEGER NOT NULL,
	failures INTEGER NOT NULL,
	reads INTEGER NOT NULL,
	writes INTEGER NOT NULL,
	bytes_read INTEGER NOT NULL,
	bytes_written INTEGER NOT NULL,
	mapped INTEGER NOT NULL,
	created INTEGER NOT NULL,
	deleted INTEGER NOT NULL,
	renamed INTEGER NOT NULL,
	executed INTEGER NOT NULL,
	first INTEGER,
	last INTEGER,
	processes INTEGER NOT NULL,
	first_write INTEGER,    -- or put there: by a rename, as a link
	first_exec INTEGER,
	first_delete INTEGER,
	latest INTEGER NOT NULL         -- 1: what its path alone leads to
);

CREATE TABLE file_procs (       -- who had to do with what
	id INTEGER PRIMARY KEY,
	file INTEGER NOT NULL,
	proc INTEGER NOT NULL,
	reads INTEGER NOT NULL,
	writes INTEGER NOT NULL,
	bytes_read INTEGER NOT NULL,
	bytes_written INTEGER NOT NULL
);

CREATE TABLE fds (              -- one per time an fd was open
	id INTEGER PRIMARY KEY,
	instance INTEGER NOT NULL,
	fdtable INTEGER NOT NULL,
	fd INTEGER NOT NULL,
	proc INTEGER,
	file INTEGER,
	path INTEGER,
	kind INTEGER,
	how INTEGER NOT NULL,   -- enum frz_bind_how
	parent INTEGER,
	flags INTEGER,
	opened INTEGER,
	closed INTEGER,
	reads INTEGER NOT NULL,
	writes INTEGER NOT NULL,
	bytes_read INTEGER NOT NULL,
	bytes_written INTEGER NOT NULL,
	family INTEGER,
	type INTEGER,
	local INTEGER,
	remote INTEGER,
	direction INTEGER,
	is_socket INTEGER NOT NULL,
	pid INTEGER,            -- of proc
	peers INTEGER NOT NULL  -- its rows in peers
);

CREATE TABLE peers (            -- whom a socket spoke with, if with more than one
	id INTEGER PRIMARY KEY,
	fd INTEGER NOT NULL,
	remote INTEGER NOT NULL,        -- 0: not known
	bytes_read INTEGER NOT NULL,
	bytes_written INTEGER NOT NULL
);

CREATE TABLE call_counts (
	id INTEGER PRIMARY KEY,
	proc INTEGER NOT NULL,
	call INTEGER NOT NULL,
	count INTEGER NOT NULL,
	failures INTEGER NOT NULL,
	bytes INTEGER NOT NULL,
	dur INTEGER NOT NULL,
	max_dur INTEGER NOT NULL,
	first INTEGER,
	last INTEGER
);

CREATE TABLE failure_counts (
	id INTEGER PRIMARY KEY,
	proc INTEGER NOT NULL,
	call INTEGER NOT NULL,
	errno INTEGER NOT NULL,
	path INTEGER NOT NULL,  -- 0: none
	count INTEGER NOT NULL,
	first INTEGER,
	last INTEGER
);

CREATE TABLE victims (          -- what stood there before a call removed or cut it
	id INTEGER PRIMARY KEY,
	seq INTEGER NOT NULL,
	ts INTEGER NOT NULL,
	thread INTEGER NOT NULL,
	how INTEGER NOT NULL,
	file INTEGER NOT NULL,
	mode INTEGER,
	owner INTEGER,
	grp INTEGER,
	size INTEGER,
	mtime_s INTEGER,
	mtime_ns INTEGER,
	nlink INTEGER
);

CREATE TABLE contexts (         -- what /proc said of a process, and when
	id INTEGER PRIMARY KEY,
	proc INTEGER NOT NULL,
	ts INTEGER NOT NULL,
	reason INTEGER NOT NULL,        -- enum frz_context
	key INTEGER NOT NULL,           -- enum frz_ctx_key
	value INTEGER NOT NULL
);

CREATE TABLE signals (
	id INTEGER PRIMARY KEY,
	ts INTEGER NOT NULL,
	task INTEGER NOT NULL,
	signo INTEGER NOT NULL,         -- 0: a group-stop ended; below 0: one began by -signo
	code INTEGER,
	sender_pid INTEGER,
	sender_uid INTEGER
);

CREATE TABLE mappings (         -- at attach
	id INTEGER PRIMARY KEY,
	ts INTEGER NOT NULL,
	proc INTEGER NOT NULL,
	file INTEGER NOT NULL,
	address INTEGER NOT NULL,
	length INTEGER NOT NULL,
	prot INTEGER NOT NULL,
	flags INTEGER NOT NULL,
	offset INTEGER NOT NULL
);

CREATE TABLE hashes (
	id INTEGER PRIMARY KEY,
	file INTEGER NOT NULL,
	sha256 INTEGER NOT NULL,
	ts INTEGER NOT NULL
);

CREATE TABLE coverage_notes (
	id INTEGER PRIMARY KEY,
	pid INTEGER NOT NULL,   -- 0: the recording as a whole
	tid INTEGER NOT NULL,
	what INTEGER NOT NULL,
	detail INTEGER NOT NULL,        -- 0: none
	count INTEGER NOT NULL,
	first INTEGER
);

CREATE TABLE observer_notes (
	id INTEGER PRIMARY KEY,
	pid INTEGER NOT NULL,
	tid INTEGER NOT NULL,
	what INTEGER NOT NULL,
	detail INTEGER NOT NULL,
	count INTEGER NOT NULL,
	total_ns INTEGER NOT NULL
);
