-- Who wrote most, by process and file.
SELECT pid, comm, path, kind, sum(writes) AS writes, sum(bytes_written) AS bytes_written
FROM fd_rows
WHERE bytes_written > 0
	AND listed(:pid, pid)
	AND path GLOB :path
	AND coalesce(closed_ns, 9223372036854775807) >= :since
	AND coalesce(opened_ns, 0) < :until
GROUP BY proc_id, file_id, path
ORDER BY bytes_written DESC
LIMIT :limit
-- text
SELECT pid, comm, kind, writes, size(bytes_written) AS bytes, path FROM rows;
