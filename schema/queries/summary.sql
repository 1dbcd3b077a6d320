-- The case in numbers.
SELECT key, value FROM case_info
WHERE key IN ('case_id', 'verdict', 'chain_head', 'exhibit', 'hostname', 'started', 'ended',
	 'end_reason', 'events', 'events_lost')
UNION ALL SELECT 'processes', count(*) FROM procs
UNION ALL SELECT 'threads', count(*) FROM tasks
UNION ALL SELECT 'files', count(*) FROM files
UNION ALL SELECT 'bytes_read', coalesce(sum(bytes_read), 0) FROM file_procs WHERE bytes_read > 0
UNION ALL SELECT 'bytes_written', coalesce(sum(bytes_written), 0) FROM file_procs
	WHERE bytes_written > 0
UNION ALL SELECT 'failures', coalesce(sum(failures), 0) FROM call_counts
UNION ALL SELECT 'connections', count(*) FROM fds LEFT JOIN peers ON peers.fd = fds.id
	WHERE is_socket
UNION ALL SELECT 'destroyed', count(*) FROM victims WHERE NOT (how = 3 AND size = 0)
UNION ALL SELECT 'executed', coalesce(sum(executed), 0) FROM files WHERE executed > 0
UNION ALL
SELECT 'audit_' || CASE WHEN verdict GLOB 'differs*' THEN 'differs' ELSE verdict END, count(*)
	FROM io_audit GROUP BY 1
