-- Calls that failed, counted by process, call, error and path.
-- Every single one is in the timeline: --timeline --failed.
SELECT p.pid, comm.text AS comm, c.name AS syscall, e.name AS errno, path.text AS path, f.count,
	iso(f.first) AS first_time,
	iso(f.last) AS last_time
FROM failure_counts f
JOIN procs p ON p.id = f.proc
JOIN calls c ON c.id = f.call
LEFT JOIN errnos e ON e.id = f.errno
LEFT JOIN strings comm ON comm.id = p.comm
LEFT JOIN strings path ON path.id = f.path
WHERE 1
	AND listed(:pid, p.pid)
	AND path.text GLOB :path
	AND listed(:syscall, c.name)
	AND f.last >= :since
	AND f.first < :until
	AND 1 -- :failed
ORDER BY f.count DESC, f.first
LIMIT :limit
-- text
SELECT count, errno, syscall, pid, comm, substr(first_time, 12, 12) AS first,
	substr(last_time, 12, 12) AS last, path
FROM rows;
