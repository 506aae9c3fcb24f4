"""Commands are shown without their secrets, and otherwise as they are."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_server_proxy.rules.masking import MASK, is_secret_name, mask_words


@pytest.mark.behaviour("C5")
@pytest.mark.parametrize(
    ("words", "masked"),
    [
        (["app", "--token=abc"], ["app", "--token=***"]),
        (["app", "--token", "abc", "--port", "1"], ["app", "--token", "***", "--port", "1"]),
        (["app", "-password", "abc"], ["app", "-password", "***"]),
        (["app", "--db-password=a=b"], ["app", "--db-password=***"]),
        (["app", "--NotebookApp.token=abc"], ["app", "--NotebookApp.token=***"]),
        (["env", "API_KEY=abc", "app"], ["env", "API_KEY=***", "app"]),
        (["env", "AWS_SECRET_ACCESS_KEY=abc"], ["env", "AWS_SECRET_ACCESS_KEY=***"]),
        (["app", "http://me:pw@host/x"], ["app", "http://***@host/x"]),
        (["app", "postgresql+psycopg://me:p%40w@host/db"], ["app", "postgresql+psycopg://***@host/db"]),
        (["app", "http://host/x?token=abc&page=1"], ["app", "http://host/x?token=***&page=1"]),
        (["app", "--backend=http://me:pw@host/"], ["app", "--backend=http://***@host/"]),
        (["app", "--auth", "--verbose"], ["app", "--auth", "--verbose"]),
        (["app", "--token="], ["app", "--token="]),
        (["app", "--token", "-hunter2", "x"], ["app", "--token", "***", "x"]),
        (["app", "--token", "--other", "x"], ["app", "--token", "--other", "x"]),
        (["sh", "-c", "exec app --token hunter2 --port 80"], ["sh", "-c", "exec app --token *** --port 80"]),
        (["sh", "-c", "export A=1; app --password='a b' x"], ["sh", "-c", "export A=1; app --password=*** x"]),
        (["sh", "-c", "cd /; DB_PASSWORD=abc app"], ["sh", "-c", "cd /; DB_PASSWORD=*** app"]),
        (["curl", "-H", "Authorization: Bearer abc"], ["curl", "-H", "Authorization: ***"]),
        (["curl", "-H", "X-Api-Key:abc"], ["curl", "-H", "X-Api-Key:***"]),
        (["sh", "-c", "curl -H 'Cookie: a=b' http://h/"], ["sh", "-c", "curl -H 'Cookie: ***' http://h/"]),
    ],
)
def test_c5_secrets_are_masked(words: list[str], masked: list[str]) -> None:
    assert mask_words(words) == masked


@pytest.mark.behaviour("C5")
def test_c5_values_that_are_known_to_be_secret_are_masked_wherever_they_are() -> None:
    assert mask_words(["app", "xs3cr3ty", "--a=s3cr3t"], ["s3cr3t", "p"]) == ["app", "x***y", "--a=***"]


@pytest.mark.parametrize(
    "words",
    [
        ["streamlit", "run", "app.py", "--server.port=1", "--server.headless", "true"],
        ["app", "--tokenizer=bpe", "--author=me", "--keyboard=de", "--monkey=1"],
        ["app", "--token-file=/run/token", "--password-required=1", "--auth-mode", "none"],
        ["app", "http://127.0.0.1:80/a?page=1", "a@b", "--x=y=z", ""],
        ["sh", "-c", "run --token-file /run/t --keyboard de && python -c 'print(1)'"],
        ["curl", "-H", "Accept: text/html"],
    ],
)
def test_words_without_secrets_stay_as_they_are(words: list[str]) -> None:
    assert mask_words(words) == words


@given(st.lists(st.text(max_size=20), max_size=6))
def test_there_are_as_many_words_afterwards_and_the_command_is_not_changed(words: list[str]) -> None:
    before = list(words)
    assert len(mask_words(words)) == len(words)
    assert words == before


@pytest.mark.behaviour("C5")
@given(st.text(alphabet="abcdefghij0123456789", min_size=8, max_size=20))
def test_c5_no_spelling_of_an_option_shows_its_secret(secret: str) -> None:
    words = [f"--token={secret}", "--secret", secret, f"PASSWORD={secret}", f"http://u:{secret}@h/?api_key={secret}"]
    assert secret not in " ".join(mask_words(words)).replace(MASK, "")


def test_names() -> None:
    assert is_secret_name("token")
    assert is_secret_name("github-token")
    assert not is_secret_name("tokens-per-second")
