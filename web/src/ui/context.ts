import { computed, inject, type InjectionKey, type Ref } from 'vue';
import type { Place, View } from '../core/route';
import type { DataSource } from '../data/source';
import type { About } from '../data/types';

/** Where the dashboard is and how it gets elsewhere; the page and the extension each have their own. */
export interface Navigation {
  readonly place: Readonly<Ref<Place>>;
  href(view: View, params?: Record<string, string>, query?: URLSearchParams | Record<string, string>): string;
  go(view: View, params?: Record<string, string>, query?: URLSearchParams | Record<string, string>): void;
  /** Changes the query of the place without a new entry in the browser's history. */
  setQuery(query: URLSearchParams): void;
}

/** What all views share. */
export interface Context {
  source: DataSource;
  navigation: Navigation;
  /** Who calls and what they may do; of the last answer. */
  about: Ref<About | undefined>;
  /** The moment that ages are counted to, in milliseconds; moves on by itself. */
  now: Ref<number>;
  /** Says something to screen readers and shows it for a while. */
  say(text: string, tone?: 'success' | 'error' | 'info'): void;
}

export const contextKey: InjectionKey<Context> = Symbol('freehold');

export function useContext(): Context {
  const context = inject(contextKey);
  if (!context) throw new Error('this component is used outside of the dashboard');

  return context;
}

/**
 * The place of the view that asks, as long as it is there: while another view
 * takes over, this one must not read what is meant for that.
 */
export function usePlace(): Readonly<Ref<Place>> {
  const { navigation } = useContext();
  const first = navigation.place.value;
  let last = first;

  return computed(() => {
    const next = navigation.place.value;
    if (next.view === first.view && JSON.stringify(next.params) === JSON.stringify(first.params)) last = next;

    return last;
  });
}
