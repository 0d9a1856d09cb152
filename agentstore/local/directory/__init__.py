"""The directory of a local store, which is all that client and server have in common.

Where its files are, the locks, the file that says where the server listens, its log, and how a start ended.
"""
