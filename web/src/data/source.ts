import type {
  About, AddressMap, AgentList, Change, Explanation, History, Lease, LeaseList, NetworkList, Pool, PoolCreate, PoolList,
  PoolPreview, Release, Reservation, VM, VMList,
} from './types';

/** An object by its namespace and name. */
export interface Key {
  namespace: string;
  name: string;
}

/** How changes reach the page. */
export type Liveness =
  /** as they happen */
  | 'live'
  /** by asking again and again */
  | 'polling'
  /** not yet, or not now */
  | 'connecting';

export interface Watcher {
  /** Something changed. */
  change(change: Change): void;
  /** Changes may have been missed: read again whatever is shown. */
  reset(): void;
  /** How changes come from now on. */
  liveness(now: Liveness): void;
}

/**
 * Where the views get everything from. What fails rejects with a Problem. A
 * signal that is aborted rejects with the error that fetch gives then.
 */
export interface DataSource {
  about(signal?: AbortSignal): Promise<About>;
  pools(query: URLSearchParams, signal?: AbortSignal): Promise<PoolList>;
  pool(key: Key, signal?: AbortSignal): Promise<Pool>;
  addresses(key: Key, query: URLSearchParams, signal?: AbortSignal): Promise<AddressMap>;
  /** Leases of a pool, or of all. */
  leases(pool: Key | undefined, query: URLSearchParams, signal?: AbortSignal): Promise<LeaseList>;
  /** All leases that are filtered, as a file. */
  exportLeases(pool: Key | undefined, query: URLSearchParams, format: 'csv' | 'json'): Promise<Blob>;
  lease(key: Key, signal?: AbortSignal): Promise<Lease>;
  history(key: Key, signal?: AbortSignal): Promise<History>;
  networks(query: URLSearchParams, signal?: AbortSignal): Promise<NetworkList>;
  agents(query: URLSearchParams, signal?: AbortSignal): Promise<AgentList>;
  machines(query: URLSearchParams, signal?: AbortSignal): Promise<VMList>;
  machine(key: Key, signal?: AbortSignal): Promise<VM>;
  explain(key: Key, signal?: AbortSignal): Promise<Explanation>;

  previewPool(pool: PoolCreate, signal?: AbortSignal): Promise<PoolPreview>;
  createPool(pool: PoolCreate): Promise<Pool>;
  previewEdit(key: Key, patch: unknown, resourceVersion: string, signal?: AbortSignal): Promise<PoolPreview>;
  editPool(key: Key, patch: unknown, resourceVersion: string): Promise<Pool>;
  pausePool(key: Key, paused: boolean): Promise<Pool>;
  pauseMachine(key: Key, paused: boolean): Promise<VM>;
  previewReserve(pool: Key, reservation: Reservation, signal?: AbortSignal): Promise<Lease>;
  reserve(pool: Key, reservation: Reservation): Promise<Lease>;
  previewRelease(lease: Key, uid: string): Promise<Release>;
  release(lease: Key, uid: string): Promise<Release>;
  fix(lease: Key): Promise<Lease>;

  /** Tells the watcher of changes until the function that it returns is called. */
  watch(watcher: Watcher): () => void;
}
