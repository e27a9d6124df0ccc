-- Version of the moments that a run was taken apart into; 0: not yet.
ALTER TABLE run ADD COLUMN moments INTEGER NOT NULL DEFAULT 0;

-- What can be found, each text once: a label seen in a thousand places is one phrase.
CREATE TABLE phrase (
    id       INTEGER PRIMARY KEY,
    text     TEXT NOT NULL UNIQUE,
    -- The text as full text sees it: a space around each character of scripts that write without spaces.
    terms    TEXT NOT NULL,
    -- Where its vector lies in the file of vectors.
    position INTEGER UNIQUE
) STRICT;

CREATE VIRTUAL TABLE phrase_terms USING fts5 (
    terms, content = 'phrase', content_rowid = 'id', tokenize = 'porter unicode61 remove_diacritics 2'
);

-- Positions whose phrase is gone.
CREATE TABLE vector_hole (position INTEGER PRIMARY KEY) STRICT;

-- What the vectors were made with: one row at most.
CREATE TABLE vector_space (
    id    INTEGER PRIMARY KEY CHECK (id = 1),
    model TEXT NOT NULL,
    dims  INTEGER NOT NULL
) STRICT;

-- When a phrase is seen or heard. Times are nanoseconds on the container's clock.
CREATE TABLE moment (
    id         INTEGER PRIMARY KEY,
    run        INTEGER NOT NULL REFERENCES run (id) ON DELETE CASCADE,
    kind       TEXT NOT NULL,
    starts     INTEGER NOT NULL,
    ends       INTEGER NOT NULL,
    phrase     INTEGER NOT NULL REFERENCES phrase (id),
    confidence REAL NOT NULL,
    -- JSON: who speaks, labels, event, times of words.
    details    TEXT NOT NULL
) STRICT;
CREATE INDEX moment_by_run ON moment (run, kind, starts);
CREATE INDEX moment_by_phrase ON moment (phrase, confidence DESC);
CREATE INDEX moment_by_phrase_and_kind ON moment (phrase, kind, starts);

-- What moments are narrowed down by: `label:dog`, `speaker:speaker 1`, `event:approach`.
CREATE TABLE moment_tag (
    tag    TEXT NOT NULL,
    moment INTEGER NOT NULL REFERENCES moment (id) ON DELETE CASCADE,
    PRIMARY KEY (tag, moment)
) STRICT, WITHOUT ROWID;
CREATE INDEX moment_tag_by_moment ON moment_tag (moment);

CREATE TRIGGER phrase_added AFTER INSERT ON phrase BEGIN
    INSERT INTO phrase_terms (rowid, terms) VALUES (new.id, new.terms);
END;
CREATE TRIGGER phrase_removed AFTER DELETE ON phrase BEGIN
    INSERT INTO phrase_terms (phrase_terms, rowid, terms) VALUES ('delete', old.id, old.terms);
    INSERT OR IGNORE INTO vector_hole SELECT old.position WHERE old.position IS NOT NULL;
END;
CREATE TRIGGER moment_removed AFTER DELETE ON moment BEGIN
    DELETE FROM phrase WHERE id = old.phrase AND NOT EXISTS (SELECT 1 FROM moment WHERE phrase = old.phrase);
END;
