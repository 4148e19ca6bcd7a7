"""Who somebody at the web console is, and what they may do: sessions, users, links, tokens. It knows no HTTP."""
