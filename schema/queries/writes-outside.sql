-- Files written outside of the working directory of the process that wrote them.
-- Devices, pipes and sockets are left out.
SELECT p.pid, comm.text AS comm, d.path, cwd.text AS cwd, sum(d.writes) AS writes,
	sum(d.bytes_written) AS bytes_written
FROM fd_rows d
JOIN procs p ON p.id = d.proc_id
LEFT JOIN strings comm ON comm.id = p.comm
LEFT JOIN strings cwd ON cwd.id = p.cwd
WHERE d.bytes_written > 0 AND d.path GLOB '/*' AND d.path NOT GLOB '/dev/*'
	AND coalesce(d.kind, 'file') = 'file'
	AND NOT coalesce(cwd.text <> '/'
		AND substr(d.path, 1, length(cwd.text) + 1) = cwd.text || '/', 0)
	AND listed(:pid, p.pid)
	AND d.path GLOB :path
	AND coalesce(d.closed_ns, 9223372036854775807) >= :since
	AND coalesce(d.opened_ns, 0) < :until
GROUP BY p.id, d.path
ORDER BY bytes_written DESC, d.path
LIMIT :limit
-- text
SELECT pid, comm, writes, size(bytes_written) AS written, cwd, path FROM rows;
