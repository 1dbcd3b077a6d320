-- SHA-256 of files that frec hashed.
SELECT path.text AS path, sha.text AS sha256
FROM hashes h
JOIN files f ON f.id = h.file
JOIN strings sha ON sha.id = h.sha256
LEFT JOIN strings path ON path.id = f.path
WHERE 1
	AND path.text GLOB :path
ORDER BY h.id
LIMIT :limit
