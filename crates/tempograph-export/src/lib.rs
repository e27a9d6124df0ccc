//! Writes a timeline in the formats people use, one file per format.
