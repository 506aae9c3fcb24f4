"""The kind of trait that options are."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from traitlets import HasTraits, TraitError
from traitlets.config import Application

from jupyter_server_proxy.errors import ConfigurationError
from jupyter_server_proxy.option import Option, OptionError, default_log, known_keys, option_names


def even(value: Any) -> int:
    if value % 2:
        raise ValueError("must be even")
    return int(value)


class Owner(HasTraits):
    number = Option(even, 0, "A number.")
    words = Option(list, [], "Words.")


def test_values_are_brought_into_their_normal_form() -> None:
    assert Owner(words=("a", "b")).words == ["a", "b"]


def test_a_wrong_value_is_both_a_trait_error_and_a_configuration_error() -> None:
    with pytest.raises(OptionError, match=r"^Owner: option 'number' must be even$") as caught:
        Owner(number=3)
    assert isinstance(caught.value, TraitError)
    assert isinstance(caught.value, ConfigurationError)


def test_every_owner_has_its_own_default() -> None:
    first, second = Owner(), Owner()
    first.words.append("a")
    assert second.words == []


def test_option_names() -> None:
    assert sorted(option_names(Owner)) == ["number", "words"]


def test_unknown_keys_are_left_out_with_a_suggestion(caplog: pytest.LogCaptureFixture) -> None:
    given = {"number": 1, "wrods": 2, 3: 4}
    assert known_keys(given, ["number", "words"], "server 'x'", logging.getLogger("test")) == {"number": 1}
    assert [record.getMessage() for record in caplog.records] == [
        "server 'x': unknown key 'wrods' is ignored; did you mean 'words'?",
        "server 'x': unknown key 3 is ignored",
    ]
    assert len(given) == 3


def test_the_log_of_a_running_application_is_the_default() -> None:
    Application.clear_instance()
    assert default_log().name == "jupyter_server_proxy"
    try:
        application = Application.instance()
        assert default_log() is application.log
    finally:
        Application.clear_instance()
