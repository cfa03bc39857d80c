-- Nothing to change here: SQLite's payloads lie where their keys do.
SELECT 1;
