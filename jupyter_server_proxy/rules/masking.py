"""Commands as they may be shown: without the secrets that their words hold."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

#: What stands where a secret was.
MASK = "***"

#: Names of options, variables and query parameters whose values are secret. Between other words of a name: "api_key",
#: "--db-password", "MLFLOW_TRACKING_TOKEN"; not inside one: "--tokenizer", "--keyboard", "--author".
_SECRET_NAME = re.compile(
    r"(?:^|[-_.])(?:\w*password|passwd|passphrase|pwd|\w*secret|\w*token|api-?key|apikey|key|credentials?|auth|cookie)"
    r"(?:$|[-_.])",
    re.IGNORECASE,
)
#: Names that end like secrets, and are none: files, and switches.
_PLAIN_NAME = re.compile(r"(?:file|path|dir|name|type|mode|required|enabled|url|timeout|length)s?$", re.IGNORECASE)
_OPTION = re.compile(r"(-{0,2})([A-Za-z_][\w.-]*)=(.*)", re.DOTALL)
_FLAG = re.compile(r"--?([A-Za-z_][\w.-]*)")
_USER_INFO = re.compile(r"(\b[a-z][a-z0-9+.-]*://)[^/\s?#@]*@", re.IGNORECASE)
_QUERY = re.compile(r"([?&;])([\w.-]+)=([^&;#\s]*)")

#: The same inside of a word that is a line of a shell, say.
_INNER_FLAG = re.compile(r"""(--?([A-Za-z_][\w.-]*)(?:=|\s+))("[^"]*"|'[^']*'|[^\s"']+)""")
_INNER_ASSIGNMENT = re.compile(r"""(\b([A-Za-z_]\w*)=)("[^"]*"|'[^']*'|[^\s"';]+)""")
#: A header field, as programs are given them.
_FIELD = re.compile(r"""(?<![\w-])(([A-Za-z][\w-]*):\s*)([^"'\n]+)""")
_SECRET_FIELDS = frozenset({"authorization", "proxy-authorization", "cookie", "set-cookie"})

#: A secret that is as short as this would be found by accident.
_SHORTEST = 6


def mask_words(words: Sequence[str], secrets: Collection[str] = ()) -> list[str]:
    """The words of a command with ``***`` for each secret.

    Secrets are found by the names of options (``--token=x``, ``--password x``), variables (``API_KEY=x``) and query
    parameters, in the user part of URLs, and where a word holds one of ``secrets``.

    Args:
        words: of the command; not changed.
        secrets: values that are known to be secret. Very short ones are passed over.
    """
    masked: list[str] = []
    value_follows = False
    for word in words:
        if value_follows and not word.startswith("--"):
            masked.append(MASK)
            value_follows = False
            continue
        flag = _FLAG.fullmatch(word)
        value_follows = flag is not None and is_secret_name(flag[1])
        masked.append(_mask_word(word, secrets))
    return masked


def is_secret_name(name: str) -> bool:
    """Whether an option, a variable or a query parameter of this name holds a secret."""
    return bool(_SECRET_NAME.search(name)) and not _PLAIN_NAME.search(name)


def _mask_word(word: str, secrets: Collection[str]) -> str:
    option = _OPTION.fullmatch(word)
    if option and is_secret_name(option[2]) and option[3]:
        return f"{option[1]}{option[2]}={MASK}"
    word = _USER_INFO.sub(rf"\g<1>{MASK}@", word)
    word = _QUERY.sub(lambda found: f"{found[1]}{found[2]}={MASK if is_secret_name(found[2]) else found[3]}", word)
    word = _FIELD.sub(lambda found: _mask_value(found, found[2].lower() in _SECRET_FIELDS), word)
    if " " in word or "\n" in word or "\t" in word:
        word = _INNER_ASSIGNMENT.sub(_mask_value, _INNER_FLAG.sub(_mask_value, word))
    for secret in secrets:
        if len(secret) >= _SHORTEST:
            word = word.replace(secret, MASK)
    return word


def _mask_value(found: re.Match[str], is_secret: bool = False) -> str:
    """What was found, as it may be shown: its second group is the name, its third the value."""
    return f"{found[1]}{MASK}" if is_secret or is_secret_name(found[2]) else found[0]
