"""Search: what is asked, how it is found with as little reading as possible, and what a result shows."""
