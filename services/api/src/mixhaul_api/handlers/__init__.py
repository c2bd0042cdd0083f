"""What each route does: from a valid `Call` to an answer of `shapes`."""
