-- Patterns worth a second look. Each has innocent explanations too.
WITH places(kind, pattern) AS (
	VALUES
	('temporary', '/tmp/*'), ('temporary', '/var/tmp/*'), ('temporary', '/dev/*'),
	('temporary', '/run/user/*'), ('temporary', '/memfd:*'),
	('secret', '/etc/shadow'), ('secret', '/etc/gshadow'), ('secret', '/etc/sudoers'),
	('secret', '/etc/ssh/ssh_host_*_key'), ('secret', '*/.ssh/id_*'), ('secret', '*/.netrc'),
	('secret', '*/.gnupg/*'), ('secret', '*/.aws/credentials'), ('secret', '*/.kube/config'),
	('start', '/etc/cron*'), ('start', '/var/spool/cron/*'), ('start', '/etc/systemd/*'),
	('start', '*/systemd/*.service'), ('start', '/etc/init.d/*'), ('start', '/etc/rc.local'),
	('start', '/etc/ld.so.preload'), ('start', '/etc/profile'), ('start', '/etc/profile.d/*'),
	('start', '/etc/environment'), ('start', '*/.bashrc'), ('start', '*/.profile'),
	('start', '*/.ssh/authorized_keys'), ('start', '/etc/sudoers*'), ('start', '/etc/pam.d/*'),
	('start', '/etc/passwd'), ('start', '/etc/shadow'), ('start', '/etc/group'),
	('log', '/var/log/*'), ('log', '*.log'), ('log', '*/.*_history'), ('log', '*/utmp'),
	('log', '*/wtmp'), ('log', '*/btmp'), ('log', '*/lastlog')
)
SELECT alert, pid, comm, path, detail
FROM (
	SELECT 'executed from a temporary place, or hidden' AS alert, pid, comm, path, detail, ts_ns
	FROM mark_rows m
	WHERE mark = 'exec' AND errno IS NULL
		AND (path GLOB '*/.*' AND path NOT GLOB '*/.*/*'
		OR EXISTS (SELECT 1 FROM places p WHERE p.kind = 'temporary' AND m.path GLOB pattern))
	UNION ALL
	SELECT 'written here, then executed', NULL, NULL, path, NULL, first_exec
	FROM file_rows
	WHERE executed > 0 AND (created > 0 OR first_write IS NOT NULL)
	UNION ALL
	SELECT 'executed and deleted', NULL, NULL, path, NULL, first_delete
	FROM file_rows
	WHERE executed > 0 AND deleted > 0
	UNION ALL
	SELECT 'a secret was read', NULL, NULL, path, NULL, first_ns
	FROM file_rows f
	WHERE bytes_read > 0
		AND EXISTS (SELECT 1 FROM places p WHERE p.kind = 'secret' AND f.path GLOB pattern)
	UNION ALL
	SELECT 'a place that makes programs start was written', NULL, NULL, path, NULL, first_write
	FROM file_rows f
	WHERE first_write IS NOT NULL
		AND EXISTS (SELECT 1 FROM places p WHERE p.kind = 'start' AND f.path GLOB pattern)
	UNION ALL
	SELECT 'a log was destroyed', pid, comm, path, how || ', was ' || size || ' bytes', ts_ns
	FROM destroyed_rows d
	WHERE EXISTS (SELECT 1 FROM places p WHERE p.kind = 'log' AND d.path GLOB pattern)
	UNION ALL
	SELECT 'set-user-ID or set-group-ID given', pid, comm, path, detail, ts_ns
	FROM mark_rows
	WHERE mark = 'mode' AND errno IS NULL -- a name stands last and can hold any digits
		AND substr(detail, 1, instr(detail || ' name=', ' name=') - 1)
			GLOB '*0[2-7][0-7][0-7][0-7]*'
	UNION ALL
	SELECT 'standard input or output became a socket', pid, comm, coalesce(remote, path),
		'fd ' || fd, opened_ns
	FROM fd_rows
	WHERE is_socket AND fd <= 2 AND how = 5 AND family IN ('inet', 'inet6')
	UNION ALL
	SELECT 'the kernel was changed', pid, comm, path, syscall || coalesce(' ' || errno, ''), ts_ns
	FROM mark_rows
	WHERE mark = 'kernel'
	UNION ALL
	SELECT 'another process was reached into', pid, comm, NULL,
		syscall || ' ' || coalesce(detail, ''), ts_ns
	FROM mark_rows
	WHERE mark = 'ptrace' OR (mark = 'memory' AND syscall GLOB 'process_vm_*')
	UNION ALL
	SELECT 'anonymous file in memory', pid, comm, path, detail, ts_ns
	FROM mark_rows
	WHERE mark = 'memory' AND syscall = 'memfd_create'
	UNION ALL
	SELECT 'sign of anti-debugging', pid, comm, path, detail, ts_ns
	FROM mark_rows
	WHERE mark = 'sign'
	UNION ALL
	SELECT 'file times set by hand', pid, comm, path, detail, ts_ns
	FROM mark_rows
	WHERE mark = 'times' AND errno IS NULL
)
WHERE 1
	AND listed(:pid, pid)
	AND path GLOB :path
	AND ts_ns >= :since
	AND ts_ns < :until
ORDER BY ts_ns
LIMIT :limit
