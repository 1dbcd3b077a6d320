-- Signals that were delivered, and group-stops.
SELECT iso(s.ts) AS time,
	p.pid, t.tid, comm.text AS comm, abs(s.signo) AS signal,
	CASE WHEN s.signo = 0 THEN 'continued' WHEN s.signo < 0 THEN 'stopped' ELSE 'delivered'
		END AS what,
	s.code, s.sender_pid, s.sender_uid
FROM signals s
JOIN tasks t ON t.id = s.task
JOIN procs p ON p.id = t.proc
LEFT JOIN strings comm ON comm.id = p.comm
WHERE 1
	AND listed(:pid, p.pid)
	AND s.ts >= :since
	AND s.ts < :until
ORDER BY s.ts, s.id
LIMIT :limit
