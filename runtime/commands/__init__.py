"""The device side's verbs of the command line, one a file."""
