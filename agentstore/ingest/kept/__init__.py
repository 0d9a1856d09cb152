"""What is kept of agents' files, read again (``reimport``) and written back (``restore``)."""
