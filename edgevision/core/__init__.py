"""What everything is built on: errors, records, files, text, the terminal and the machine."""
