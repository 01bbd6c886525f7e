"""What people do with several tasks at once: cut things out, take them away, put others in their place."""
