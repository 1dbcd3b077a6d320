-- The case: its identity, its host, its state, its hashes.
SELECT key, value FROM case_info
