"""What is new, told to browsers as it happens."""
