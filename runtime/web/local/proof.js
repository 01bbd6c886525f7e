// Whether a model computes here what it computed where the site was made, on the samples that came with it.

// So many runs are timed beside the first, which is slower.
const RUNS = 5;
// A backend that is slower than anybody would wait for is not asked for all samples.
const MOST_MILLISECONDS = 2000;

// Runs the samples of `parity` {count, inputs, outputs, floor_db, arg_max} whose numbers are in `buffer`, and times them.
// The answer: {samples, sqnr_db, agreement, milliseconds, right},
// of as many samples; null dB for no difference.
export async function prove(engine, parity, buffer) {
  const given = tensors(parity.inputs, buffer, 0);
  const expected = tensors(parity.outputs, buffer, given.end);
  let sqnr = Infinity;
  let equal = 0;
  let finite = true;
  const times = [];
  const began = performance.now();
  const run = async (sample) => {
    const start = performance.now();
    const found = await engine.run(...given.samples[sample]);
    times.push(performance.now() - start);
    return found;
  };
  const isTime = () => !times.length || performance.now() - began < MOST_MILLISECONDS;
  let samples = 0;
  for (; samples < parity.count && isTime(); samples += 1) {
    const found = await run(samples);
    found.forEach(({ data }, output) => {
      const figures = differences(expected.samples[samples][output].data, data);
      finite &&= figures.finite;
      sqnr = Math.min(sqnr, figures.sqnr);
    });
    if (parity.arg_max) equal += argMax(found[0].data) === parity.arg_max[samples];
  }
  while (times.length <= RUNS && isTime()) await run(0);
  const agreement = parity.arg_max ? (100 * equal) / samples : null;
  const right = finite && sqnr >= parity.floor_db && (agreement === null || agreement === 100);
  return { samples, sqnr_db: sqnr === Infinity ? null : sqnr, agreement, milliseconds: median(times.slice(-RUNS)), right };
}

// The tensors of each sample, one behind the other for each input or output: float32, little-endian.
function tensors(specs, buffer, start) {
  let end = start;
  const columns = specs.map(({ shape, count }) => {
    const size = shape.reduce((product, side) => product * side, 1);
    return Array.from({ length: count }, () => {
      const data = new Float32Array(buffer, end, size);
      end += size * 4;
      return { data, shape };
    });
  });
  return { samples: columns[0].map((_, index) => columns.map((column) => column[index])), end };
}

function differences(expected, found) {
  let [signal, noise, finite] = [0, 0, expected.length === found.length];
  for (let at = 0; at < expected.length; at += 1) {
    signal += expected[at] ** 2;
    noise += (expected[at] - found[at]) ** 2;
  }
  finite &&= Number.isFinite(noise);
  return { sqnr: noise === 0 ? Infinity : 10 * Math.log10(Math.max(signal, 1e-300) / noise), finite };
}

const argMax = (values) => values.indexOf(values.reduce((most, value) => Math.max(most, value), -Infinity));

const median = (times) => times.toSorted((one, other) => one - other)[Math.floor(times.length / 2)];
