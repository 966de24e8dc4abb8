import { onScopeDispose, ref, shallowRef, watch, type Ref, type ShallowRef } from 'vue';
import { asProblem, type Problem } from '../core/problem';
import type { Liveness } from '../data/source';
import type { Change } from '../data/types';
import { useContext } from './context';

export interface Resource<T> {
  data: ShallowRef<T | undefined>;
  problem: ShallowRef<Problem | undefined>;
  loading: Ref<boolean>;
  liveness: Ref<Liveness>;
  reload(): Promise<void>;
}

export interface ResourceOptions {
  /** Changes after which the data is read again. Default none. */
  relevant?: (change: Change) => boolean;
  /** Nothing is read again by itself while this is true. */
  paused?: Ref<boolean>;
}

const shortest = 1000;
const settle = 120;

/**
 * Data that is read now, whenever the key changes, and when something relevant
 * happened; at most once a second then. What was read stays while it is read
 * again, and stays with the problem when that fails.
 */
export function useResource<T>(key: () => unknown, load: (signal: AbortSignal) => Promise<T>, options: ResourceOptions = {}): Resource<T> {
  const { source } = useContext();
  const data = shallowRef<T>();
  const problem = shallowRef<Problem>();
  const loading = ref(false);
  const liveness = ref<Liveness>('connecting');

  let control: AbortController | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let began = 0;

  async function reload(): Promise<void> {
    clearTimeout(timer);
    timer = undefined;
    control?.abort();
    const mine = (control = new AbortController());
    loading.value = true;
    began = Date.now();
    try {
      const read = await load(mine.signal);
      if (mine.signal.aborted) return;
      data.value = read;
      problem.value = undefined;
    } catch (error) {
      if (mine.signal.aborted) return;
      problem.value = asProblem(error);
      if (problem.value.passing) soon(5000);
    } finally {
      if (control === mine) loading.value = false;
    }
  }

  function soon(wait = settle): void {
    if (options.paused?.value) return;
    timer ??= setTimeout(() => void reload(), Math.max(wait, began + shortest - Date.now()));
  }

  watch(
    key,
    () => {
      data.value = undefined;
      problem.value = undefined;
      void reload();
    },
    { immediate: true },
  );
  if (options.paused) watch(options.paused, (paused) => !paused && soon(0));

  const end = source.watch({
    change: (change) => options.relevant?.(change) && soon(),
    reset: () => options.relevant && soon(),
    liveness: (now) => (liveness.value = now),
  });
  onScopeDispose(() => {
    end();
    clearTimeout(timer);
    control?.abort();
  });

  return { data, problem, loading, liveness, reload };
}

/** All pages of a list, up to a number of items; complete tells whether that is all. */
export async function allPages<I, L extends { items: I[]; continue?: string }>(
  read: (query: URLSearchParams) => Promise<L>,
  query = new URLSearchParams(),
  most = 2000,
): Promise<L & { complete: boolean }> {
  const asked = new URLSearchParams(query);
  asked.set('limit', String(Math.min(1000, most)));
  const first = await read(asked);
  const items = [...first.items];
  let next = first.continue;
  while (next && items.length < most) {
    asked.set('continue', next);
    const page = await read(asked);
    items.push(...page.items);
    next = page.continue;
  }

  return { ...first, items, complete: !next };
}
