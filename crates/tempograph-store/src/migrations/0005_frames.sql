-- What made the vectors of frames. Those of different models cannot be compared: each model has a file of its own.
CREATE TABLE frame_space (
    id    INTEGER PRIMARY KEY,
    model TEXT NOT NULL,
    dims  INTEGER NOT NULL,
    UNIQUE (model, dims)
) STRICT;

-- What a video looks like from when to when. Times are nanoseconds on the container's clock.
CREATE TABLE frame (
    id       INTEGER PRIMARY KEY,
    space    INTEGER NOT NULL REFERENCES frame_space (id),
    video    TEXT NOT NULL REFERENCES video (id) ON DELETE CASCADE,
    starts   INTEGER NOT NULL,
    ends     INTEGER NOT NULL,
    -- Where its vector lies in the file of its space.
    position INTEGER NOT NULL,
    UNIQUE (space, position)
) STRICT;
CREATE INDEX frame_by_video ON frame (space, video, starts);

-- Positions whose frame is gone.
CREATE TABLE frame_hole (
    space    INTEGER NOT NULL,
    position INTEGER NOT NULL,
    PRIMARY KEY (space, position)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER frame_removed AFTER DELETE ON frame BEGIN
    INSERT OR IGNORE INTO frame_hole VALUES (old.space, old.position);
END;
