/** The search of leases: one text, facets and an order, as they stand in the address of the page. */

export interface LeaseSearch {
  q: string;
  namespace: string;
  network: string;
  /** As namespace/name. */
  pool: string;
  state: string[];
  sort: string;
  gaps: boolean;
}

export const emptySearch: LeaseSearch = { q: '', namespace: '', network: '', pool: '', state: [], sort: 'address', gaps: false };

const texts = ['q', 'namespace', 'network', 'pool'] as const;

export function searchFromQuery(query: URLSearchParams): LeaseSearch {
  return {
    q: query.get('q') ?? '',
    namespace: query.get('namespace') ?? '',
    network: query.get('network') ?? '',
    pool: query.get('pool') ?? '',
    state: query.getAll('state'),
    sort: query.get('sort') ?? 'address',
    gaps: query.get('gaps') === '1',
  };
}

/** What differs from an empty search, for the address of the page. */
export function queryFromSearch(search: LeaseSearch): URLSearchParams {
  const query = apiQuery(search);
  if (search.pool) query.set('pool', search.pool);
  if (search.gaps) query.set('gaps', '1');

  return query;
}

/** What the API is asked for. The pool is in the path there. */
export function apiQuery(search: LeaseSearch): URLSearchParams {
  const query = new URLSearchParams();
  for (const key of texts) if (key !== 'pool' && search[key].trim()) query.set(key, search[key].trim());
  for (const state of search.state) query.append('state', state);
  if (search.sort !== 'address') query.set('sort', search.sort);

  return query;
}

/** How many facets narrow the list. */
export function facets(search: LeaseSearch): number {
  return [search.namespace, search.network, search.pool].filter(Boolean).length + search.state.length;
}

/** The order after a click on a column: first up, then down. */
export function turnSort(sort: string, column: string): string {
  return sort === column ? `-${column}` : column;
}

/** For aria-sort of a column. */
export function sortOf(sort: string, column: string): 'ascending' | 'descending' | 'none' {
  if (sort === column) return 'ascending';

  return sort === `-${column}` ? 'descending' : 'none';
}

/**
 * Whether rows of free addresses can be shown between leases: only when every
 * lease of one pool is listed in the order of addresses. Otherwise why not.
 */
export function gapsRefused(search: LeaseSearch): string {
  if (!search.pool) return 'Choose one pool to see its free addresses between the leases.';
  if (search.sort !== 'address') return 'Sort by address to see the free addresses between the leases.';
  if (search.q.trim() || search.namespace || search.network || search.state.length > 0) {
    return 'Clear the other filters: between some of the leases, an address that is not listed need not be free.';
  }

  return '';
}
