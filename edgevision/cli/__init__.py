"""The command line: the table of verbs, and what all verbs share."""
