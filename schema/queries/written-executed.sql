-- Files that were written, created, or put there by a rename or link, and executed.
SELECT path, kind, dev, ino, mode, owner, grp, size, mtime, bytes_read, bytes_written, created,
	deleted, renamed, executed, first_time, last_time, processes
FROM file_rows
WHERE executed > 0 AND (created > 0 OR first_write IS NOT NULL)
	AND file_id IN (SELECT file_id FROM file_pids WHERE listed(:pid, pid))
	AND path GLOB :path
	AND last_ns >= :since
	AND first_ns < :until
ORDER BY first_exec, path
LIMIT :limit
-- text
SELECT CASE WHEN kind NOT IN ('file', 'unknown') THEN kind || coalesce(' ' || mode, '') ELSE mode END AS mode,
	CASE WHEN owner = grp THEN owner ELSE owner || coalesce(':' || grp, '') END AS owner,
	size(size) AS size, size(bytes_read) AS "read", size(bytes_written) AS written,
	substr(first_time, 12, 8) AS first,
	what(path, NULL, also(created, 'created', deleted, 'deleted', renamed, 'renamed', executed,
		'executed')) AS path
FROM rows;
