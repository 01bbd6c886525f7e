// numpy's default_rng(seed) in the part that latents are drawn with: SeedSequence, PCG64 (O'Neill 2014) and the
// ziggurat of 256 strips (Marsaglia & Tsang 2000), so that a seed draws here what it draws anywhere.

const MASK_64 = (1n << 64n) - 1n;
const MASK_128 = (1n << 128n) - 1n;
const MULTIPLIER = (2549297995355413924n << 64n) + 4865540595714422341n;

export class Random {
  #state;
  #increment;
  #half = null;

  // `seed` are whole numbers, as the tuple (seed, index).
  constructor(...seed) {
    const words = stateWords(seed.flatMap(uint32s), 8);
    const wide = (index) => (BigInt(words[index + 1]) << 32n) | BigInt(words[index]);
    const [high, low, incrementHigh, incrementLow] = [0, 2, 4, 6].map(wide);
    this.#increment = ((((incrementHigh << 64n) | incrementLow) << 1n) | 1n) & MASK_128;
    this.#state = 0n;
    this.#step();
    this.#state = (this.#state + ((high << 64n) | low)) & MASK_128;
    this.#step();
  }

  // Uniform in 0..1, of 53 bits.
  double() {
    return Number(this.#next64() >> 11n) / 2 ** 53;
  }

  // A normal number in float32.
  normal() {
    for (;;) {
      const bits = this.#next32();
      const strip = bits & 0xff;
      const distance = (bits >>> 9) & 0x7fffff;
      const size = Math.fround(distance * ZIGGURAT.widths[strip]);
      const value = bits & 0x100 ? -size : size;
      if (distance < ZIGGURAT.inside[strip]) return value;
      if (strip === 0) return this.#tail(distance);
      const { heights } = ZIGGURAT;
      const height = Math.fround(Math.fround(Math.fround(heights[strip - 1] - heights[strip]) * this.#float()) + heights[strip]);
      if (height < Math.exp(-0.5 * value * value)) return value;
    }
  }

  #tail(distance) {
    for (;;) {
      const beyond = Math.fround(-Math.fround(1 / RIGHTMOST) * Math.fround(Math.log1p(-this.#float())));
      const height = -Math.fround(Math.log1p(-this.#float()));
      if (height + height > beyond * beyond) {
        const size = Math.fround(Math.fround(RIGHTMOST) + beyond);
        return (distance >> 8) & 1 ? -size : size;
      }
    }
  }

  // Uniform in 0..1, of 24 bits.
  #float() {
    return (this.#next32() >>> 8) / 2 ** 24;
  }

  #next32() {
    if (this.#half !== null) {
      const half = this.#half;
      this.#half = null;
      return half;
    }
    const both = this.#next64();
    this.#half = Number(both >> 32n);
    return Number(both & 0xffffffffn);
  }

  #next64() {
    this.#step();
    const turn = this.#state >> 122n;
    const mixed = (this.#state >> 64n) ^ (this.#state & MASK_64);
    return ((mixed >> turn) | (mixed << ((64n - turn) & 63n))) & MASK_64;
  }

  #step() {
    this.#state = (this.#state * MULTIPLIER + this.#increment) & MASK_128;
  }
}

// A whole number in words of 32 bits, the lowest first.
function uint32s(number) {
  const words = [];
  for (let left = BigInt(number); left > 0n || !words.length; left >>= 32n) words.push(Number(left & 0xffffffffn));
  return words;
}

const POOL = 4;

// SeedSequence(entropy).generate_state(count).
function stateWords(entropy, count) {
  let factor = 0x43b0d7e5;
  const hash = (value) => {
    let mixed = (value ^ factor) >>> 0;
    factor = Math.imul(factor, 0x931e8875) >>> 0;
    mixed = Math.imul(mixed, factor) >>> 0;
    return (mixed ^ (mixed >>> 16)) >>> 0;
  };
  const mix = (one, other) => {
    const mixed = (Math.imul(one, 0xca01f9dd) - Math.imul(other, 0x4973f715)) >>> 0;
    return (mixed ^ (mixed >>> 16)) >>> 0;
  };
  const pool = Array.from({ length: POOL }, (_, index) => hash(entropy[index] ?? 0));
  for (let from = 0; from < POOL; from += 1) {
    for (let to = 0; to < POOL; to += 1) if (from !== to) pool[to] = mix(pool[to], hash(pool[from]));
  }
  for (const word of entropy.slice(POOL)) for (let to = 0; to < POOL; to += 1) pool[to] = mix(pool[to], hash(word));
  let other = 0x8b51f9dd;
  return Array.from({ length: count }, (_, index) => {
    let value = (pool[index % POOL] ^ other) >>> 0;
    other = Math.imul(other, 0x58f38ded) >>> 0;
    value = Math.imul(value, other) >>> 0;
    return (value ^ (value >>> 16)) >>> 0;
  });
}

const STRIPS = 256;
const STEPS = 2 ** 23;
// Where the last strip begins, and the area of each.
const RIGHTMOST = 3.6541528853610088;
const AREA = 0.004928673233974655;

const ZIGGURAT = ziggurat();

// {inside, widths, heights} of the strips: below how many steps a point is surely inside, how wide a step is, and the
// density at the strip's edge.
function ziggurat() {
  const density = (x) => Math.exp(-0.5 * x * x);
  const inside = new Uint32Array(STRIPS);
  const widths = new Float32Array(STRIPS);
  const heights = new Float32Array(STRIPS);
  const base = AREA / density(RIGHTMOST);
  inside[0] = (RIGHTMOST / base) * STEPS;
  widths[0] = base / STEPS;
  heights[0] = 1;
  widths[STRIPS - 1] = RIGHTMOST / STEPS;
  heights[STRIPS - 1] = density(RIGHTMOST);
  let edge = RIGHTMOST;
  for (let strip = STRIPS - 2; strip > 0; strip -= 1) {
    const next = Math.sqrt(-2 * Math.log(AREA / edge + density(edge)));
    inside[strip + 1] = (next / edge) * STEPS;
    widths[strip] = next / STEPS;
    heights[strip] = density(next);
    edge = next;
  }
  return { inside, widths, heights };
}
