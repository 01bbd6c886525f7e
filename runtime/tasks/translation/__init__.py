"""Pictures turned into pictures of another kind."""
