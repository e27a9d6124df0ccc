//! Opens, decodes, samples, draws, cuts and encodes video and audio over FFmpeg's libraries.
