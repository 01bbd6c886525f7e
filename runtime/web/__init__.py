"""Models in a visitor's browser: a folder of static files, and how it is proved."""
