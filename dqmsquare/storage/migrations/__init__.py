"""The tables' history: one file per version, forwards only."""
