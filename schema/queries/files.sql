-- Files touched: what was done to each, with its owner, mode and size.
-- --pid, --since and --until choose the files; the counts are those of the whole recording.
SELECT path, kind, dev, ino, mode, owner, grp, size, mtime, opens, failures, reads, writes,
	bytes_read, bytes_written, mapped, created, deleted, renamed, executed,
	iso(first_ns) AS first_time, iso(last_ns) AS last_time, processes
FROM file_rows
WHERE 1
	AND file_id IN (SELECT file_id FROM file_pids WHERE listed(:pid, pid))
	AND path_id IN (SELECT id FROM strings WHERE text GLOB :path)
	AND last_ns >= :since
	AND first_ns < :until
	AND failures > 0 -- :failed
ORDER BY opens + reads + writes + mapped + created + deleted + renamed + executed = 0,
	first_ns, file_id
LIMIT :limit
-- text
SELECT CASE WHEN kind NOT IN ('file', 'unknown') THEN kind || coalesce(' ' || mode, '') ELSE mode END AS mode,
	CASE WHEN owner = grp THEN owner ELSE owner || coalesce(':' || grp, '') END AS owner,
	size(size) AS size, opens, size(bytes_read) AS "read", size(bytes_written) AS written,
	what(path, NULL, also(created, 'created', deleted, 'deleted', renamed, 'renamed', executed,
		'executed', mapped, 'mapped', failures, 'failed')) AS path
FROM rows;
