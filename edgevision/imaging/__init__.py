"""Pictures: reading and writing files faithfully, preprocessing, tiles."""
