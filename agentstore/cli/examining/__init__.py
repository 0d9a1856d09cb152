"""What ``agentstore doctor`` looks at: this installation and its machine, the agents on it, and the store's server."""
