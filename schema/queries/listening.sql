-- Sockets that listen.
SELECT pid, comm, fd, family, type, local, opened, closed
FROM fd_rows
WHERE is_socket AND direction = 'listen'
	AND listed(:pid, pid)
ORDER BY pid, fd
LIMIT :limit
