"""Bank products of a tiny bank with a real model: offers of the advisor, with names and reasons in both languages."""

import pytest

from nextbest.assistant.base import Caller, ToolCall
from nextbest.assistant.tools.toolbox import Toolbox
from nextbest.pipeline.products.advisor import ProductAdvisor
from nextbest.pipeline.products.query import ProductQuery


@pytest.fixture(scope="module")
def advisor(bank_folder) -> ProductAdvisor:
    return ProductAdvisor.load(bank_folder / "products", panel=bank_folder)


@pytest.fixture(scope="module")
def offered(advisor):
    """A client with at least three offers, and they."""
    ids = advisor.panel.ids.decode(advisor.panel.rows(advisor.panel.months[-1])).to_list()[:50]
    answers = advisor.answer([ProductQuery(customer_id=each) for each in ids])
    return next((each, a) for each, a in zip(ids, answers, strict=True) if len(a.products) >= 3 and a.fired)


def ask(toolbox, tool, customer, **arguments):
    return toolbox.run(Caller(customer_id=customer), ToolCall(tool, arguments))


def test_offers_are_the_advisors_with_their_probabilities(bank_toolbox, offered) -> None:
    customer, answer = offered
    found = ask(bank_toolbox, "bank_products", customer)
    assert found.is_ok
    assert [item.item_id for item in found.items] == [p.product_id for p in answer.products]
    assert [f.value for f in found.figures] == [p.probability for p in answer.products]
    first = answer.products[0]
    assert found.items[0].reason is None or found.items[0].reason["en"] == first.reasons[0].text
    names = {p.column: (p.name_en, p.name_ru) for p in answer.decided.decisions.rules.schema.products}
    assert tuple(found.items[0].title[la] for la in ("en", "ru")) == names[first.product_id]
    assert found.as_of == answer.as_of


def test_warming_up_asks_about_nobody_and_needs_nothing_ready(bank_toolbox, tmp_path) -> None:
    bank_toolbox.warm()
    Toolbox.open(model=tmp_path, products=tmp_path, market=tmp_path).warm()
    Toolbox().warm()


def test_an_id_as_text_is_the_same_client(bank_toolbox, offered) -> None:
    clerk = Caller(role="clerk", may_see=frozenset({"*"}))
    customer, _ = offered
    named = bank_toolbox.run(clerk, ToolCall("bank_products", {"client": str(customer)}))
    assert [i.item_id for i in named.items] == [
        i.item_id for i in ask(bank_toolbox, "bank_products", customer).items
    ]


def test_refused_products_make_room_for_the_next(bank_toolbox, offered) -> None:
    customer, answer = offered
    first, second, *_ = [p.product_id for p in answer.products]
    found = ask(bank_toolbox, "bank_products", customer, k=1, deny=[first])
    assert [item.item_id for item in found.items] == [second]
    everything = [p.product_id for p in answer.products]
    assert ask(bank_toolbox, "bank_products", customer, deny=everything).code == "no_offer"


def test_a_product_is_explained_or_why_it_isnt_offered(bank_toolbox, offered) -> None:
    customer, answer = offered
    first = answer.products[0].product_id
    assert [i.item_id for i in ask(bank_toolbox, "explain_item", customer, item_id=first).items] == [first]
    held = next((f.product_id for f in answer.fired if f.filter == "held"), None)
    if held is not None:
        assert ask(bank_toolbox, "explain_item", customer, item_id=held).code == "already_held"
    closed = next(f.product_id for f in answer.fired if f.filter != "held")
    assert ask(bank_toolbox, "explain_item", customer, item_id=closed).code == "not_offered"


@pytest.mark.parametrize("customer", [None, 1, -5, 10**30])
def test_somebody_the_bank_doesnt_know_is_told_so(bank_toolbox, customer) -> None:
    found = ask(bank_toolbox, "bank_products", customer)
    assert (found.status, found.code) == ("no_data", "unknown_self")


def test_a_clerk_may_not_reach_a_client_by_another_spelling(bank_toolbox, offered) -> None:
    customer, _ = offered
    clerk = Caller(role="clerk", may_see=frozenset({f"{customer}.0"}))
    found = bank_toolbox.run(clerk, ToolCall("bank_products", {"client": f"{customer}.0"}))
    assert (found.status, found.code) == ("refused", "not_allowed")
