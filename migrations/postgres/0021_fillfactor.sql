-- Room on each page for a new version of a row: a first approval changes no indexed column, so that its update then touches no index.
-- Pages that are full already keep what they have.
ALTER TABLE requests SET (fillfactor = 70);
