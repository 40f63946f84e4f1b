// Light or dark: the system's wish until the person chooses; theme-start.js sets the choice before the first paint.
import { createStore, useStore } from './store.js';

const KEY = 'sf-theme';
const systemDark = matchMedia('(prefers-color-scheme: dark)');
const effective = () => document.documentElement.dataset.theme ?? (systemDark.matches ? 'dark' : 'light');
const store = createStore(effective());
systemDark.addEventListener('change', () => store.set(effective()));

export const useTheme = () => useStore(store);

export function toggleTheme() {
  const next = effective() === 'dark' ? 'light' : 'dark';
  document.documentElement.dataset.theme = next;
  try { localStorage.setItem(KEY, next); } catch { /* storage may be forbidden: the choice holds for this page */ }
  store.set(next);
}
