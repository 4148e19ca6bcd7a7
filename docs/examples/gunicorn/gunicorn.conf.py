# The number of processes is circusd's business.
workers = 1
worker_class = "gthread"
threads = 4
# The program is loaded first: if it cannot be, gunicorn ends at once instead of trying again and again.
preload_app = True
# Seconds that requests get to finish after SIGTERM.
graceful_timeout = 30
# circusctl does what this would be for, and several gunicorns would fight for its place.
control_socket_disable = True
