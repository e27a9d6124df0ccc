-- Answers of language models, under a hash of the model and of everything it was asked.
CREATE TABLE answer (
    key           TEXT PRIMARY KEY,
    text          TEXT NOT NULL,
    finish        TEXT NOT NULL,
    tokens_in     INTEGER NOT NULL,
    tokens_cached INTEGER NOT NULL,
    tokens_out    INTEGER NOT NULL,
    bytes         INTEGER NOT NULL,
    -- Counts up with every use: the smallest goes first when there is no room.
    used          INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX answer_by_use ON answer (used, bytes);

-- What each try of a call took. Days are counted from 1970-01-01, in UTC.
CREATE TABLE spending (
    id            TEXT PRIMARY KEY,
    day           INTEGER NOT NULL,
    model         TEXT NOT NULL,
    tokens_in     INTEGER NOT NULL,
    tokens_cached INTEGER NOT NULL,
    tokens_out    INTEGER NOT NULL,
    cost_usd      REAL NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX spending_by_day ON spending (day, model);
