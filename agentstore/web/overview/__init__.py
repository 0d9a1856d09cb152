"""The figures of the overview: what is asked of the store, and what their panels show of it."""
