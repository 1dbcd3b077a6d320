-- What the recorder knows that it did not or could not see.
SELECT pid, tid, what, count, first_time, detail
FROM coverage
WHERE 1
	AND listed(:pid, pid)
ORDER BY coalesce(pid, 0), coalesce(tid, 0), first_time
LIMIT :limit
-- text
SELECT pid, tid, what, count, substr(first_time, 12, 12) AS first, detail FROM rows;
