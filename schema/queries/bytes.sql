-- Bytes through each fd, one row for each time it was open.
SELECT pid, comm, fd, path, kind, iso(opened_ns) AS opened, iso(closed_ns) AS closed,
	reads, writes, bytes_read, bytes_written
FROM fd_rows
WHERE 1
	AND pid IN (SELECT pid FROM procs WHERE listed(:pid, pid))
	AND path_id IN (SELECT id FROM strings WHERE text GLOB :path)
	AND coalesce(closed_ns, 9223372036854775807) >= :since
	AND coalesce(opened_ns, 0) < :until
ORDER BY pid, opened_ns, fd_id
LIMIT :limit
-- text
SELECT pid, comm, fd, substr(opened, 12, 8) AS opened, substr(closed, 12, 8) AS closed, reads,
	writes, size(bytes_read) AS "read", size(bytes_written) AS written, path
FROM rows;
