"""`explain()`: what a session would do about each kind of failure, without sending anything.

It knows the kinds of failure, how an adapter would classify each, and the common mistakes with mounts and option
values. It must not decide anything itself: each row is what the policy decides, or urllib3 for a stock session.
"""

from resilient_session._explain._explain import explain
from resilient_session._explain._explanation import Explanation
from resilient_session._explain._forecast import ExplainedFailure

__all__ = ["ExplainedFailure", "Explanation", "explain"]
