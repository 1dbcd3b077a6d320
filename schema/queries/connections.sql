-- Connections and other sockets, with addresses, direction and bytes.
SELECT pid, comm, fd, family, type, local, remote, direction, iso(opened_ns) AS opened,
	iso(closed_ns) AS closed, bytes_read, bytes_written
FROM connection_rows
WHERE 1
	AND listed(:pid, pid)
	AND (local GLOB :path OR remote GLOB :path)
	AND coalesce(closed_ns, 9223372036854775807) >= :since
	AND coalesce(opened_ns, 0) < :until
ORDER BY pid, opened_ns, fd_id, peer_id
LIMIT :limit
-- text
SELECT pid, comm, fd, family || '/' || type AS type, direction AS dir,
	substr(opened, 12, 8) AS opened, substr(closed, 12, 8) AS closed,
	size(bytes_read) AS "read", size(bytes_written) AS written,
	coalesce(local, '') || coalesce(' > ' || remote, '') AS addresses
FROM rows;
