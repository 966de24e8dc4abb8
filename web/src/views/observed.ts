import { onScopeDispose, shallowRef, watch, type Ref } from 'vue';
import { formatAddress, parseAddress } from '../core/ip';
import type { Lease } from '../data/types';
import { useContext } from '../ui/context';

const bits = 26;
const fresh = 30_000;
const rest = 150;
const atOnce = 4;
// Most of it is asked for one screen at a time. An order that scatters addresses
// over many blocks is not followed at any price.
const mostBlocks = 24;

/**
 * What the agents saw of the leases that are shown. Lists leave it out, because
 * the agents must be asked for it; here it is asked for by blocks of addresses
 * around those that are shown, once they rest, and again after half a minute.
 */
export function useObserved(shown: () => Lease[], paused?: Ref<boolean>) {
  const { source } = useContext();
  const known = shallowRef(new Map<string, Lease['observed']>());
  const asked = new Map<string, number>();
  const changed = new Map<string, number>();
  const control = new AbortController();
  let timer: ReturnType<typeof setTimeout> | undefined;

  function blocks(): { id: string; namespace: string; pool: string; prefix: string }[] {
    const made = new Map<string, { id: string; namespace: string; pool: string; prefix: string }>();
    for (const lease of shown()) {
      const address = parseAddress(lease.address);
      if (address === undefined) continue;
      const size = 2 ** (32 - bits);
      const prefix = `${formatAddress(Math.floor(address / size) * size)}/${bits}`;
      const id = `${lease.namespace}/${lease.pool} ${prefix}`;
      made.set(id, { id, namespace: lease.namespace, pool: lease.pool, prefix });
    }

    return [...made.values()].filter((block) => Date.now() - (asked.get(block.id) ?? 0) > fresh).slice(0, mostBlocks);
  }

  async function ask(): Promise<void> {
    const wanted = blocks();
    for (const block of wanted) asked.set(block.id, Date.now());
    const next = async (): Promise<void> => {
      const block = wanted.shift();
      if (!block || control.signal.aborted) return;
      const began = Date.now();
      try {
        const query = new URLSearchParams({ address: block.prefix, observed: 'true', limit: '100' });
        const list = await source.leases({ namespace: block.namespace, name: block.pool }, query, control.signal);
        // An answer that was on its way when a lease changed is older than that.
        const items = list.items.filter((lease) => (changed.get(lease.uid) ?? 0) < began);
        known.value = new Map([...known.value, ...items.map((lease) => [lease.uid, lease.observed ?? { known: false, why: 'The server says nothing about it.' }] as const)]);
      } catch (error) {
        if (control.signal.aborted) return;
        const why = `The server could not tell: ${(error as Error).message}`;
        const failed = shown().filter((lease) => lease.namespace === block.namespace && lease.pool === block.pool && !known.value.has(lease.uid));
        known.value = new Map([...known.value, ...failed.map((lease) => [lease.uid, { known: false, why }] as const)]);
      }

      return next();
    };
    await Promise.all(Array.from({ length: atOnce }, next));
  }

  function soon(): void {
    clearTimeout(timer);
    if (!paused?.value) timer = setTimeout(() => void ask(), rest);
  }

  watch(() => shown().map((lease) => lease.uid).join(), soon, { immediate: true });
  // What changed during a pause was not followed.
  const goOn = (): void => {
    asked.clear();
    soon();
  };
  if (paused) watch(paused, (now) => !now && goOn());
  const again = setInterval(soon, fresh);
  const end = source.watch({
    // A lease that changed brings what is known of it, or is asked for anew.
    change: (change) => {
      const lease = change.object as Lease | undefined;
      if (change.kind !== 'lease' || !lease?.observed || paused?.value) return;
      changed.set(lease.uid, Date.now());
      known.value = new Map(known.value).set(lease.uid, lease.observed);
    },
    reset: goOn,
    liveness: () => {},
  });
  onScopeDispose(() => {
    end();
    clearTimeout(timer);
    clearInterval(again);
    control.abort();
  });

  return { of: (lease: Lease): Lease['observed'] => known.value.get(lease.uid) ?? lease.observed };
}
