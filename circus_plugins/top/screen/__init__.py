"""circus-top on a terminal. Every module here needs the extra `top`, so the rest imports it only to show it."""
