"""`explain()`: the policy, asked about failures that have not happened.

It knows the kinds of failure, how an adapter would see each, and the mistakes people make with mounts and lists. It
must not decide anything itself: each row is what the policy (or urllib3, for a stock session) answers.
"""

from resilient_session._explain._explanation import Explanation, explain
from resilient_session._explain._forecast import ExplainedFailure

__all__ = ["ExplainedFailure", "Explanation", "explain"]
