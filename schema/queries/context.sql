-- What /proc said of each process, and when.
WITH reasons(reason, name) AS (VALUES (1, 'attach'), (2, 'fork'), (3, 'exec'), (4, 'launch')),
keys(key, name) AS (
	VALUES (1, 'cmdline'), (2, 'cwd'), (3, 'root'), (4, 'exe'), (5, 'uids'), (6, 'gids'),
	(7, 'groups'), (8, 'capabilities'), (9, 'user'), (10, 'loginuid'), (11, 'session'),
	(12, 'tty'), (13, 'cgroup'), (14, 'namespaces'), (15, 'label'), (16, 'started'),
	(17, 'environment'), (18, 'seccomp'), (19, 'cut')
)
SELECT p.pid, comm.text AS comm, iso(c.ts) AS time,
	coalesce(r.name, CAST(c.reason AS TEXT)) AS reason, coalesce(k.name, CAST(c.key AS TEXT)) AS key,
	value.text AS value
FROM contexts c
JOIN procs p ON p.id = c.proc
LEFT JOIN reasons r ON r.reason = c.reason
LEFT JOIN keys k ON k.key = c.key
LEFT JOIN strings comm ON comm.id = p.comm
LEFT JOIN strings value ON value.id = c.value
WHERE 1
	AND listed(:pid, p.pid)
	AND c.ts >= :since
	AND c.ts < :until
ORDER BY c.id
LIMIT :limit
-- text
SELECT pid, comm, substr(time, 12, 8) AS time, reason, key,
	CASE
	WHEN key = 'started' THEN iso(CAST(value AS INTEGER))
	WHEN key = 'capabilities' AND length(value) = 84 THEN 'effective ' || substr(value, 1, 16)
		|| ' permitted ' || substr(value, 18, 16) || ' inheritable ' || substr(value, 35, 16)
		|| ' bounding ' || substr(value, 52, 16) || ' ambient ' || substr(value, 69, 16)
	ELSE value
	END AS value
FROM rows;
