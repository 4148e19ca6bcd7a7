"""circusctl: turns words into requests and replies into something readable; it decides nothing about processes."""
