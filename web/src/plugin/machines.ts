import { onScopeDispose, shallowRef, type ShallowRef } from 'vue';
import { asProblem } from '../core/problem';
import type { VM } from '../data/types';
import { allPages } from '../ui/resource';
import { sourceOf } from './sources';

/** What is known of a cluster's machines. */
export interface Machines {
  /** By namespace/name. Undefined until the first answer. */
  known: ReadonlyMap<string, VM> | undefined;
  /** Why nothing is known, or why not all are. */
  why: string;
}

interface Reading {
  machines: ShallowRef<Machines>;
  readers: number;
  timer?: ReturnType<typeof setInterval>;
}

const every = 30_000;
const most = 5000;
const nothing: Machines = { known: undefined, why: '' };
const readings = new Map<string, Reading>();

/**
 * The machines of a cluster for the host's list of them: read once for all of its
 * rows, and again every half minute as long as a row is shown.
 */
export function useMachines(cluster: string): ShallowRef<Machines> {
  const reading = readings.get(cluster) ?? { machines: shallowRef(nothing), readers: 0 };
  readings.set(cluster, reading);
  if (reading.readers++ === 0) {
    void read(cluster, reading);
    reading.timer = setInterval(() => void read(cluster, reading), every);
  }
  onScopeDispose(() => {
    if (--reading.readers === 0) clearInterval(reading.timer);
  });

  return reading.machines;
}

async function read(cluster: string, reading: Reading): Promise<void> {
  let machines: Machines;
  try {
    const list = await allPages((query) => sourceOf(cluster).machines(query), undefined, most);
    machines = {
      known: new Map(list.items.map((vm) => [`${vm.namespace}/${vm.name}`, vm])),
      why: list.complete ? 'Freehold does not know this machine yet, or you may not see it there.' : `Only the first ${most} machines are read for this list.`,
    };
  } catch (error) {
    const problem = asProblem(error);
    // What was read before is older than it should be: it is not shown as if it were not.
    machines = { known: undefined, why: `${problem.title}. ${problem.detail}` };
  }
  if (readings.get(cluster) === reading) reading.machines.value = machines;
}

/** Drops what was read, and what is on its way, because the one who read it has logged out. */
export function forgetMachines(): void {
  for (const reading of readings.values()) {
    clearInterval(reading.timer);
    reading.machines.value = nothing;
  }
  readings.clear();
}
