-- Files written outside of the working directory of the process that wrote them.
-- Devices, pipes and sockets are left out.
WITH wrote AS (
	SELECT proc, file, writes, bytes_written
	FROM file_procs
	WHERE bytes_written > 0
		AND :since IS NULL -- in a time: what the fds moved that were open then
		AND :until IS NULL
	UNION ALL
	SELECT proc, file, writes, bytes_written
	FROM fds
	WHERE bytes_written > 0
		AND (0
		OR :since IS NOT NULL
		OR :until IS NOT NULL
		)
		AND coalesce(closed, 9223372036854775807) >= :since
		AND coalesce(opened, 0) < :until
)
SELECT p.pid, comm.text AS comm, path.text AS path, cwd.text AS cwd, sum(w.writes) AS writes,
	sum(w.bytes_written) AS bytes_written
FROM wrote w
CROSS JOIN procs p ON p.id = w.proc
CROSS JOIN files f ON f.id = w.file
CROSS JOIN strings path ON path.id = f.path
LEFT JOIN strings kind ON kind.id = f.kind
LEFT JOIN strings comm ON comm.id = p.comm
LEFT JOIN strings cwd ON cwd.id = p.cwd
WHERE path.text GLOB '/*' AND path.text NOT GLOB '/dev/*'
	AND coalesce(kind.text, 'file') = 'file'
	AND NOT coalesce(cwd.text <> '/'
		AND substr(path.text, 1, length(cwd.text) + 1) = cwd.text || '/', 0)
	AND listed(:pid, p.pid)
	AND path.text GLOB :path
GROUP BY p.id, f.path
ORDER BY sum(w.bytes_written) DESC, path.text
LIMIT :limit
-- text
SELECT pid, comm, writes, size(bytes_written) AS written, cwd, path FROM rows;
