import { Http } from '../data/http';
import { restSource } from '../data/rest';
import type { DataSource } from '../data/source';

const sources = new Map<string, DataSource>();

/**
 * Where the API of a cluster begins. Rancher passes it on to that cluster's API
 * server with the caller's identity, and that to the manager; the proxy of a
 * Service, which would be shorter, takes the identity away.
 */
export function apiOf(cluster: string): string {
  return `/k8s/clusters/${encodeURIComponent(cluster)}/apis/api.freehold.net/v1`;
}

/** The data source of a cluster; the same for all that ask, so that they share one stream of events. */
export function sourceOf(cluster: string): DataSource {
  const made = sources.get(cluster) ?? restSource(new Http(apiOf(cluster)));
  sources.set(cluster, made);

  return made;
}

/** Drops what was read, because the one who read it has logged out. */
export function forgetSources(): void {
  sources.clear();
}
