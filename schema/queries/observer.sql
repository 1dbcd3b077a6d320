-- What the recorder did to the processes it recorded.
SELECT pid, tid, what, count, total_ns, detail
FROM observer
WHERE 1
	AND listed(:pid, pid)
ORDER BY coalesce(pid, 0), coalesce(tid, 0), what
LIMIT :limit
-- text
SELECT pid, tid, what, count, dur(nullif(total_ns, 0)) AS total, detail FROM rows;
