# The number of processes is circusd's business.
workers = 1
worker_class = "gthread"
threads = 4
# Seconds that requests get to finish after SIGTERM.
graceful_timeout = 30
# circusctl does what this would be for, and several gunicorns would fight for its place.
control_socket_disable = True
