-- Calls by process: how many, how many failed, bytes, and time spent.
SELECT p.pid, comm.text AS comm, c.abi, c.name AS syscall, n.count, n.failures, n.bytes,
	n.dur AS total_ns, n.max_dur AS max_ns
FROM call_counts n
JOIN procs p ON p.id = n.proc
JOIN calls c ON c.id = n.call
LEFT JOIN strings comm ON comm.id = p.comm
WHERE 1
	AND listed(:pid, p.pid)
	AND listed(:syscall, c.name)
	AND n.last >= :since
	AND n.first < :until
	AND n.failures > 0 -- :failed
ORDER BY n.count DESC, c.name
LIMIT :limit
-- text
SELECT pid, comm, syscall, count, failures AS failed, size(bytes) AS bytes, dur(total_ns) AS total,
	dur(max_ns) AS longest
FROM rows;
