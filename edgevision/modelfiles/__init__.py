"""Model files seen from outside: metadata, and the three formats that hold it."""
