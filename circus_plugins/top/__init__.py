"""The program `circus-top`: shows on a terminal what circusd's processes do and use, and orders what one asks for."""
