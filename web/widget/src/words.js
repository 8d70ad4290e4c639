// The visitor's language: what the page's author says, then the page, then the browser; English when there is none.
const locales = {
  __proto__: null,
  en: () => import('./locales/en.js'),
  de: () => import('./locales/de.js'),
  es: () => import('./locales/es.js'),
  fi: () => import('./locales/fi.js'),
  fr: () => import('./locales/fr.js'),
};

export const words = (wanted) => {
  const all = [wanted, document.documentElement.lang, ...(navigator.languages || [])];
  const lang = all.map((l) => (l || '').slice(0, 2).toLowerCase()).find((l) => locales[l]) || 'en';
  return locales[lang]().then((m) => ({ __proto__: null, ...m.default, lang }), () => locales.en().then((m) => ({ __proto__: null, ...m.default, lang: 'en' })));
};
