-- views.sql - what people and other programs rely on. Names and columns are stable from
-- version 1 (docs/fanalyze.1); `timeline_rows` and `iso` times are for our own queries.

-- CROSS JOIN holds SQLite to the order of events, so that rows come in order of time.
CREATE VIEW timeline_rows AS
SELECT e.seq,
	strftime('%Y-%m-%dT%H:%M:%S', e.ts / 1000000000, 'unixepoch')
		|| printf('.%09dZ', e.ts % 1000000000) AS time,
	e.ts AS ts_ns, e.dur AS dur_ns, t.pid, t.tid, comm.text AS comm, c.abi, c.name AS syscall,
	e.fd, path.text AS path, path2.text AS path2, e.ret, errnos.name AS errno, e.bytes,
	details.text AS detail,
	e.thread AS thread_id, e.call AS call_id, e.path AS path_id, e.path2 AS path2_id,
	e.errno AS errno_id, t.proc AS proc_id
FROM events e
CROSS JOIN threads t ON t.id = e.thread
CROSS JOIN calls c ON c.id = e.call
LEFT JOIN strings comm ON comm.id = t.comm
LEFT JOIN strings path ON path.id = e.path
LEFT JOIN strings path2 ON path2.id = e.path2
LEFT JOIN errnos ON errnos.id = e.errno
LEFT JOIN details ON details.id = e.detail;

CREATE VIEW timeline AS
SELECT seq, time, ts_ns, dur_ns, pid, tid, comm, abi, syscall, fd, path, path2, ret, errno,
	bytes, detail
FROM timeline_rows;

CREATE VIEW file_rows AS
SELECT path.text AS path, kind.text AS kind,
	CASE WHEN f.dev >= 0 THEN (f.dev >> 32) || ':' || (f.dev & 4294967295) END AS dev,
	CASE WHEN f.dev >= 0 THEN f.ino END AS ino,
	CASE WHEN f.mode IS NOT NULL THEN printf('%04o', f.mode & 4095) END AS mode,
	coalesce(owner.text, CAST(f.uid AS TEXT)) AS owner,
	coalesce(grp.text, CAST(f.gid AS TEXT)) AS grp,
	f.size,
	strftime('%Y-%m-%dT%H:%M:%S', f.mtime_s, 'unixepoch')
		|| printf('.%09dZ', f.mtime_ns) AS mtime,
	f.opens, f.failures, f.reads, f.writes, f.bytes_read, f.bytes_written, f.mapped, f.created,
	f.deleted, f.renamed, f.executed,
	strftime('%Y-%m-%dT%H:%M:%S', f.first / 1000000000, 'unixepoch')
		|| printf('.%09dZ', f.first % 1000000000) AS first_time,
	strftime('%Y-%m-%dT%H:%M:%S', f.last / 1000000000, 'unixepoch')
		|| printf('.%09dZ', f.last % 1000000000) AS last_time,
	f.processes,
	f.id AS file_id, f.first AS first_ns, f.last AS last_ns, f.mode AS mode_bits,
	f.victim, f.first_write, f.first_exec, f.first_delete, f.path AS path_id
FROM files f
LEFT JOIN strings path ON path.id = f.path
LEFT JOIN strings kind ON kind.id = f.kind
LEFT JOIN strings owner ON owner.id = f.owner
LEFT JOIN strings grp ON grp.id = f.grp;

CREATE VIEW files_touched AS
SELECT path, kind, dev, ino, mode, owner, grp, size,
	mtime, opens, failures, reads, writes, bytes_read, bytes_written, mapped, created, deleted,
	renamed, executed, first_time, last_time, processes
FROM file_rows;

CREATE VIEW fd_rows AS
SELECT d.pid, comm.text AS comm, d.fd, path.text AS path, kind.text AS kind,
	strftime('%Y-%m-%dT%H:%M:%S', d.opened / 1000000000, 'unixepoch')
		|| printf('.%09dZ', d.opened % 1000000000) AS opened,
	strftime('%Y-%m-%dT%H:%M:%S', d.closed / 1000000000, 'unixepoch')
		|| printf('.%09dZ', d.closed % 1000000000) AS closed,
	d.reads, d.writes, d.bytes_read, d.bytes_written,
	family.text AS family, type.text AS type, local.text AS local, remote.text AS remote,
	direction.text AS direction, d.is_socket,
	d.id AS fd_id, d.file AS file_id, d.opened AS opened_ns, d.closed AS closed_ns, d.how,
	d.flags, d.proc AS proc_id, d.path AS path_id
