-- Signals that were delivered, and group-stops.
WITH names(signo, name) AS (
	VALUES (1, 'SIGHUP'), (2, 'SIGINT'), (3, 'SIGQUIT'), (4, 'SIGILL'), (5, 'SIGTRAP'),
	(6, 'SIGABRT'), (7, 'SIGBUS'), (8, 'SIGFPE'), (9, 'SIGKILL'), (10, 'SIGUSR1'),
	(11, 'SIGSEGV'), (12, 'SIGUSR2'), (13, 'SIGPIPE'), (14, 'SIGALRM'), (15, 'SIGTERM'),
	(16, 'SIGSTKFLT'), (17, 'SIGCHLD'), (18, 'SIGCONT'), (19, 'SIGSTOP'), (20, 'SIGTSTP'),
	(21, 'SIGTTIN'), (22, 'SIGTTOU'), (23, 'SIGURG'), (24, 'SIGXCPU'), (25, 'SIGXFSZ'),
	(26, 'SIGVTALRM'), (27, 'SIGPROF'), (28, 'SIGWINCH'), (29, 'SIGIO'), (30, 'SIGPWR'),
	(31, 'SIGSYS')
)
SELECT iso(s.ts) AS time,
	p.pid, t.tid, comm.text AS comm, abs(s.signo) AS signal, names.name,
	CASE WHEN s.signo = 0 THEN 'continued' WHEN s.signo < 0 THEN 'stopped' ELSE 'delivered'
		END AS what,
	s.code, s.sender_pid, s.sender_uid
FROM signals s
JOIN tasks t ON t.id = s.task
JOIN procs p ON p.id = t.proc
LEFT JOIN names ON names.signo = abs(s.signo)
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
