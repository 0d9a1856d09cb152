"""Who is let in, from where, and what a browser may do with what it is sent."""
