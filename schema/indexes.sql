-- indexes.sql - made after an import, when the rows are there. Each serves canned queries, and
-- there are no more than that: an index costs an import as much as rows do.
CREATE INDEX fds_by_file ON fds (file);                                 -- deleted-open
CREATE INDEX fds_sockets ON fds (id) WHERE is_socket;                   -- connections, alerts
CREATE INDEX fds_written ON fds (bytes_written) WHERE bytes_written > 0; -- top-writers
