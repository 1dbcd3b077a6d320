-- Files touched: what was done to each, with its owner, mode and size.
-- --pid, --since and --until choose the files; the counts are those of the whole recording.
SELECT path, kind, dev, ino, mode, owner, grp, size, mtime, opens, failures, reads, writes,
	bytes_read, bytes_written, mapped, created, deleted, renamed, executed, first_time, last_time,
	processes
FROM file_rows
WHERE 1
	AND file_id IN (SELECT fp.file FROM file_procs fp JOIN procs p ON p.id = fp.proc WHERE instr(',' || :pid || ',', ',' || p.pid || ','))
	AND path GLOB :path
	AND last_ns >= :since
	AND first_ns < :until
	AND failures > 0 -- :failed
ORDER BY first_ns, file_id
LIMIT :limit
-- text
SELECT path, kind, mode, coalesce(owner || ':' || grp, owner) AS owner, size(size) AS size,
	opens, size(bytes_read) AS "read", size(bytes_written) AS written,
	also(created, 'created', deleted, 'deleted', renamed, 'renamed', executed, 'executed', mapped, 'mapped', failures, 'failed') AS also
FROM rows;
