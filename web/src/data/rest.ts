import type { Http } from './http';
import type { DataSource, Key } from './source';
import { EventStream } from './stream';

const merge = 'application/merge-patch+json';
const dry = '?dryRun=true';

/** The data source that asks the managers' REST API. */
export function restSource(http: Http): DataSource {
  const stream = new EventStream(http);
  const get = <T>(path: string, query?: URLSearchParams, signal?: AbortSignal) => http.json<T>(path + search(query), { signal });
  const post = <T>(path: string, body?: unknown, signal?: AbortSignal) => http.json<T>(path, { method: 'POST', body, signal });

  return {
    about: (signal) => get('/about', undefined, signal),
    pools: (query, signal) => get('/pools', query, signal),
    pool: (key, signal) => get(`/pools/${path(key)}`, undefined, signal),
    addresses: (key, query, signal) => get(`/pools/${path(key)}/addresses`, query, signal),
    leases: (pool, query, signal) => get(leases(pool), query, signal),
    exportLeases: async (pool, query, format) => {
      const all = new URLSearchParams(query);
      all.set('format', format);
      const accept = format === 'csv' ? 'text/csv' : 'application/json';

      return (await http.send(leases(pool) + search(all), { accept })).blob();
    },
    lease: (key, signal) => get(`/leases/${path(key)}`, undefined, signal),
    history: (key, signal) => get(`/leases/${path(key)}/history`, undefined, signal),
    networks: (query, signal) => get('/networks', query, signal),
    agents: (query, signal) => get('/agents', query, signal),
    machines: (query, signal) => get('/vms', query, signal),
    machine: (key, signal) => get(`/vms/${path(key)}`, undefined, signal),
    explain: (key, signal) => get(`/vms/${path(key)}/explain`, undefined, signal),

    previewPool: (pool, signal) => post(`/pools${dry}`, pool, signal),
    createPool: (pool) => post('/pools', pool),
    previewEdit: (key, spec, resourceVersion, signal) =>
      http.json(`/pools/${path(key)}${dry}`, { method: 'PATCH', body: { spec, resourceVersion }, contentType: merge, signal }),
    editPool: (key, spec, resourceVersion) =>
      http.json(`/pools/${path(key)}`, { method: 'PATCH', body: { spec, resourceVersion }, contentType: merge }),
    pausePool: (key, paused) => post(`/pools/${path(key)}/${paused ? 'pause' : 'resume'}`),
    pauseMachine: (key, paused) => post(`/vms/${path(key)}/${paused ? 'pause' : 'resume'}`),
    previewReserve: (pool, reservation, signal) => post(`${leases(pool)}${dry}`, reservation, signal),
    reserve: (pool, reservation) => post(leases(pool), reservation),
    previewRelease: (lease, uid) => http.json(`/leases/${path(lease)}${dry}&${new URLSearchParams({ uid })}`, { method: 'DELETE' }),
    release: (lease, uid) => http.json(`/leases/${path(lease)}?${new URLSearchParams({ uid })}`, { method: 'DELETE' }),
    fix: (lease) => post(`/leases/${path(lease)}/fix`),

    watch: (watcher) => stream.watch(watcher),
  };
}

function path(key: Key): string {
  return `${encodeURIComponent(key.namespace)}/${encodeURIComponent(key.name)}`;
}

function leases(pool: Key | undefined): string {
  return pool ? `/pools/${path(pool)}/leases` : '/leases';
}

function search(query?: URLSearchParams): string {
  const text = query?.toString();

  return text ? `?${text}` : '';
}
