-- Files that were removed, replaced or cut, and what they were before.
SELECT time, seq, pid, comm, how, path, kind, mode, owner, grp, size, mtime, links
FROM destroyed_rows
WHERE 1
	AND listed(:pid, pid)
	AND path GLOB :path
	AND ts_ns >= :since
	AND ts_ns < :until
ORDER BY ts_ns, seq
LIMIT :limit
-- text
SELECT substr(time, 1, 10) AS day, substr(time, 12, 12) AS time, pid, comm, how, size(size) AS size,
	CASE WHEN kind NOT IN ('file', 'unknown') THEN kind || coalesce(' ' || mode, '') ELSE mode END AS mode,
	owner, replace(substr(mtime, 1, 19), 'T', ' ') AS modified, path
FROM rows;
