CREATE TABLE video (
    id         TEXT PRIMARY KEY,
    uri        TEXT NOT NULL,
    first_seen REAL NOT NULL DEFAULT (unixepoch('subsec'))
) STRICT;

CREATE TABLE run (
    id       INTEGER PRIMARY KEY,
    video    TEXT NOT NULL REFERENCES video (id) ON DELETE CASCADE,
    plan     TEXT NOT NULL,
    finished REAL NOT NULL DEFAULT (unixepoch('subsec')),
    timeline TEXT NOT NULL,
    graph    TEXT NOT NULL,
    -- Object of tracked detections: observations as JSON lines.
    detections TEXT NOT NULL,
    UNIQUE (video, plan)
) STRICT;

-- What a stage worked out, under the hash of everything it depends on.
CREATE TABLE stage (
    key      TEXT PRIMARY KEY,
    video    TEXT NOT NULL,
    name     TEXT NOT NULL,
    identity TEXT NOT NULL,
    complete INTEGER NOT NULL DEFAULT 0,
    started  REAL NOT NULL DEFAULT (unixepoch('subsec'))
) STRICT;
CREATE INDEX stage_by_video ON stage (video, name, started);

-- Claims, a unit at a time: JSON lines.
CREATE TABLE unit (
    stage    TEXT NOT NULL REFERENCES stage (key) ON DELETE CASCADE,
    number   INTEGER NOT NULL,
    claims   TEXT NOT NULL,
    snapshot BLOB NOT NULL,
    PRIMARY KEY (stage, number)
) STRICT, WITHOUT ROWID;
