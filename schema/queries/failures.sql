-- Calls that failed, counted by process, call, error and path.
-- Every single one is in the timeline: --timeline --failed.
WITH most AS (
	SELECT * FROM failure_counts
	WHERE 1
		AND proc IN (SELECT id FROM procs WHERE listed(:pid, pid))
		AND path IN (SELECT id FROM strings WHERE text GLOB :path)
		AND call IN (SELECT id FROM calls WHERE listed(:syscall, name))
		AND last >= :since
		AND first < :until
		AND 1 -- :failed
	ORDER BY count DESC, first
	LIMIT :limit
)
SELECT p.pid, comm.text AS comm, c.name AS syscall, e.name AS errno, path.text AS path, f.count,
	iso(f.first) AS first_time,
	iso(f.last) AS last_time
FROM most f
CROSS JOIN procs p ON p.id = f.proc
CROSS JOIN calls c ON c.id = f.call
LEFT JOIN errnos e ON e.id = f.errno
LEFT JOIN strings comm ON comm.id = p.comm
LEFT JOIN strings path ON path.id = f.path
ORDER BY f.count DESC, f.first
-- text
SELECT count, errno, syscall, pid, comm, substr(first_time, 12, 12) AS first,
	substr(last_time, 12, 12) AS last, path
FROM rows;
