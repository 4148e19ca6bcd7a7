"""The plugins that come with circus-bus; nothing is imported here, so that each costs only those who load it."""
