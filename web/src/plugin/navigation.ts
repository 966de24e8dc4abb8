import { computed, shallowRef } from 'vue';
import { formatPlace, parsePlace, type Place } from '../core/route';
import type { Key } from '../data/source';
import type { Navigation } from '../ui/context';
import { dashboardType, param, product, type Route, type Router, type Target } from './host';

const parameter = 'at';

function target(cluster: string, at: string): Target {
  return { name: `${product}-c-cluster-resource`, params: { product, cluster, resource: dashboardType }, query: at ? { [parameter]: at } : {} };
}

function placeOf(route: Route): Place {
  const at = route.query[parameter];

  return parsePlace(typeof at === 'string' ? at : '');
}

/** Navigation by a parameter of the host's address, on the dashboard's own page. */
export function routeNavigation(router: Router, cluster: string): Navigation {
  let last = placeOf(router.currentRoute.value);
  // While the host goes elsewhere, what is still shown must not follow it.
  const place = computed(() => {
    const route = router.currentRoute.value;
    if (param(route, 'resource') === dashboardType) last = placeOf(route);

    return last;
  });

  return {
    place,
    href: (view, params, query) => router.resolve(target(cluster, formatPlace(view, params, query))).href,
    go: (view, params, query) => void router.push(target(cluster, formatPlace(view, params, query))),
    setQuery: (query) => {
      const to = formatPlace(place.value.view, place.value.params, query);
      if (to !== formatPlace(place.value.view, place.value.params, place.value.query)) void router.replace(target(cluster, to));
    },
  };
}

/** Navigation of one machine's view on a page of the host: every way leads to the dashboard. */
export function machineNavigation(router: Router, cluster: string, machine: Key): Navigation {
  const there = routeNavigation(router, cluster);
  const at = (query?: URLSearchParams) => parsePlace(formatPlace('machine', { ...machine }, query));
  const place = shallowRef(at());

  return { ...there, place, setQuery: (query) => (place.value = at(query)) };
}
