"""Places that change, followed (``watch``)."""