FROM fds d
LEFT JOIN procs p ON p.id = d.proc
LEFT JOIN strings comm ON comm.id = p.comm
LEFT JOIN strings path ON path.id = d.path
LEFT JOIN strings kind ON kind.id = d.kind
LEFT JOIN strings family ON family.id = d.family
LEFT JOIN strings type ON type.id = d.type
LEFT JOIN strings local ON local.id = d.local
LEFT JOIN strings remote ON remote.id = d.remote
LEFT JOIN strings direction ON direction.id = d.direction;

CREATE VIEW fd_bytes AS
SELECT pid, comm, fd, path, kind, opened,
	closed, reads, writes, bytes_read,
	bytes_written
FROM fd_rows;

CREATE VIEW connection_rows AS
SELECT d.pid, d.comm, d.fd, d.family, d.type, d.local, 
	CASE WHEN p.id IS NULL THEN d.remote ELSE peer.text END AS remote,
	d.direction, d.opened, d.closed, coalesce(p.bytes_read, d.bytes_read) AS bytes_read,
	coalesce(p.bytes_written, d.bytes_written) AS bytes_written,
	d.fd_id, p.id AS peer_id, d.opened_ns, d.closed_ns
FROM fd_rows d
LEFT JOIN peers p ON p.fd = d.fd_id
LEFT JOIN strings peer ON peer.id = p.remote
WHERE d.is_socket;

CREATE VIEW connections AS
SELECT pid, comm, fd, family, type, local, remote, direction, opened, closed, bytes_read,
	bytes_written
FROM connection_rows;

CREATE VIEW process_rows AS
SELECT p.pid, p.ppid, comm.text AS comm, exe.text AS exe, cmdline.text AS cmdline,
	cwd.text AS cwd, user.text AS user, p.uid,
	strftime('%Y-%m-%dT%H:%M:%S', p.started / 1000000000, 'unixepoch')
		|| printf('.%09dZ', p.started % 1000000000) AS started,
	strftime('%Y-%m-%dT%H:%M:%S', p.ended / 1000000000, 'unixepoch')
		|| printf('.%09dZ', p.ended % 1000000000) AS ended,
	p.exit_code, p.exit_signal,
	p.id AS proc_id, p.started AS started_ns, p.ended AS ended_ns, p.gone
FROM procs p
LEFT JOIN strings comm ON comm.id = p.comm
LEFT JOIN strings exe ON exe.id = p.exe
LEFT JOIN strings cmdline ON cmdline.id = p.cmdline
LEFT JOIN strings cwd ON cwd.id = p.cwd
LEFT JOIN strings user ON user.id = p.user;

CREATE VIEW processes AS
SELECT pid, ppid, comm, exe, cmdline, cwd, user, uid, started, ended, exit_code, exit_signal
FROM process_rows;

-- io_state: 0 no reading to start from, 1 no last reading, 2 whole, 3 the calls were not recorded
CREATE VIEW io_audit AS
SELECT p.pid, t.tid,
	CASE WHEN t.io_state = 2 THEN t.kernel_read END AS kernel_read,
	CASE WHEN t.io_state = 2 THEN t.kernel_written END AS kernel_written,
	t.recorded_read, t.recorded_written,
	CASE
	WHEN t.io_state = 3 THEN 'not comparable'
	WHEN t.io_state <> 2 THEN 'unknown'
	WHEN t.kernel_read = t.recorded_read AND t.kernel_written = t.recorded_written
		THEN 'balanced'
	-- overlayfs hands a copy on to the file system below it, and the kernel counts both
	WHEN t.copied > 0 AND t.kernel_read - t.recorded_read = t.copied
		AND t.kernel_written - t.recorded_written = t.copied
		THEN printf('balanced with %d bytes of copy_file_range counted twice', t.copied)
	WHEN t.kernel_written = t.recorded_written THEN
		printf('differs by %d read', t.recorded_read - t.kernel_read)
	WHEN t.kernel_read = t.recorded_read THEN
		printf('differs by %d written', t.recorded_written - t.kernel_written)
			-- the kernel writes it in the thread's name, and no call does
			|| CASE WHEN p.core AND t.kernel_written > t.recorded_written
				THEN ', and a core was dumped' ELSE '' END
	ELSE printf('differs by %d read, %d written', t.recorded_read - t.kernel_read,
		t.recorded_written - t.kernel_written)
	END AS verdict
