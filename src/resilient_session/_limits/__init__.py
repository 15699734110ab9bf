"""Storm control: what an attempt passes before it is sent, so that retries never become a part of an outage.

What shares a fate is a group, by default the origin. Its state is kept for the process, because a session may live
for one call: `_groups` finds it by the name, in a table for each clock. In it are the tokens for retries
(`_quota`), the circuits (`_circuit`), the pause that the server requested (`_cool_down`), and the moments that
a rate limit has handed out (`_rate`). A `Gate` puts a call through all of them. Pauses and moments can be
shared with other processes through a store (`_redis`, which runs with a time limit in `_workers` and is left
alone by `_health` while it fails).

How to use it, from the loop::

    limits = Limits(retry_quota=100, clock=clock)   # one for each adapter; its arguments are options

    # the happy path: no gate unless `limits.gated`
    limits.credit(request)                   # a call, not a hop, succeeded with its first attempt

    gate = limits.gate(request)              # before the first attempt if `limits.gated`, else after it failed
    match gate.enter(left, lasts):           # before each attempt that has a gate; waits on the clock
        case Passed(held): ...               # send; `held` is what it waited, in seconds
        case Refused(error): ...             # nothing was sent; the error is a `NotSent`
    gate.settle(result, delay)               # after each attempt, `delay` as `_policy._server_delay` reads it
    if gate.may_retry(free=...): ...         # before each retry, and before its wait; charges the quota
    gate.credit()                            # in place of `limits.credit`, for a call that has a gate
    gate.notices                             # what happened, for events and the log; the loop empties the list

- `left` are the seconds that the call may still take, None without a deadline. `lasts` are the seconds that the
  attempt may take at most (its timeouts), None if they have no end.
- An attempt that is not settled (Ctrl-C) costs nothing but its tokens; a probe of a circuit loses its right when
  `lasts`, at most 30 s, is over.
- `free` are retries that cost no tokens: after a 429, and after a reused connection died without a byte.
- A refused retry gets its tokens back. `may_retry` returning False charges nothing.
- A redirect to another origin needs another gate: one for each hop.
- Only attempts on real connections of ours may be settled or credited.
- The errors of a `group_by` that raises, or returns no string, come from `limits.gate`. So a `Limits` with a
  `group_by` is always `gated`: the error comes before anything is sent.
"""
