/**
 * Places of the dashboard as texts, such as "pools/default/net1?tab=leases".
 * The page keeps them in the fragment of its address, the extension in a query
 * parameter of its host's.
 */

export interface Place {
  view: View;
  params: Record<string, string>;
  query: URLSearchParams;
}

export type View =
  | 'overview' | 'pools' | 'pool-create' | 'pool' | 'pool-edit' | 'leases' | 'machines' | 'machine'
  | 'networks' | 'agents' | 'about' | 'missing';

const patterns: [View, string[]][] = [
  ['overview', ['']],
  ['pools', ['pools']],
  ['pool-create', ['pools', '+create']],
  ['pool', ['pools', ':namespace', ':name']],
  ['pool-edit', ['pools', ':namespace', ':name', 'edit']],
  ['leases', ['leases']],
  ['machines', ['machines']],
  ['machine', ['machines', ':namespace', ':name']],
  ['networks', ['networks']],
  ['agents', ['agents']],
  ['about', ['about']],
];

export function parsePlace(text: string): Place {
  const [path = '', search = ''] = split(text.replace(/^#?\/?/, ''));
  const segments = path.replace(/\/$/, '').split('/').map(decode);
  const query = new URLSearchParams(search);

  for (const [view, pattern] of patterns) {
    const params = match(pattern, segments);
    if (params) return { view, params, query };
  }

  return { view: 'missing', params: { path }, query };
}

/** The text of a place; parsePlace gives the place again. */
export function formatPlace(view: View, params: Record<string, string> = {}, query?: URLSearchParams | Record<string, string>): string {
  const pattern = patterns.find(([name]) => name === view)?.[1] ?? [''];
  const path = pattern.map((part) => (part.startsWith(':') ? encodeURIComponent(params[part.slice(1)] ?? '') : part)).join('/');
  const search = new URLSearchParams(query).toString();

  return search ? `${path}?${search}` : path;
}

function split(text: string): [string, string] {
  const mark = text.indexOf('?');

  return mark < 0 ? [text, ''] : [text.slice(0, mark), text.slice(mark + 1)];
}

function decode(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}

function match(pattern: string[], segments: string[]): Record<string, string> | undefined {
  if (pattern.length !== segments.length) return undefined;

  const params: Record<string, string> = {};
  for (const [i, part] of pattern.entries()) {
    const segment = segments[i]!;
    if (!part.startsWith(':')) {
      if (part !== segment) return undefined;
    } else if (segment === '') {
      return undefined;
    } else {
      params[part.slice(1)] = segment;
    }
  }

  return params;
}
