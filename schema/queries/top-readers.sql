-- Who read most, by process and file.
SELECT pid, comm, path, kind, sum(reads) AS reads, sum(bytes_read) AS bytes_read
FROM fd_rows
WHERE bytes_read > 0
	AND listed(:pid, pid)
	AND path GLOB :path
	AND coalesce(closed_ns, 9223372036854775807) >= :since
	AND coalesce(opened_ns, 0) < :until
GROUP BY proc_id, file_id, path
ORDER BY bytes_read DESC
LIMIT :limit
-- text
SELECT pid, comm, kind, reads, size(bytes_read) AS bytes, path FROM rows;
