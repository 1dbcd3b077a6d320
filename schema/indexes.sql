-- indexes.sql - made after an import, when the rows are there. Each serves canned queries, and
-- there are no more than that: an index costs an import as much as rows do.
CREATE INDEX fds_by_file ON fds (file);                                 -- deleted-open, alerts
CREATE INDEX fds_by_path ON fds (path);                                 -- bytes, top-*: --path
CREATE INDEX fds_by_pid ON fds (pid, opened);                           -- bytes
CREATE INDEX fds_sockets ON fds (pid, opened) WHERE is_socket;          -- connections, alerts
CREATE INDEX peers_by_fd ON peers (fd);                                 -- connections
CREATE INDEX strings_watched ON strings (id)
	WHERE text GLOB '/etc/*' OR instr(text, '/.');                  -- alerts
CREATE INDEX file_procs_read ON file_procs (bytes_read)
	WHERE bytes_read > 0;                                           -- top-readers, summary
CREATE INDEX file_procs_written ON file_procs (bytes_written)
	WHERE bytes_written > 0;                                        -- top-writers, summary
CREATE INDEX files_by_path ON files (path);                             -- files: --path
CREATE INDEX files_in_order ON files (
	(opens + reads + writes + mapped + created + deleted + renamed + executed = 0), first); -- files
CREATE INDEX files_read ON files (bytes_read, path, first)
	WHERE bytes_read > 0;                                           -- read, alerts
CREATE INDEX files_written ON files (bytes_written) WHERE bytes_written > 0;
CREATE INDEX files_written_to ON files (first_write) WHERE first_write IS NOT NULL;     -- alerts
CREATE INDEX files_created ON files (first) WHERE created > 0;
CREATE INDEX files_deleted ON files (first_delete) WHERE deleted > 0;
CREATE INDEX files_renamed ON files (first) WHERE renamed > 0;          -- summary
CREATE INDEX files_executed ON files (first_exec) WHERE executed > 0;
CREATE INDEX victims_in_order ON victims (ts, seq);                     -- destroyed
