-- Files that were deleted while a process still had them open.
SELECT d.pid, d.comm, d.fd, d.path, d.opened,
	iso(f.first_delete) AS deleted,
	d.closed, d.bytes_read, d.bytes_written
FROM files f
CROSS JOIN fd_rows d ON d.file_id = f.id
WHERE f.deleted > 0 AND coalesce(d.opened_ns, 0) <= f.first_delete
	AND coalesce(d.closed_ns, 9223372036854775807) > f.first_delete
	AND listed(:pid, d.pid)
	AND d.path GLOB :path
ORDER BY f.first_delete, d.fd_id
LIMIT :limit
-- text
SELECT pid, comm, fd, path, substr(opened, 12, 12) AS opened, substr(deleted, 12, 12) AS deleted,
	substr(closed, 12, 12) AS closed, size(bytes_read) AS "read", size(bytes_written) AS written
FROM rows;
