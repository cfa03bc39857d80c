-- A superseded version of the configuration is kept as what turns the next version into it, so that an edit costs what it changes.
-- The newest version stays whole in `config`, where earlier releases read it; they show no difference for versions that moved here.

CREATE TABLE config_history (
    version BIGINT PRIMARY KEY,
    digest TEXT NOT NULL,
    made_at BIGINT NOT NULL,
    actor TEXT NOT NULL,
    reason TEXT,
    delta TEXT NOT NULL
);
CREATE TRIGGER config_history_is_kept BEFORE DELETE ON config_history
BEGIN SELECT RAISE(ABORT, 'a version of the configuration is never changed or deleted'); END;
CREATE TRIGGER config_history_is_final BEFORE UPDATE ON config_history
BEGIN SELECT RAISE(ABORT, 'a version of the configuration is never changed or deleted'); END;

DROP TRIGGER config_are_kept;
CREATE TRIGGER config_are_kept BEFORE DELETE ON config
WHEN OLD.version = (SELECT max(version) FROM config)
  OR NOT EXISTS (SELECT 1 FROM config_history h WHERE h.version = OLD.version AND h.digest = OLD.digest)
BEGIN SELECT RAISE(ABORT, 'a version of the configuration is never changed or deleted'); END;
