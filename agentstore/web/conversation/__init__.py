"""A session as one reads it: which messages are shown at once, and what stands with each of them."""
