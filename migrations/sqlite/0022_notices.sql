-- The channel in which a request was asked is told of it: `notice` marks such a message, which shows no content and has no buttons.
ALTER TABLE cards ADD COLUMN notice BOOLEAN NOT NULL DEFAULT FALSE;
