"""What the user sees: the only room that knows Qt. Importing this package loads nothing."""
