"""What a token costs, and since when: out of the package genai-prices, and out of one's own prices. Pure.

``row`` is what the table ``model_prices`` holds; ``listed`` asks the package for a model's prices (the only module that
knows the package), ``own`` makes rows of a caller's, and ``history`` says which rows a newer price table adds.
"""
