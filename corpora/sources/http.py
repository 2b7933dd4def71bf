"""Settings that the HTTP clients of the sources share.

The clients themselves differ: url uses httpx for byte ranges, github_account PyGithub for paging
and rate limits, youtube Google's client, which counts and hides the key.
"""

USER_AGENT = "charmill"
TIMEOUT_SECONDS = 30
"""For a connection, and for each wait for data."""
