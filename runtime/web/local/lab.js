// CIE Lab of sRGB: lightness apart from colour (CIE 15:2004, equations 8.3 to 8.8; sRGB: IEC 61966-2-1; white D65).

const TO_XYZ = [
  [0.412391, 0.357584, 0.180481],
  [0.212639, 0.715169, 0.072192],
  [0.019331, 0.119195, 0.950532],
];
// Relative to white, of which all rows add up to 1.
const TO_WHITE = TO_XYZ.map((row) => row.map((factor) => factor / row.reduce((sum, each) => sum + each, 0)));
const FROM_WHITE = inverse(TO_WHITE);

// Below its cube the cube root is continued as a straight line.
const KNEE = 6 / 29;

const product = (rows, values) => rows.map((row) => row.reduce((sum, factor, at) => sum + factor * values[at], 0));

// [L in 0..100, a, b] of one pixel of RGB in 0..1.
export function toLab(rgb) {
  const [x, y, z] = product(TO_WHITE, rgb.map(linear)).map(cubeRoot);
  return [116 * y - 16, 500 * (x - y), 200 * (y - z)];
}

// L in 0..100 of a gray sample in 0..1.
export const lightnessOf = (gray) => 116 * cubeRoot(linear(gray)) - 16;

// RGB in 0..1 of L, a and b; what sRGB does not have is clipped.
export function fromLab(lightness, a, b) {
  const y = (lightness + 16) / 116;
  const relative = [y + a / 500, y, y - b / 200].map((root) => (root > KNEE ? root ** 3 : (root - 4 / 29) * 3 * KNEE ** 2));
  return product(FROM_WHITE, relative).map((value) => encoded(Math.min(Math.max(value, 0), 1)));
}

// The light that a sample of sRGB stands for, and back.
const linear = (sample) => (sample <= 0.04045 ? sample / 12.92 : ((sample + 0.055) / 1.055) ** 2.4);
const encoded = (light) => (light <= 0.0031308 ? 12.92 * light : 1.055 * light ** (1 / 2.4) - 0.055);

const cubeRoot = (relative) => (relative > KNEE ** 3 ? Math.cbrt(relative) : relative / (3 * KNEE ** 2) + 4 / 29);

// Of a matrix of three rows, by its cofactors.
function inverse(rows) {
  const cofactor = (row, column) => {
    const [up, down] = [rows[(row + 1) % 3], rows[(row + 2) % 3]];
    const [left, right] = [(column + 1) % 3, (column + 2) % 3];
    return up[left] * down[right] - up[right] * down[left];
  };
  const determinant = rows[0].reduce((sum, value, column) => sum + value * cofactor(0, column), 0);
  return [0, 1, 2].map((row) => [0, 1, 2].map((column) => cofactor(column, row) / determinant));
}
