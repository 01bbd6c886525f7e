// The colours of the command line's drawings: told apart with any kind of colour vision (Okabe & Ito 2008).

const COLORS = [
  [230, 159, 0],
  [86, 180, 233],
  [0, 158, 115],
  [240, 228, 66],
  [0, 114, 178],
  [213, 94, 0],
  [204, 121, 167],
];

// Red, green, blue of a class; behind the first seven their lighter and darker kin.
export function classColor(index) {
  const color = COLORS[index % COLORS.length];
  const turn = Math.floor(index / COLORS.length) % 3;
  if (turn === 0) return color;
  const lightness = (Math.max(...color) + Math.min(...color)) / 2;
  return withLightness(color, lightness, turn === 1 ? lightness + (255 - lightness) * 0.5 : lightness * 0.55);
}

// Hue and saturation (of HLS) stay; the most that channels can be apart there follows from the lightness.
function withLightness(color, before, after) {
  const spread = (lightness) => 255 - Math.abs(2 * lightness - 255);
  return color.map((value) => Math.round(after + ((value - before) * spread(after)) / spread(before)));
}

export const css = ([red, green, blue], alpha = 1) => `rgb(${red} ${green} ${blue} / ${alpha})`;

// Black or white, whichever is read on `color`.
export const inkOn = ([red, green, blue]) => (0.299 * red + 0.587 * green + 0.114 * blue > 110 ? "#000" : "#fff");
