-- Who wrote most, by process and file: the first 100.
WITH most AS (
	SELECT proc, file, bytes_written, writes
	FROM file_procs
	WHERE bytes_written > 0
		AND :since IS NULL -- in a time: what the fds moved that were open then
		AND :until IS NULL
		AND proc IN (SELECT id FROM procs WHERE listed(:pid, pid))
		AND file IN (SELECT id FROM files WHERE path IN (SELECT id FROM strings WHERE text GLOB :path))
	UNION ALL
	SELECT proc, file, sum(bytes_written) AS bytes_written, sum(writes) AS writes
	FROM fds
	WHERE bytes_written > 0
		AND (0
		OR :since IS NOT NULL
		OR :until IS NOT NULL
		)
		AND coalesce(closed, 9223372036854775807) >= :since
		AND coalesce(opened, 0) < :until
		AND proc IN (SELECT id FROM procs WHERE listed(:pid, pid))
		AND file IN (SELECT id FROM files WHERE path IN (SELECT id FROM strings WHERE text GLOB :path))
	GROUP BY proc, file
	ORDER BY bytes_written DESC
	LIMIT coalesce(:limit, 100)
)
SELECT p.pid, comm.text AS comm, path.text AS path, kind.text AS kind, m.writes, m.bytes_written
FROM most m
LEFT JOIN procs p ON p.id = m.proc
LEFT JOIN files f ON f.id = m.file
LEFT JOIN strings comm ON comm.id = p.comm
LEFT JOIN strings path ON path.id = f.path
LEFT JOIN strings kind ON kind.id = f.kind
ORDER BY m.bytes_written DESC
-- text
SELECT pid, comm, kind, writes, size(bytes_written) AS bytes, path FROM rows;
