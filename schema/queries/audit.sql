-- Bytes that the kernel counted for each thread, against those recorded.
SELECT pid, tid, kernel_read, kernel_written, recorded_read, recorded_written, verdict
FROM io_audit
WHERE 1
	AND listed(:pid, pid)
	AND verdict NOT GLOB 'balanced*' -- :failed
ORDER BY pid, tid
LIMIT :limit
-- text
SELECT * FROM rows;
