// The agent's colour, made readable: on a surface, and as the ground of an icon.
import { channels, contrast, on, valid } from './color.js';

const surfaces = { __proto__: null, light: [247, 245, 243], dark: [43, 40, 37] }; // the least favourable of each theme
const hex = (c) => '#' + c.map((v) => Math.round(v).toString(16).padStart(2, '0')).join('');

// toward moves a colour to black or white until it stands out enough.
const toward = (color, theme, atLeast) => {
  const end = theme === 'dark' ? 255 : 0;
  for (let part = 0; part < 1; part += 0.05) {
    const c = channels(color).map((v) => v + (end - v) * part);
    if (contrast(c, surfaces[theme]) >= atLeast) return hex(c);
  }
  return end ? '#ffffff' : '#000000';
};

export const paint = (element, color, theme) => {
  const solid = toward(valid(color), theme, 3);
  const style = element.style;
  element.dataset.theme = theme;
  style.setProperty('--accent', valid(color));
  style.setProperty('--ink', toward(color, theme, 4.7));
  style.setProperty('--solid', solid);
  style.setProperty('--on', on(solid, 3));
};
