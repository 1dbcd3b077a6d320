-- Signals that were delivered, and group-stops.
SELECT iso(s.ts) AS time,
	p.pid, t.tid, comm.text AS comm, abs(s.signo) AS signal,
	signame(abs(s.signo)) AS name,
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
-- text
SELECT substr(time, 1, 10) AS day, substr(time, 12, 15) AS time,
	CASE WHEN tid = pid THEN CAST(pid AS TEXT) ELSE pid || '/' || tid END AS "pid/tid",
	comm, coalesce(name, signal) AS signal, what, code, sender_pid AS "by pid", sender_uid AS "by uid"
FROM rows;
