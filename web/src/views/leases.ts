import { computed, onScopeDispose, ref, shallowRef, watch, type Ref } from 'vue';
import { asProblem, type Problem } from '../core/problem';
import type { Key, Liveness } from '../data/source';
import type { Lease, LeaseList } from '../data/types';
import { useContext } from '../ui/context';

const firstPage = 200;
const nextPages = 1000;

/**
 * A list of leases that is read page by page as it is scrolled and that follows
 * the changes: a lease that changed is replaced where it stands at once, and the
 * whole of what was read is read again soon after, because only the server knows
 * what a search finds and in which order.
 */
export function useLeasePages(pool: Ref<Key | undefined>, query: () => URLSearchParams, paused: Ref<boolean>) {
  const { source } = useContext();
  const items = shallowRef<Lease[]>([]);
  const first = shallowRef<LeaseList>();
  const total = ref(0);
  const problem = shallowRef<Problem>();
  const moreProblem = shallowRef<Problem>();
  const loading = ref(false);
  const liveness = ref<Liveness>('connecting');
  const waiting = ref(0);
  let next: string | undefined;
  const complete = ref(false);
  let control = new AbortController();
  let timer: ReturnType<typeof setTimeout> | undefined;
  let took = 0;
  let reading: Promise<void> | undefined;

  async function read(limit: number, signal: AbortSignal, from?: string): Promise<LeaseList> {
    const asked = query();
    asked.set('limit', String(limit));
    if (from) asked.set('continue', from);

    return source.leases(pool.value, asked, signal);
  }

  function take(list: LeaseList, all: Lease[]): void {
    items.value = all;
    first.value = list;
    total.value = list.total;
    next = list.continue;
    complete.value = !list.continue;
    waiting.value = 0;
  }

  // Reads again as much as was read already and shows it in one go.
  async function reload(): Promise<void> {
    clearTimeout(timer);
    timer = undefined;
    control.abort();
    const { signal } = (control = new AbortController());
    reading = undefined;
    loading.value = true;
    const began = Date.now();
    try {
      const wanted = Math.max(firstPage, items.value.length);
      let list = await read(Math.min(nextPages, wanted), signal);
      const all = [...list.items];
      while (list.continue && all.length < wanted) {
        list = await read(nextPages, signal, list.continue);
        all.push(...list.items);
      }
      if (signal.aborted) return;
      take(list, all);
      problem.value = undefined;
      moreProblem.value = undefined;
    } catch (error) {
      if (signal.aborted) return;
      problem.value = asProblem(error);
      if (problem.value.passing) soon(5000);
    } finally {
      took = Date.now() - began;
      if (!signal.aborted) loading.value = false;
    }
  }

  async function more(): Promise<void> {
    if (!next || reading || loading.value) return reading;
    const { signal } = control;
    const from = next;
    reading = (async () => {
      try {
        const list = await read(nextPages, signal, from);
        if (signal.aborted) return;
        take(list, items.value.concat(list.items));
        moreProblem.value = undefined;
      } catch (error) {
        if (signal.aborted) return;
        const failed = asProblem(error);
        // The list is another one by now.
        if (failed.status === 410) soon(0);
        else moreProblem.value = failed;
      } finally {
        if (!signal.aborted) reading = undefined;
      }
    })();

    return reading;
  }

  function soon(wait: number): void {
    if (paused.value) return;
    timer ??= setTimeout(() => void reload(), wait);
  }

  // Under a storm of changes most of the time is left for what people do.
  const gently = () => soon(Math.max(1000, took * 4));

  let replaced = new Map<string, Lease | undefined>();
  let frame = 0;
  function replaceSoon(name: string, lease: Lease | undefined): void {
    replaced.set(name, lease);
    frame ||= requestAnimationFrame(() => {
      frame = 0;
      const changes = replaced;
      replaced = new Map();
      items.value = items.value.flatMap((item) => {
        const id = `${item.namespace}/${item.name}`;

        return changes.has(id) ? (changes.get(id) ?? []) : item;
      });
    });
  }

  watch([() => `${pool.value?.namespace}/${pool.value?.name}`, () => query().toString()], () => {
    items.value = [];
    first.value = undefined;
    problem.value = undefined;
    void reload();
  }, { immediate: true });
  watch(paused, (now) => !now && soon(0));

  const end = source.watch({
    change: (change) => {
      if (change.kind !== 'lease') return;
      const id = `${change.namespace}/${change.name}`;
      const ours = !pool.value || (change.object as Lease | undefined)?.pool === pool.value.name || change.name.startsWith(`${pool.value.name}.`);
      if (!ours || (pool.value && change.namespace !== pool.value.namespace)) return;
      if (paused.value) {
        waiting.value++;

        return;
      }
      if (change.type === 'removed') replaceSoon(id, undefined);
      else if (change.type === 'changed' && change.object) replaceSoon(id, change.object as Lease);
      gently();
    },
    reset: () => (paused.value ? undefined : gently()),
    liveness: (now) => (liveness.value = now),
  });
  onScopeDispose(() => {
    end();
    clearTimeout(timer);
    cancelAnimationFrame(frame);
    control.abort();
  });

  return { items, first, total, problem, moreProblem, loading, liveness, waiting, complete: computed(() => complete.value), reload, more };
}
