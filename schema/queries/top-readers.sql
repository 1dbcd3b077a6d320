-- Who read most, by process and file: the first 100.
WITH most AS (
	SELECT proc, file, path, sum(bytes_read) AS bytes_read
	FROM fds
	WHERE bytes_read > 0
		AND proc IN (SELECT id FROM procs WHERE listed(:pid, pid))
		AND path IN (SELECT id FROM strings WHERE text GLOB :path)
		AND coalesce(closed, 9223372036854775807) >= :since
		AND coalesce(opened, 0) < :until
	GROUP BY proc, file, path
	ORDER BY bytes_read DESC
	LIMIT coalesce(:limit, 100)
)
SELECT p.pid, comm.text AS comm, path.text AS path,
	(SELECT kind.text FROM fds d JOIN strings kind ON kind.id = d.kind
	 WHERE d.bytes_read > 0 AND d.proc IS m.proc AND d.file IS m.file AND d.path IS m.path) AS kind,
	(SELECT sum(reads) FROM fds d
	 WHERE d.bytes_read > 0 AND d.proc IS m.proc AND d.file IS m.file AND d.path IS m.path
		AND coalesce(closed, 9223372036854775807) >= :since
		AND coalesce(opened, 0) < :until
	) AS reads,
	m.bytes_read
FROM most m
LEFT JOIN procs p ON p.id = m.proc
LEFT JOIN strings comm ON comm.id = p.comm
LEFT JOIN strings path ON path.id = m.path
ORDER BY m.bytes_read DESC
-- text
SELECT pid, comm, kind, reads, size(bytes_read) AS bytes, path FROM rows;
