-- Sockets that listen.
SELECT pid, comm, fd, family, type, local, opened, closed
FROM fd_rows
WHERE is_socket AND direction = 'listen'
	AND listed(:pid, pid)
ORDER BY pid, fd
LIMIT :limit
-- text
SELECT pid, comm, fd, family || '/' || type AS type, substr(opened, 12, 12) AS opened,
	substr(closed, 12, 12) AS closed, local
FROM rows;
