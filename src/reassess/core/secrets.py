"""Secrets in text that is recorded or shown: replaced before anything is written.

Errors of network clients can quote addresses with passwords or headers with tokens, and what is
recorded of a failure ends in a bundle that is published.
"""

from __future__ import annotations

import os
import re

HIDDEN = "[redacted]"
SHORTEST = 8  # characters of a value that is looked for; shorter ones are words of ordinary text
_SECRET_NAME = re.compile(
    r"TOKEN|SECRET|PASSW|PASSPHRASE|CREDENTIAL|API_?KEY|ACCESS_?KEY|PRIVATE_?KEY|(?:^|_)KEY(?:_|$)"
    r"|(?:^|_)(?:AUTH|PWD|PAT|DSN)(?:_|$)|COOKIE",
    re.IGNORECASE,
)
_NO_SECRETS = frozenset({"PWD", "OLDPWD", "SSH_AUTH_SOCK", "TOKENIZERS_PARALLELISM"})
_USER = re.compile(r"(?<=://)[^\s/@'\"]+(?=@)")  # in an address
_HEADER = re.compile(
    r"(?i)\b((?:proxy-)?authorization|x-api-key|cookie|set-cookie)"
    r"(['\"]?\s*[:=]\s*['\"]?)(?:(bearer|basic|token)\s+)?[^\s'\",;]+"
)
_QUERY = re.compile(
    r"(?i)([?&](?:token|access_token|api_?key|key|signature|sig|password|x-amz-[a-z-]+)=)[^&\s'\"]+"
)
_KNOWN = re.compile(  # the shapes of tokens that their issuers have made recognisable
    r"\b(?:hf_[A-Za-z0-9]{16,}|gh[pousr]_[A-Za-z0-9]{20,}|github_pat_\w{20,}|glpat-[\w-]{16,}"
    r"|sk-[\w-]{20,}|xox[abprs]-[\w-]{10,}|AKIA[0-9A-Z]{16}"
    r"|eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]{8,})"
)


def redact(text: object) -> str:
    """Text in which passwords and tokens are replaced.

    Values of environment variables whose names speak of secrets, users in addresses, headers and
    parameters that authorise, and tokens of well-known shapes.
    """
    shown = str(text)
    for value in sorted(_secrets(), key=len, reverse=True):
        shown = shown.replace(value, HIDDEN)
    shown = _HEADER.sub(rf"\1\2{HIDDEN}", shown)
    shown = _USER.sub(HIDDEN, shown)
    shown = _QUERY.sub(rf"\1{HIDDEN}", shown)
    return _KNOWN.sub(HIDDEN, shown)


def _secrets() -> set[str]:
    """The secrets in the environment, whole, and the passwords of addresses in it."""
    found = set()
    for name, value in os.environ.items():
        if len(value) >= SHORTEST and name not in _NO_SECRETS and _SECRET_NAME.search(name):
            found.add(value)
        for user in _USER.findall(value):
            password = user.partition(":")[2]
            found |= {password} if len(password) >= SHORTEST else set()
    return found
