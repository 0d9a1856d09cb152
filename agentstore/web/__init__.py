"""The history in a browser: pages, live, and the same as JSON (``pip install 'agentstore[web]'``)."""
