-- Who read most, by process and file: the first 100.
WITH most AS (
	SELECT d.proc, d.path, d.kind, sum(d.reads) AS reads, sum(d.bytes_read) AS bytes_read
	FROM fds d
	LEFT JOIN procs p ON p.id = d.proc
	WHERE d.bytes_read > 0
		AND listed(:pid, p.pid)
		AND d.path IN (SELECT id FROM strings WHERE text GLOB :path)
		AND coalesce(d.closed, 9223372036854775807) >= :since
		AND coalesce(d.opened, 0) < :until
	GROUP BY d.proc, d.file, d.path
	ORDER BY bytes_read DESC
	LIMIT coalesce(:limit, 100)
)
SELECT p.pid, comm.text AS comm, path.text AS path, kind.text AS kind, m.reads, m.bytes_read
FROM most m
LEFT JOIN procs p ON p.id = m.proc
LEFT JOIN strings comm ON comm.id = p.comm
LEFT JOIN strings path ON path.id = m.path
LEFT JOIN strings kind ON kind.id = m.kind
ORDER BY m.bytes_read DESC
-- text
SELECT pid, comm, kind, reads, size(bytes_read) AS bytes, path FROM rows;
