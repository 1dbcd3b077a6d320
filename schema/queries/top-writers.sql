-- Who wrote most, by process and file: the first 100.
WITH most AS (
	SELECT d.proc, d.path, d.kind, sum(d.writes) AS writes, sum(d.bytes_written) AS bytes_written
	FROM fds d
	LEFT JOIN procs p ON p.id = d.proc
	WHERE d.bytes_written > 0
		AND listed(:pid, p.pid)
		AND d.path IN (SELECT id FROM strings WHERE text GLOB :path)
		AND coalesce(d.closed, 9223372036854775807) >= :since
		AND coalesce(d.opened, 0) < :until
	GROUP BY d.proc, d.file, d.path
	ORDER BY bytes_written DESC
	LIMIT coalesce(:limit, 100)
)
SELECT p.pid, comm.text AS comm, path.text AS path, kind.text AS kind, m.writes, m.bytes_written
FROM most m
LEFT JOIN procs p ON p.id = m.proc
LEFT JOIN strings comm ON comm.id = p.comm
LEFT JOIN strings path ON path.id = m.path
LEFT JOIN strings kind ON kind.id = m.kind
ORDER BY m.bytes_written DESC
-- text
SELECT pid, comm, kind, writes, size(bytes_written) AS bytes, path FROM rows;
