-- What stands in the thread of each card, as JSON, so that no line is posted twice; and until when a worker posts there.
ALTER TABLE cards ADD COLUMN threaded TEXT;
ALTER TABLE cards ADD COLUMN thread_until BIGINT;
