"""Who calls: keys, tokens, and what a token permits."""
