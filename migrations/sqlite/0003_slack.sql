-- A requester's direct message is kept up to date as a card is: `person` says whose it is.
ALTER TABLE cards ADD COLUMN person TEXT;

-- Home shows what somebody decided lately.
CREATE INDEX decisions_by_person ON decisions (person, at);
