-- Conversations about a video: what was asked, and the answer as JSON.
CREATE TABLE chat_turn (
    id       INTEGER PRIMARY KEY,
    video    TEXT NOT NULL REFERENCES video (id) ON DELETE CASCADE,
    session  TEXT NOT NULL,
    asked    REAL NOT NULL DEFAULT (unixepoch('subsec')),
    question TEXT NOT NULL,
    reply    TEXT NOT NULL
) STRICT;
CREATE INDEX chat_turn_by_session ON chat_turn (video, session, id);
