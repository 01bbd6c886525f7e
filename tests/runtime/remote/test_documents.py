"""What a board prints as JSON is looked at before anybody believes it."""

import pytest

from edgevision.core.errors import DeviceError
from edgevision.runtime.remote.documents import check_names, parse_document
from edgevision.runtime.remote.job import Fetched
from edgevision.runtime.remote.run_job import JobResult


@pytest.mark.parametrize(
    "text",
    ["", "[]", "nonsense", "NaN", '{"a": Infinity}', '{"a": 1e999}', '{"a": %s}' % (10**30), '{"a": %s}' % ("9" * 5000)]
    + ['{"a":' * depth + "1" + "}" * depth for depth in (40, 900, 100_000)],
    ids=range(11),
)
def test_what_is_no_document_of_ours_is_refused(text):
    with pytest.raises(DeviceError):
        parse_document(JobResult("liar", 0, text, "", Fetched(frozenset(), {})))


@pytest.mark.parametrize(
    ("named", "telling"),
    [(["a", "c"], "'c' was not asked for"), (["a", "a"], "twice"), (["a"], "'b' is left out"), ([], "'a' is left out")],
)
def test_names_are_those_that_were_sent_each_once(named, telling):
    check_names(["b", "a"], ["a", "b"], all_of_them=True)
    with pytest.raises(ValueError, match=telling):
        check_names(named, ["a", "b"], all_of_them=True)