FROM tasks t JOIN procs p ON p.id = t.proc;

CREATE VIEW coverage AS
SELECT pid, tid, what, count,
	strftime('%Y-%m-%dT%H:%M:%S', first / 1000000000, 'unixepoch')
		|| printf('.%09dZ', first % 1000000000) AS first_time,
	detail
FROM (
	SELECT nullif(n.pid, 0) AS pid, nullif(n.tid, 0) AS tid, what.text AS what, n.count,
		n.first, detail.text AS detail
	FROM coverage_notes n
	JOIN strings what ON what.id = n.what
	LEFT JOIN strings detail ON detail.id = n.detail
	UNION ALL
	SELECT p.pid, t.tid, 'attached', 1, t.started, 'what it did before was not seen'
	FROM tasks t JOIN procs p ON p.id = t.proc WHERE t.born = 1
	UNION ALL
	SELECT p.pid, t.tid, 'detached', 1, t.ended, 'what it did afterwards was not seen'
	FROM tasks t JOIN procs p ON p.id = t.proc WHERE t.gone = 3
	UNION ALL
	SELECT NULL, NULL, 'calls left out', 1, NULL, 'recorded: -e ' || value
	FROM info WHERE key = 'records' AND (value GLOB '*!*'
		OR NOT (value IN ('default', 'all') OR value GLOB 'default,*' OR value GLOB 'all,*'))
);

CREATE VIEW observer AS
SELECT nullif(n.pid, 0) AS pid, nullif(n.tid, 0) AS tid, what.text AS what, n.count, n.total_ns,
	detail.text AS detail
FROM observer_notes n
JOIN strings what ON what.id = n.what
LEFT JOIN strings detail ON detail.id = n.detail;

CREATE VIEW case_info AS SELECT key, value FROM info ORDER BY id;

-- Rare events by what they are (marks), with what the timeline says of them.
CREATE VIEW mark_rows AS
SELECT m.mark, m.seq,
	strftime('%Y-%m-%dT%H:%M:%S', m.ts / 1000000000, 'unixepoch')
		|| printf('.%09dZ', m.ts % 1000000000) AS time,
	m.ts AS ts_ns, t.pid, t.tid, comm.text AS comm, c.name AS syscall, e.fd, path.text AS path,
	path2.text AS path2, e.ret, errnos.name AS errno, details.text AS detail
FROM marks m
CROSS JOIN events e ON e.ts = m.ts AND e.seq = m.seq
CROSS JOIN threads t ON t.id = e.thread
CROSS JOIN calls c ON c.id = e.call
LEFT JOIN strings comm ON comm.id = t.comm
LEFT JOIN strings path ON path.id = e.path
LEFT JOIN strings path2 ON path2.id = e.path2
LEFT JOIN errnos ON errnos.id = e.errno
LEFT JOIN details ON details.id = e.detail;

CREATE VIEW destroyed_rows AS
SELECT v.seq, v.ts AS ts_ns,
	strftime('%Y-%m-%dT%H:%M:%S', v.ts / 1000000000, 'unixepoch')
		|| printf('.%09dZ', v.ts % 1000000000) AS time,
	t.pid, comm.text AS comm,
	CASE v.how WHEN 1 THEN 'removed' WHEN 2 THEN 'replaced' ELSE 'truncated' END AS how,
	path.text AS path, kind.text AS kind,
	CASE WHEN v.mode IS NOT NULL THEN printf('%04o', v.mode & 4095) END AS mode,
	owner.text AS owner, grp.text AS grp, v.size,
	strftime('%Y-%m-%dT%H:%M:%S', v.mtime_s, 'unixepoch')
		|| printf('.%09dZ', v.mtime_ns) AS mtime,
	v.nlink AS links
FROM victims v
JOIN threads t ON t.id = v.thread
JOIN files f ON f.id = v.file
LEFT JOIN strings comm ON comm.id = t.comm
LEFT JOIN strings path ON path.id = f.path
LEFT JOIN strings kind ON kind.id = f.kind
LEFT JOIN strings owner ON owner.id = v.owner
LEFT JOIN strings grp ON grp.id = v.grp
WHERE NOT (v.how = 3 AND v.size = 0);

-- Which processes had to do with a file. The + keeps SQLite from making an index for one query.
CREATE VIEW file_pids AS
SELECT f.file AS file_id, p.pid
FROM procs p
CROSS JOIN file_procs f ON f.id BETWEEN p.first_touch AND p.last_touch AND +f.proc = p.id;
