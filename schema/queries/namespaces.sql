-- Namespaces that were entered or left.
SELECT seq, time, pid, tid, comm, syscall, fd, path, path2, ret, errno, detail
FROM mark_rows
WHERE mark = 'namespace'
	AND listed(:pid, pid)
	AND (path GLOB :path OR path2 GLOB :path)
	AND ts_ns >= :since
	AND ts_ns < :until
	AND errno IS NOT NULL -- :failed
ORDER BY ts_ns, seq
LIMIT :limit
-- text
SELECT substr(time, 1, 10) AS day, substr(time, 12, 15) AS time, pid, comm, syscall,
	coalesce(errno, CAST(ret AS TEXT), '?') AS result, what(path, path2, detail) AS what
FROM rows;
