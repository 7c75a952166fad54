"""Settings: read from the environment once, every wrong value named."""

from pathlib import Path

import pytest

from edge.errors import UsageError
from serving.settings import VARIABLES, Settings


def test_an_empty_environment_gives_the_defaults() -> None:
    assert Settings.from_environment({}) == Settings() == Settings.from_environment(dict.fromkeys(VARIABLES.values(), " "))
    assert (Settings().host, Settings().port, Settings().max_body_bytes, Settings().device) == ("127.0.0.1", 3000, 16 << 20, "auto")


def test_every_variable_is_read() -> None:
    values = (
        "/b",
        "cpu",
        "mnist_cnn, other@1.2.3",
        "4",
        "0.0.0.0",
        "8080",
        "2048",
        "1",
        "True",
        "0",
        "2",
        "3",
        "5",
        "6000",
        "7",
        "8",
        "9",
        "/k",
    )
    models = ("mnist_cnn", "other@1.2.3")
    expected = Settings(Path("/b"), "cpu", models, 4, "0.0.0.0", 8080, 2048, 1, True, False, 2, 3, 5, 6000, 7, 8, 9, Path("/k"))
    assert Settings.from_environment(dict(zip(VARIABLES.values(), values, strict=True))) == expected


def test_words_for_everything_and_for_this_machine() -> None:
    assert Settings.from_environment({"TANDEM_MODELS": "all", "HOST": "localhost"}) == Settings()


@pytest.mark.parametrize(
    ("variable", "value", "expected"),
    [
        ("DEVICE", "tpu", "one of cpu, cuda, auto"),
        ("DEVICE", "CUDA", "one of cpu, cuda, auto"),
        ("TANDEM_MODELS", "../etc", "names such as mnist_cnn"),
        ("TANDEM_MODELS", "mnist_cnn@latest", "mnist_cnn@1.0.0"),
        ("TANDEM_MODELS", "a,,b", "separated by commas"),
        ("TANDEM_THREADS", "0", "1 to 256"),
        ("TANDEM_THREADS", "two", "1 to 256"),
        ("HOST", "example.org", "an IP address"),
        ("HOST", "127.0.0.1:80", "an IP address"),
        ("PORT", "0", "1 to 65535"),
        ("PORT", "65536", "1 to 65535"),
        ("PORT", "-1", "1 to 65535"),
        ("PORT", "3e3", "1 to 65535"),
        ("PORT", "٣", "1 to 65535"),
        ("TANDEM_MAX_BODY_BYTES", "16M", "1024 to 1073741824"),
        ("TANDEM_MAX_BATCH", "1.5", "1 to 65536"),
        ("TANDEM_LOG_REQUESTS", "maybe", "0 or 1"),
        ("TANDEM_BATCHING", "auto", "0 or 1"),
        ("TANDEM_QUEUE_REQUESTS", "0", "1 to 1048576"),
        ("TANDEM_QUEUE_BYTES", "1M", "1024 to"),
        ("TANDEM_TIMEOUT_MS", "0", "1 to 3600000"),
        ("TANDEM_WORKERS", "cpu_count", "1 to 256"),
    ],
)
def test_a_wrong_value_is_named(variable: str, value: str, expected: str) -> None:
    with pytest.raises(UsageError) as refused:
        Settings.from_environment({variable: value})
    assert str(refused.value).startswith(f"{variable} is ")
    assert expected in str(refused.value)
