import { shallowRef } from 'vue';
import { formatPlace, parsePlace } from '../core/route';
import type { Navigation } from '../ui/context';

/** Navigation by the fragment of the page's address, which no proxy sees. */
export function hashNavigation(): Navigation {
  const place = shallowRef(parsePlace(location.hash));
  window.addEventListener('hashchange', () => (place.value = parsePlace(location.hash)));
  const href: Navigation['href'] = (view, params, query) => `#/${formatPlace(view, params, query)}`;

  return {
    place,
    href,
    go: (view, params, query) => {
      location.hash = href(view, params, query);
    },
    setQuery: (query) => {
      const to = `#/${formatPlace(place.value.view, place.value.params, query)}`;
      if (to === location.hash) return;
      history.replaceState(history.state, '', to);
      place.value = parsePlace(to);
    },
  };
}
