// Contrast as WCAG 2 defines it, for colours written #RGB or #RRGGBB.

export const fallback = '#3B82F6';

export const valid = (color) => (/^#([\da-f]{3}){1,2}$/i.test(color) ? color : fallback);

export const channels = (color) => {
  const digits = valid(color).slice(1);
  const size = digits.length / 3;
  return [0, 1, 2].map((i) => parseInt(digits.slice(i * size, (i + 1) * size).repeat(3 - size), 16));
};

const luminance = ([r, g, b]) => {
  const linear = (v) => ((v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
  return 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
};

export const contrast = (a, b) => {
  const x = luminance(a);
  const y = luminance(b);
  return (Math.max(x, y) + 0.05) / (Math.min(x, y) + 0.05);
};

// on is white where it is readable on a colour with the given contrast, and near black elsewhere.
export const on = (color, atLeast) => (1.05 / (luminance(channels(color)) + 0.05) >= atLeast ? '#fff' : '#111');
