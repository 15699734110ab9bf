"""A call: what spans the attempts, redirects and authentication rounds behind one `session.get()`.

It knows the deadline, the retries that are left, the request as the next attempt sends it (body, idempotency key,
cookies), and how a call ends. It must not know how bytes travel or why a retry is safe: it hands those questions
down, to `_transport` and to `_policy`.
"""
