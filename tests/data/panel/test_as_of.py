"""What may be known of a panel when a month is scored; everything past it is a leak."""

from collections.abc import Callable

import pytest

from data.panel.toy_panels import month, write_panel
from nextbest.data.panel.as_of import AsOf, LeakError, Read
from nextbest.data.panel.panel import Panel
from nextbest.errors import DataError, InputError

JAN, FEB, MAR, APR = (month(n) for n in range(1, 5))


@pytest.fixture(scope="module")
def panel(tmp_path_factory: pytest.TempPathFactory) -> Panel:
    return write_panel(tmp_path_factory.mktemp("panel"), {m: {1: m.month} for m in (JAN, FEB, MAR)})


def test_products_end_with_the_month_before_the_target(panel: Panel) -> None:
    as_of = panel.as_of(MAR)
    assert as_of.months == (JAN, FEB)
    assert as_of.held_MC.tolist() == [[1], [2]]
    assert as_of.present_MC.tolist() == [[True], [True]]
    assert (as_of.held(FEB).tolist(), as_of.present(JAN).tolist()) == ([2], [True])


LEAKS: list[Callable[[AsOf], object]] = [
    lambda a: a.held(MAR),
    lambda a: a.present(MAR),
    lambda a: a.index(MAR),
    lambda a: a.attributes(APR),
]


@pytest.mark.parametrize("read", LEAKS)
@pytest.mark.parametrize("mode", ["month_end", "scoring_time"])
def test_reading_past_the_cutoff_is_a_leak(panel: Panel, read: Callable[[AsOf], object], mode: str) -> None:
    as_of = panel.as_of(MAR, attributes=mode)  # type: ignore[arg-type]
    with pytest.raises(LeakError, match="aren't known when 2024-03 is scored"):
        read(as_of)
    assert as_of.reads == ()


def test_attributes_of_the_target_are_known_at_scoring_time_only(panel: Panel) -> None:
    assert panel.as_of(MAR, attributes="scoring_time").attributes()["age"].to_list() == [3]
    assert panel.as_of(MAR).attributes()["age"].to_list() == [2]
    with pytest.raises(LeakError, match="scoring_time"):
        panel.as_of(MAR).attributes(MAR)


def test_a_leak_is_a_data_error() -> None:
    assert issubclass(LeakError, DataError)


def test_what_was_read_stays_on_record(panel: Panel) -> None:
    as_of = panel.as_of(MAR)
    as_of.held(JAN)
    as_of.attributes(columns=["age"])
    as_of.attributes(JAN)
    as_of.held(JAN)
    assert as_of.reads == (Read("held", JAN), Read("attributes", FEB, ("age",)), Read("attributes", JAN))
    assert as_of.latest() == {"held": JAN, "attributes": FEB}


def test_the_month_after_the_last_can_be_predicted(panel: Panel) -> None:
    as_of = panel.as_of(APR)
    assert as_of.held_MC.tolist() == [[1], [2], [3]]
    with pytest.raises(InputError, match="month"):
        panel.as_of(APR, attributes="scoring_time")


def test_a_target_without_a_month_before_it_is_a_wrong_call(panel: Panel) -> None:
    for target in (JAN, month(5)):
        with pytest.raises(InputError, match="month"):
            panel.as_of(target)
    with pytest.raises(InputError, match="month_end"):
        panel.as_of(MAR, attributes="tomorrow")  # type: ignore[arg-type]
