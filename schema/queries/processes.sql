-- Processes: who ran what, as whom, when, and how it ended.
SELECT pid, ppid, comm, exe, cmdline, cwd, user, uid, started, ended, exit_code, exit_signal
FROM process_rows
WHERE 1
	AND listed(:pid, pid)
	AND exe GLOB :path
	AND coalesce(ended_ns, 9223372036854775807) >= :since
	AND coalesce(started_ns, 0) < :until
	AND (exit_code <> 0 OR exit_signal IS NOT NULL) -- :failed
ORDER BY coalesce(started_ns, 0), proc_id
LIMIT :limit
-- text
SELECT pid, ppid, coalesce(user, uid) AS user, replace(substr(started, 6, 14), 'T', ' ') AS started,
	replace(substr(ended, 6, 14), 'T', ' ') AS ended,
	CASE WHEN exit_signal IS NOT NULL THEN 'signal ' || exit_signal
	     WHEN exit_code IS NOT NULL THEN 'exit ' || exit_code END AS status,
	cwd,
	-- the program, in brackets the name that it was given if that is another, the arguments
	coalesce(exe || CASE WHEN exe = name OR substr(exe, -length(name) - 1) = '/' || name THEN ''
			ELSE ' (' || name || ')' END || substr(cmdline, length(name) + 1),
		cmdline, exe, comm) AS command
FROM (SELECT *, substr(cmdline, 1, instr(cmdline || ' ', ' ') - 1) AS name FROM rows);
