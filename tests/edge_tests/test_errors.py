"""The tree of errors: every class has an exit code and an HTTP status, and the vocabulary of metrics knows its reason."""

import pytest

from edge import errors, metric_names
from edge.errors import TandemError


def classes(root: type[TandemError] = TandemError) -> list[type[TandemError]]:
    own = [cls for cls in root.__subclasses__() if cls.__module__ == errors.__name__]
    return [root, *(found for cls in own for found in classes(cls))]


@pytest.mark.parametrize("cls", classes())
def test_every_error_has_its_codes_and_a_reason_of_its_own(cls: type[TandemError]) -> None:
    assert cls.exit_code in {1, 2, 3, 4, 5, 6, 7}
    assert 400 <= cls.http_status <= 599
    assert cls.reason in metric_names.REASONS
    assert cls.__doc__
    others = {other.reason for other in classes() if other is not cls}
    assert cls.reason not in others


@pytest.mark.parametrize(
    ("cls", "code", "status"),
    [
        (errors.UsageError, 2, 400),
        (errors.ConversionError, 3, 500),
        (errors.GateError, 4, 503),
        (errors.ParityError, 4, 503),
        (errors.BudgetError, 5, 500),
        (errors.RuntimeMissingError, 6, 503),
        (errors.ProviderError, 6, 503),
        (errors.ContractError, 7, 503),
        (errors.InputError, 7, 400),
        (errors.TooLargeError, 7, 413),
        (errors.UnsupportedMediaError, 7, 415),
        (errors.UnknownModelError, 7, 404),
    ],
)
def test_codes_are_the_settled_ones(cls: type[TandemError], code: int, status: int) -> None:
    assert (cls.exit_code, cls.http_status) == (code, status)
