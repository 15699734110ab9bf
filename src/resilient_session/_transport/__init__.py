"""The transport: urllib3's pools, connections and responses, with mixins that keep the promises on the socket.

It knows how much time an attempt has left, how far its request came, and where a response ends. It must not know
about retries: it raises, and others decide. An attempt meets the connection that serves it in a context variable
(`_in_flight`), because requests and urllib3 lie between them and pass nothing through.
"""
