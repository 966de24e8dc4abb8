import { ref } from 'vue';

export type Theme = 'auto' | 'light' | 'dark';

const key = 'freehold-theme';
const dark = window.matchMedia('(prefers-color-scheme: dark)');

/** What the reader chose; auto follows the system. */
export const theme = ref<Theme>('auto');

/** Puts Rancher's class for the theme on the body, now and whenever it changes. */
export function beginTheme(): void {
  const kept = read();
  if (kept === 'light' || kept === 'dark') theme.value = kept;
  apply();
  dark.addEventListener('change', apply);
}

export function setTheme(to: Theme): void {
  theme.value = to;
  try {
    localStorage.setItem(key, to);
  } catch {
    // Then it is forgotten with the page.
  }
  apply();
}

function read(): string | null {
  try {
    return localStorage.getItem(key);
  } catch {
    return null;
  }
}

function apply(): void {
  const isDark = theme.value === 'dark' || (theme.value === 'auto' && dark.matches);
  document.body.classList.toggle('theme-dark', isDark);
  document.body.classList.toggle('theme-light', !isDark);
  document.documentElement.style.colorScheme = isDark ? 'dark' : 'light';
}
