-- indexes.sql - made after an import, when the rows are there. Each serves a canned query, and
-- there are no more than that: an index costs an import as much as rows do.
CREATE INDEX fds_by_file ON fds (file);        -- queries/deleted-open
