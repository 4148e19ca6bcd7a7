"""What endpoints are safe to open, to whom, and with which keys; shared by control, publisher and the clients.

Import the modules: `address` (clients too; imports no zmq), `keys` (the folder of keys), `house` (opening sockets),
`entrance` (an endpoint that follows the configuration), `edge` (reading a socket within a loop).
"""
