"""What was used before: each look of the last hour and each minute of the last day, for who asks by `history`.

It is kept where processes are looked at anyway, in the streamer's process (`keeping`, `reel`, `frames`); circusd has
none of it, and hands on questions and answers (`questions`).
"""
