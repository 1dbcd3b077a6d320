-- indexes.sql - made after an import, when the rows are there. Each serves a canned query.
CREATE INDEX files_by_path ON files (path);
CREATE INDEX file_procs_by_file ON file_procs (file, proc);
CREATE INDEX fds_by_file ON fds (file);
CREATE INDEX contexts_by_proc ON contexts (proc, key);
