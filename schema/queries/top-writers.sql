-- Who wrote most, by process and file: the first 100.
WITH most AS (
	SELECT proc, file, path, sum(bytes_written) AS bytes_written
	FROM fds
	WHERE bytes_written > 0
		AND proc IN (SELECT id FROM procs WHERE listed(:pid, pid))
		AND path IN (SELECT id FROM strings WHERE text GLOB :path)
		AND coalesce(closed, 9223372036854775807) >= :since
		AND coalesce(opened, 0) < :until
	GROUP BY proc, file, path
	ORDER BY bytes_written DESC
	LIMIT coalesce(:limit, 100)
)
SELECT p.pid, comm.text AS comm, path.text AS path,
	(SELECT kind.text FROM fds d JOIN strings kind ON kind.id = d.kind
	 WHERE d.bytes_written > 0 AND d.proc IS m.proc AND d.file IS m.file AND d.path IS m.path) AS kind,
	(SELECT sum(writes) FROM fds d
	 WHERE d.bytes_written > 0 AND d.proc IS m.proc AND d.file IS m.file AND d.path IS m.path
		AND coalesce(closed, 9223372036854775807) >= :since
		AND coalesce(opened, 0) < :until
	) AS writes,
	m.bytes_written
FROM most m
LEFT JOIN procs p ON p.id = m.proc
LEFT JOIN strings comm ON comm.id = p.comm
LEFT JOIN strings path ON path.id = m.path
ORDER BY m.bytes_written DESC
-- text
SELECT pid, comm, kind, writes, size(bytes_written) AS bytes, path FROM rows;
