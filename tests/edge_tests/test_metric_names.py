"""The names and labels under which every server is measured."""

from edge import metric_names
from edge.errors import TandemError


def test_the_vocabulary_of_metrics_is_whole() -> None:
    def reasons(error: type[TandemError]) -> set[str]:
        return {error.reason}.union(*(reasons(child) for child in error.__subclasses__()))

    assert reasons(TandemError) <= set(metric_names.REASONS)
    assert set(metric_names.HELP) == set(metric_names.LABELS)
    assert metric_names.BUCKETS[0] == 0.0001
    assert metric_names.BUCKETS[-1] == 10
    assert list(metric_names.BUCKETS) == sorted(set(metric_names.BUCKETS))
    assert metric_names.reason_label("invented") == metric_names.OTHER
