-- A type of which there are few was looked for through all the others.
CREATE INDEX requests_by_kind ON requests (kind, number);
CREATE INDEX requests_by_status_and_kind ON requests (status, kind, number);
