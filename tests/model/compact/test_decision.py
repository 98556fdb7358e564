"""Words or a call: the router and the Thinker vote, and neither decides alone."""

from __future__ import annotations

from omni_agent.model.compact.decision import decide, likely_names, probability_of_call


def test_where_both_agree_it_is_done() -> None:
    assert decide({"ring": 0.9, "": 0.1}, 0.7, {"ring": 0.9}) == "ring"
    assert decide({"ring": 0.1, "": 0.9}, 0.01, {"ring": 0.4}) is None


def test_a_shy_thinker_is_outvoted_by_a_sure_router() -> None:
    assert decide({"ring": 0.95, "": 0.05}, 0.0, {"ring": 0.5}) == "ring"


def test_an_unsure_router_leaves_it_to_the_thinker() -> None:
    torn = {"ring": 0.3, "stop": 0.3, "": 0.4}
    assert decide(torn, 0.8, {"ring": 0.02, "stop": 0.95}) == "stop"
    assert decide(torn, 0.0, {"ring": 0.05, "stop": 0.05}) is None


def test_the_name_need_not_be_asked_for_where_it_could_change_nothing() -> None:
    routed, call = {"ring": 0.05, "": 0.95}, 0.01
    assert decide(routed, call) is None
    assert decide(routed, call, {"ring": 1.0}) is None


def test_a_name_is_as_likely_as_the_token_that_it_begins_with() -> None:
    likely = {"list": 0.6, "li": 0.1, "find": 0.2, "": 0.1}
    assert likely_names(["list_timers", "find", "ring"], likely) == {
        "list_timers": 0.6,
        "find": 0.2,
        "ring": 0.0,
    }


def test_a_call_is_seen_by_its_brace() -> None:
    assert probability_of_call({'{"': 0.5, " {": 0.1, "Sure": 0.4}) == 0.6
