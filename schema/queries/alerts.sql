-- Patterns worth a second look. Each has innocent explanations too.
SELECT iso(ts_ns) AS time, alert, pid, comm, path, detail
FROM (
	SELECT 'executed from a temporary place, or hidden' AS alert, pid, comm, path, detail, ts_ns
	FROM mark_rows
	WHERE mark = 'exec' AND errno IS NULL
		AND (path GLOB '*/.*' AND path NOT GLOB '*/.*/*'
		OR (path GLOB '/tmp/*' OR path GLOB '/var/tmp/*' OR path GLOB '/dev/*' OR
			path GLOB '/run/user/*' OR path GLOB '/memfd:*'))
	UNION ALL
	SELECT 'put here, then executed', NULL, NULL, path, NULL, first_exec
	FROM file_rows
	WHERE executed > 0 AND (created > 0 OR first_write IS NOT NULL)
		AND file_id IN (SELECT file_id FROM file_pids WHERE listed(:pid, pid))
	UNION ALL
	SELECT 'executed and deleted', NULL, NULL, path, NULL, first_delete
	FROM file_rows
	WHERE executed > 0 AND deleted > 0
		AND file_id IN (SELECT file_id FROM file_pids WHERE listed(:pid, pid))
	UNION ALL
	SELECT 'a secret was read', p.pid, comm.text, s.text, sum(d.bytes_read) || ' bytes', f.first
	FROM strings s CROSS JOIN files f ON f.path = s.id AND f.bytes_read > 0
	CROSS JOIN fds d ON d.file = f.id AND d.bytes_read > 0
	CROSS JOIN procs p ON p.id = d.proc
	LEFT JOIN strings comm ON comm.id = p.comm
	WHERE (s.text GLOB '/etc/*' OR instr(s.text, '/.')) -- the index strings_watched
		AND (s.text GLOB '/etc/shadow' OR s.text GLOB '/etc/gshadow' OR
			s.text GLOB '/etc/sudoers' OR s.text GLOB '/etc/ssh/ssh_host_*_key' OR
			s.text GLOB '*/.ssh/id_*' OR s.text GLOB '*/.netrc' OR
			s.text GLOB '*/.gnupg/*' OR s.text GLOB '*/.aws/credentials' OR
			s.text GLOB '*/.kube/config')
	GROUP BY f.id, p.id
	UNION ALL
	SELECT 'a place that makes programs start was written', NULL, NULL, path, NULL, first_write
	FROM file_rows
	WHERE first_write IS NOT NULL
		AND file_id IN (SELECT file_id FROM file_pids WHERE listed(:pid, pid))
		AND (path GLOB '/etc/cron*' OR path GLOB '/var/spool/cron/*' OR
			path GLOB '/etc/systemd/*' OR path GLOB '*/systemd/*.service' OR
			path GLOB '/etc/init.d/*' OR path GLOB '/etc/rc.local' OR
			path GLOB '/etc/ld.so.preload' OR path GLOB '/etc/profile' OR
			path GLOB '/etc/profile.d/*' OR path GLOB '/etc/environment' OR
			path GLOB '*/.bashrc' OR path GLOB '*/.profile' OR
			path GLOB '*/.ssh/authorized_keys' OR path GLOB '/etc/sudoers*' OR
			path GLOB '/etc/pam.d/*' OR path GLOB '/etc/passwd' OR
			path GLOB '/etc/shadow' OR path GLOB '/etc/group')
	UNION ALL
	SELECT 'a log was destroyed', pid, comm, path, how || ', was ' || size || ' bytes', ts_ns
	FROM destroyed_rows
	WHERE (path GLOB '/var/log/*' OR path GLOB '*.log' OR path GLOB '*/.*_history' OR
			path GLOB '*/utmp' OR path GLOB '*/wtmp' OR path GLOB '*/btmp' OR
			path GLOB '*/lastlog')
	UNION ALL
	SELECT 'set-user-ID or set-group-ID given', pid, comm, path, detail, ts_ns
	FROM mark_rows
	WHERE mark = 'mode' AND errno IS NULL -- a name stands last and can hold any digits
		AND substr(detail, 1, instr(detail || ' name=', ' name=') - 1)
			GLOB '*0[2-7][0-7][0-7][0-7]*'
	UNION ALL
	SELECT 'capabilities given to a file', pid, comm, path, detail, ts_ns
	FROM mark_rows
	WHERE mark = 'xattr' AND errno IS NULL AND syscall NOT GLOB '*remove*'
		AND detail GLOB '*security.capability*'
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
	AND (pid IS NULL OR listed(:pid, pid)) -- those of no process were chosen above
	AND path GLOB :path
	AND ts_ns >= :since
	AND ts_ns < :until
ORDER BY ts_ns
LIMIT :limit
-- text
SELECT substr(time, 1, 10) AS day, substr(time, 12, 8) AS time, alert, pid, comm, path, detail
FROM rows;
