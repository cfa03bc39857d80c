-- Nothing to do here: SQLite keeps no old versions of rows on its pages. The file keeps the numbers of both databases alike.
SELECT 1;
