-- Every recorded call, in order of time.
SELECT seq, time, ts_ns, dur_ns, pid, tid, comm, abi, syscall, fd, path, path2, ret, errno,
	bytes, detail
FROM timeline_rows
WHERE 1
	AND thread_id IN (SELECT id FROM threads WHERE instr(',' || :pid || ',', ',' || pid || ','))
	AND (path_id IN (SELECT id FROM strings WHERE text GLOB :path) OR path2_id IN (SELECT id FROM strings WHERE text GLOB :path))
	AND call_id IN (SELECT id FROM calls WHERE instr(',' || :syscall || ',', ',' || name || ','))
	AND ts_ns >= :since
	AND ts_ns < :until
	AND errno_id IS NOT NULL -- :failed
ORDER BY ts_ns, seq
LIMIT :limit
-- text
SELECT substr(time, 1, 10) AS day, substr(time, 12, 15) AS time,
	CASE WHEN tid = pid THEN CAST(pid AS TEXT) ELSE pid || '/' || tid END AS "pid/tid",
	comm, syscall, fd, coalesce(errno, CAST(ret AS TEXT), '?') AS result,
	what(path, path2, detail) AS what
FROM rows;
