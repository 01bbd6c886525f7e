"""The verdict in words, in the figures of its own table."""

from edgevision.exporters.quantization.options import Preference
from edgevision.exporters.quantization.qdq import Plan
from edgevision.exporters.quantization.report import AS_GIVEN, CLEANED, REWRITTEN, Outcome
from edgevision.exporters.quantization.selection import Selection, SpeedupOver
from edgevision.exporters.quantization.targets import Target
from edgevision.runtime.benchmark.timing import Speedup


def reason(selection: Selection, first: str, speedup: SpeedupOver | None, prefer: Preference) -> str:
    """Why that row is written, in the table's own figures."""
    written, fastest = selection.written, selection.fastest_float
    int8, weight_only = selection.fastest_int8, selection.weight_only

    def times(name: str) -> str:
        return "" if speedup is None else _times(speedup(name, fastest.name), fastest.name)

    if written.reduced:
        reasons = [f"{_known_as(written.name)} is {times(written.name)}"]
        if written.outcome is not Outcome.INT8 and int8 is not None and speedup is not None:
            reasons.append(
                f"int8 pays less: {int8.name} is {_interval(speedup(int8.name, fastest.name))} as fast as that"
            )
        if prefer is Preference.INT8 and speedup is not None and speedup(written.name, fastest.name).low <= 1:
            reasons.append("it is written because --prefer int8 asks for it")
    else:
        reasons = []
        if int8 is not None:
            doubtful = speedup is not None and speedup(int8.name, fastest.name).high >= 1
            pays = "is not shown to pay here" if doubtful else "does not pay here"
            reasons.append(f"int8 arithmetic {pays}: {int8.name} is {times(int8.name)}")
        if written.outcome is Outcome.WEIGHT_ONLY:
            slower = speedup is not None and speedup(written.name, fastest.name).high < 1
            which = f", which is {times(written.name)}" if slower else ""
            reasons.append(f"the weights are stored in int8 and computed with in float{which}")
        else:
            if weight_only is not None:
                reasons.append(f"with weights stored in int8 it is {times(weight_only.name)}")
            if speedup is None or written is fastest:
                form = "the float32 form" if speedup is None else "the fastest float32 form"
                reasons.append(f"written is {form}, {_known_as(written.name)}")
            else:
                reasons.append(
                    f"written is {_known_as(written.name)}, as {_known_as(fastest.name)} is not shown to be faster:"
                    f" {_interval(speedup(fastest.name, written.name))} as fast"
                )
    if speedup is not None and first not in (written.name, fastest.name):
        found = speedup(written.name, first)
        reasons.append(f"it is {_interval(found)} as fast as {_known_as(first)}")
        if found.high < 1:
            reasons.append("the model that was given is the faster one")
    return "; ".join(reasons)


def _times(found: Speedup, fastest: str) -> str:
    """How many times as fast as the fastest float32 form; what is no gain is called so."""
    text = f"{_interval(found)} as fast as {_known_as(fastest)}, the fastest float32 form"
    if found.low > 1:
        return text
    if found.ratio < 1:
        return f"{'slower' if found.high < 1 else 'rather slower'}, {text}"
    return f"not shown to be faster, {text}"


def _interval(found: Speedup) -> str:
    return f"{found.ratio:.2f} times ({found.low:.2f} to {found.high:.2f})"


def _known_as(label: str) -> str:
    for name, word in ((AS_GIVEN, "given"), (CLEANED, "cleaned"), (REWRITTEN, "rewritten")):
        if label == name or label.startswith(f"{name} in "):
            return f"the {word} one{label.removeprefix(name)}"
    return label


def expectation(plan: Plan, everything: Plan, target: Target) -> str:
    """What the kind of device is known for, which is the most where only some of ``everything`` computes in 8 bits."""
    wide = f" with activations of 16 bits in {len(plan.a16w8)} of {len(plan.int8)} operators" if plan.a16w8 else ""
    most = "at most " if plan.a16w8 or plan.int8 != everything.int8 else ""
    return f"int8 for {target.name}{wide}, expected {most}{target.speedup:g} times as fast, not measured"
