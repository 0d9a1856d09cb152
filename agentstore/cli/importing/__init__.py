"""What the commands that import have in common: whose history it is, what is told meanwhile, and what came of it."""
