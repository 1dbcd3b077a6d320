-- Files that were mapped when recording began.
SELECT p.pid, comm.text AS comm, path.text AS path, printf('%x', m.address) AS address, m.length,
	CASE WHEN m.prot & 1 THEN 'r' ELSE '-' END || CASE WHEN m.prot & 2 THEN 'w' ELSE '-' END
		|| CASE WHEN m.prot & 4 THEN 'x' ELSE '-' END AS prot,
	CASE WHEN m.flags & 1 THEN 'shared' ELSE 'private' END AS sharing
FROM mappings m
JOIN procs p ON p.id = m.proc
LEFT JOIN files f ON f.id = m.file
LEFT JOIN strings comm ON comm.id = p.comm
LEFT JOIN strings path ON path.id = f.path
WHERE 1
	AND listed(:pid, p.pid)
	AND path.text GLOB :path
ORDER BY p.pid, m.id
LIMIT :limit
