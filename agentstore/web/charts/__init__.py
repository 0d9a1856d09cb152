"""What charts are made of: numbers in, places and words out. The drawing is done by templates. Pure."""
