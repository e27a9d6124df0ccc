-- Whether a model that was asked tells it; nobody who only looks again makes that untrue, nor the other way round.
ALTER TABLE moment ADD COLUMN told INTEGER NOT NULL DEFAULT 0;
