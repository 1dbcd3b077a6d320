-- What /proc said of each process, and when.
SELECT p.pid, comm.text AS comm,
	iso(c.ts) AS time,
	CASE c.reason WHEN 1 THEN 'attach' WHEN 2 THEN 'fork' WHEN 3 THEN 'exec' WHEN 4 THEN 'launch'
		ELSE c.reason END AS reason,
	CASE c.key WHEN 1 THEN 'cmdline' WHEN 2 THEN 'cwd' WHEN 3 THEN 'root' WHEN 4 THEN 'exe'
		WHEN 5 THEN 'uids' WHEN 6 THEN 'gids' WHEN 7 THEN 'groups' WHEN 8 THEN 'capabilities'
		WHEN 9 THEN 'user'
		WHEN 10 THEN 'loginuid' WHEN 11 THEN 'session' WHEN 12 THEN 'tty' WHEN 13 THEN 'cgroup'
		WHEN 14 THEN 'namespaces' WHEN 15 THEN 'label' WHEN 16 THEN 'started' WHEN 17 THEN 'environment'
		WHEN 18 THEN 'seccomp' ELSE c.key END AS key,
	value.text AS value
FROM contexts c
JOIN procs p ON p.id = c.proc
LEFT JOIN strings comm ON comm.id = p.comm
LEFT JOIN strings value ON value.id = c.value
WHERE 1
	AND listed(:pid, p.pid)
	AND c.ts >= :since
	AND c.ts < :until
ORDER BY c.id
LIMIT :limit
-- text
SELECT pid, comm, substr(time, 12, 8) AS time, reason, key, value FROM rows;
