"""Running verbs on boards: over the system's OpenSSH, with this very version, and nothing from a board is trusted."""
