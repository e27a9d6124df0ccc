"""The bench's own parts: what it needs, how it measures, what it measures, how it tells."""
