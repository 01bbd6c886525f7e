"""Which units to compute in int8 and how finely: as fast as can be within the budget, float where it does not pay."""

import logging
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from edgevision.exporters.quantization.minimum_cut import fastest_split
from edgevision.exporters.quantization.node_times import Profile
from edgevision.exporters.quantization.qdq import Plan
from edgevision.exporters.quantization.trials import Trials
from edgevision.exporters.quantization.units import Unit

_log = logging.getLogger(__name__)

# A set that is so much of the fastest's speed may be faster in the end, where that has to give up more.
_ABOUT_AS_FAST = 0.9


@dataclass(frozen=True)
class Choice:
    """The ``plan``, and for every unit that it leaves float or with activations of 16 bits the reason.

    ``fastest`` is what would be faster still, were there no budget.
    """

    plan: Plan
    reasons: Mapping[str, str] = field(default_factory=dict)
    fastest: Plan = field(default_factory=Plan)


@dataclass
class Search:
    """One search over the plans for ``units``.

    Attributes:
        noise: finds of units by name the noise power relative to the signal that the int8 of each alone leaves in the
            output, of the first ones first; it is asked only where not all can be int8.
        profile: what int8 saves in each unit by the engine's own profile, or is expected to save.
        budget: the largest loss of quality.
        late: whether the best so far is to be taken.
        over: whether nothing may be tried any more, found or not.
        a16w8: whether the target has activations of 16 bits for units that lose too much with 8.
        fine_inputs: whether what the network is given can be taken in two parts.
    """

    trials: Trials
    units: Sequence[Unit]
    noise: Callable[[Sequence[str]], Mapping[str, float]]
    profile: Profile
    budget: float
    late: Callable[[], bool]
    over: Callable[[], bool]
    a16w8: bool = False
    fine_inputs: bool = False
    # Of the likely plans those within the budget, and how many times as fast they are.
    _holding: dict[Plan, float] = field(default_factory=dict, init=False)

    def run(self) -> Choice:
        """Everything, without what does not pay; without what costs too much quality; with what fits again."""
        everything = frozenset(unit.name for unit in self.units)
        paying = self._fastest(everything)
        fastest = Plan(paying, fine_inputs=self._refined(paying))
        # What saves next to nothing and loses much hides which of the rest can be int8.
        paying = self._nearer(paying)
        reasons = dict.fromkeys(everything - paying, "int8 does not pay here")
        fine = fastest.fine_inputs if paying == fastest.int8 else self._refined(paying)
        plan = self._within_budget(paying, fine=fine)
        kept = plan.int8
        reasons |= dict.fromkeys(paying - kept, "int8 costs too much quality here")
        reasons |= dict.fromkeys(plan.a16w8, "activations of 8 bits cost too much quality here")
        if kept and kept != paying:
            # What is left between float parts may no longer be worth its conversions.
            connected = self._without_islands(kept)
            lean = replace(plan, int8=connected, a16w8=plan.a16w8 & connected)
            if connected != kept and self._is_faster(lean, plan):
                reasons |= dict.fromkeys(kept - connected, "a lone int8 part between float ones does not pay")
                plan = lean
        likely = max(self._holding, key=lambda one: self._holding[one], default=plan)
        if likely != plan and self._holding[likely] > self._ratio(plan):
            # What was given up one by one may leave less than one of the plans that everything began with.
            plan = likely
            reasons = dict.fromkeys(everything - paying - plan.int8, "int8 does not pay here")
            reasons |= dict.fromkeys(paying - plan.int8, "int8 costs too much quality here")
        return Choice(plan, reasons, fastest)

    def _fastest(self, everything: frozenset[str]) -> frozenset[str]:
        """The set of the fastest of a few likely plans; everything where time cannot be measured."""
        best = everything
        speed = self.trials.speedup(Plan(best), "all int8")
        if speed is None:
            return best
        fastest = speed.ratio
        plans = [(name, Plan(members)) for name, members in self._likely(everything)]
        if self.fine_inputs and not self._holds(Plan(everything), "all int8"):
            plans.insert(0, ("all int8, fine inputs", Plan(everything, fine_inputs=True)))
        for index, (name, plan) in enumerate(plans):
            if self.late():
                break
            self.trials.ahead(each for _, each in plans[index:])
            found = self.trials.speedup(plan, name)
            assert found is not None
            if self._holds(plan, name):
                self._holding[plan] = found.ratio
            if found.ratio > fastest:
                best, fastest = plan.int8, found.ratio
        return best

    def _nearer(self, names: frozenset[str]) -> frozenset[str]:
        """``names``, or if these lose too much their convolutions, where they are about as fast and lose less than half
        as much beyond the budget."""
        convolutions = names & self._convolutions
        if convolutions in (names, frozenset()) or self._holds(Plan(names), "what pays") or self.over():
            return names
        plans = Plan(names), Plan(convolutions)
        excess, theirs = (self.trials.quality(plan, "its convolutions").loss - self.budget for plan in plans)
        if theirs >= excess / 2:
            return names
        ratio, their_ratio = map(self._ratio, plans)
        return convolutions if their_ratio >= _ABOUT_AS_FAST * ratio else names

    @property
    def _convolutions(self) -> frozenset[str]:
        return frozenset(unit.name for unit in self.units if unit.operator in ("Conv", "ConvTranspose"))

    def _likely(self, everything: frozenset[str]) -> list[tuple[str, frozenset[str]]]:
        weighted = frozenset(unit.name for unit in self.units if unit.channels is not None)
        # Their kernels give float: of what stands between them nothing has to be int8.
        dense = frozenset(unit.name for unit in self.units if unit.operator in ("Gemm", "MatMul"))
        wide = frozenset(u.name for u in self.units if u.channels is None or min(u.channels) >= 8)
        first, last = self.units[0].name, self.units[-1].name
        sets = {}
        if self.profile.gain:
            sets["fastest by the profile"] = fastest_split(self.profile.gain, self.profile.borders)
        # What normalises instances by their own statistics has dense layers, products and sums of a few numbers.
        sets |= {
            "convolutions only": self._convolutions if self._convolutions < weighted else frozenset(),
            "without the first": everything - {first},
            "without the last": everything - {last},
            "without both ends": everything - {first, last},
            "without narrow layers": wide,
            "weighted only": weighted,
            "dense layers only": dense if len(dense) > 1 else frozenset(),
        }
        return [(name, members) for name, members in sets.items() if members and members != everything]

    def _within_budget(self, names: frozenset[str], *, fine: bool) -> Plan:
        """As many of ``names`` as the budget allows, with activations of 16 bits only where 8 cost too much."""
        if not self.a16w8 or self._holds(Plan(names), "what pays"):
            return Plan(self._most(names, lambda chosen: Plan(chosen, fine_inputs=fine), "what pays"), fine_inputs=fine)
        kept = self._most(names, lambda chosen: Plan(chosen, a16w8=chosen), "all 16-bit")
        narrow = self._most(kept, lambda chosen: Plan(kept, a16w8=kept - chosen), "8-bit again")
        return Plan(kept, a16w8=kept - narrow)

    def _refined(self, names: frozenset[str]) -> bool:
        """Whether ``names`` lose too much, and less where what the network is given is taken in two parts."""
        if not self.fine_inputs or not names or self._holds(Plan(names), "what pays") or self.late():
            return False
        fine = self.trials.quality(Plan(names, fine_inputs=True), "what pays, fine inputs")
        return fine.loss < self.trials.quality(Plan(names), "what pays").loss

    def _most(self, names: frozenset[str], plan: Callable[[frozenset[str]], Plan], what: str) -> frozenset[str]:
        """As many of ``names`` as the budget allows in their ``plan``, that of none being within it.

        Those are given up first that cost most for what they gain; then whatever still fits comes back.
        """
        if not names or self._holds(plan(names), what):
            return names
        order = self._by_cost(names)
        low, high = 0, len(order)
        # The loss grows with every unit: the longest beginning that holds is found by halving, late or not until there
        # is one, as otherwise there would be nothing; but no promise is broken for it.
        while high - low > 1 and not (self.late() if low else self.over()):
            middle = (low + high) // 2
            self.trials.ahead(plan(frozenset(order[:place])) for place in _halvings(low, high))
            if self._holds(plan(frozenset(order[:middle])), f"{what}: the best {middle}"):
                low = middle
            else:
                high = middle
        kept = frozenset(order[:low])
        for place, name in enumerate(order[low + 1 :], low + 1):
            if self.late():
                break
            self.trials.ahead(plan(kept | {other}) for other in order[place:])
            if self._holds(plan(kept | {name}), f"{what}: with {name}"):
                kept |= {name}
        return kept

    def _holds(self, plan: Plan, name: str) -> bool:
        quality = self.trials.quality(plan, name)
        _log.debug(
            "%s, %d units, %d of them with 16 bits: loss at most %.4f of %.4f",
            name,
            len(plan.int8),
            len(plan.a16w8),
            quality.at_most,
            self.budget,
        )
        return quality.proof(self.budget) is not None

    def _ratio(self, plan: Plan) -> float:
        """How many times as fast as the plain float model a plan is, where time can be measured."""
        found = self.trials.speedup(plan, "within the budget") if plan.int8 else None
        return 1.0 if found is None else found.ratio

    def _is_faster(self, plan: Plan, than: Plan) -> bool:
        if not plan.int8 or self.late() or not self._holds(plan, "without islands"):
            return False
        one, other = (self.trials.speedup(each, "without islands") for each in (plan, than))
        return one is not None and other is not None and one.ratio > other.ratio

    def _by_cost(self, names: frozenset[str]) -> list[str]:
        """The cheapest first; of equals the first in the graph, so that a search is repeated as it was."""
        gain = {unit.name: max(self.profile.gain.get(unit.name, 1.0), 0.1) for unit in self.units if unit.name in names}
        # Where time runs out, what saves little has no noise of its own.
        noise = self.noise(sorted(gain, key=lambda name: -gain[name]))
        # Noise for each microsecond saved.
        return sorted(gain, key=lambda name: noise[name] / gain[name])

    def _without_islands(self, names: frozenset[str]) -> frozenset[str]:
        """Without units that touch no other int8 unit."""
        makers = {unit.output: unit.name for unit in self.units}
        touched: set[str] = set()
        for unit in self.units:
            if unit.name not in names:
                continue
            for tensor in unit.inputs:
                maker = makers.get(tensor)
                if maker in names:
                    touched |= {unit.name, str(maker)}
        return frozenset(touched)


def _halvings(low: int, high: int) -> Iterator[int]:
    """The middles of an interval, of its halves, of their halves, and so on: where halving it may come by."""
    intervals = deque([(low, high)])
    while intervals:
        low, high = intervals.popleft()
        if high - low > 1:
            middle = (low + high) // 2
            yield middle
            intervals += [(middle, high), (low, middle)]
