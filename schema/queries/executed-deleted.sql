-- Files that were executed and deleted.
SELECT path, kind, dev, ino, mode, owner, size, mtime, bytes_read, bytes_written, created, deleted,
	renamed, executed, first_time, last_time, processes
FROM file_rows
WHERE executed > 0 AND deleted > 0
	AND file_id IN (SELECT fp.file FROM file_procs fp JOIN procs p ON p.id = fp.proc WHERE instr(',' || :pid || ',', ',' || p.pid || ','))
	AND path GLOB :path
	AND last_ns >= :since
	AND first_ns < :until
ORDER BY first_exec, path
LIMIT :limit
-- text
SELECT path, mode, owner, size(size) AS size, size(bytes_read) AS "read",
	size(bytes_written) AS written, substr(first_time, 12, 12) AS first,
	substr(last_time, 12, 12) AS last,
	also(created, 'created', deleted, 'deleted', renamed, 'renamed', executed, 'executed') AS also
FROM rows;
