#!/usr/bin/env python3
"""Speaks TLS on a free port of the loopback interface and plain HTTP to a server behind it: tls_proxy.py CERT KEY PORT.

Prints the port it listens on.
"""
import socket
import ssl
import sys
import threading


def pump(source, sink):
    try:
        while part := source.recv(65536):
            sink.sendall(part)
    except OSError:
        pass
    for end in (source, sink):
        try:
            end.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


def serve(raw, context, port):
    try:
        client = context.wrap_socket(raw, server_side=True)
    except (OSError, ssl.SSLError):
        return  # The other side did not trust the certificate.
    upstream = socket.create_connection(("127.0.0.1", port))
    threading.Thread(target=pump, args=(upstream, client), daemon=True).start()
    pump(client, upstream)


context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[1], sys.argv[2])
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
while True:
    threading.Thread(target=serve, args=(listener.accept()[0], context, int(sys.argv[3])), daemon=True).start()
