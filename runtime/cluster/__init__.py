"""A verb's work on many pictures, in this process or spread over those of a cluster."""
