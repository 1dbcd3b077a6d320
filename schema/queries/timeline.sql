-- Every recorded call, in order of time.
-- A span is some thousand events' worth of time: one without what is asked for is passed over.
WITH path_ids AS (SELECT id FROM strings WHERE text GLOB :path)
SELECT seq, iso(ts_ns) AS time, ts_ns, dur_ns, pid, tid, comm, abi, syscall, fd, path, path2, ret,
	errno, bytes, detail
FROM spans CROSS JOIN timeline_rows
WHERE ts_ns >= first AND ts_ns < until
	AND spans_meet(threads, (SELECT spans_set(id) FROM threads WHERE listed(:pid, pid)))
	AND spans_meet(paths, (SELECT spans_set(id) FROM path_ids)) -- :path
	AND spans_meet(calls, (SELECT spans_set(id) FROM calls WHERE listed(:syscall, name)))
	AND until > :since
	AND first < :until
	AND failures > 0 -- :failed
	AND thread_id IN (SELECT id FROM threads WHERE listed(:pid, pid))
	AND (path_id IN path_ids OR path2_id IN path_ids) -- :path
	AND call_id IN (SELECT id FROM calls WHERE listed(:syscall, name))
	AND ts_ns >= :since
	AND ts_ns < :until
	AND errno_id < 512 -- :failed
ORDER BY spans.id, ts_ns, seq
LIMIT :limit
-- text
SELECT substr(time, 1, 10) AS day, substr(time, 12, 15) AS time,
	CASE WHEN tid = pid THEN CAST(pid AS TEXT) ELSE pid || '/' || tid END AS "pid/tid",
	comm, syscall, fd,
	CASE WHEN abs(ret) > 1 << 40 THEN printf('0x%x', ret)
	     ELSE coalesce(errno, CAST(ret AS TEXT), '?') END AS result,
	what(path, path2, detail, syscall) AS what
FROM rows;
