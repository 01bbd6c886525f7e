"""Pictures in and results out, for verbs that take many."""
