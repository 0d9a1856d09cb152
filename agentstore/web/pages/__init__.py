"""The pages, one module each: what is asked for, and the template that shows it."""
