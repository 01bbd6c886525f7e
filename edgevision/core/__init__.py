"""The ground below everything: errors, records, files, text, the terminal and the machine."""
