import { parseAddress } from './ip';

export interface Run {
  first: string;
  last: string;
  count: number;
  state: string;
}

export type Row<L> = { kind: 'lease'; key: string; lease: L } | { kind: 'gap'; key: string; run: Run };

/**
 * Leases with rows of free addresses between them. Both are in the order of
 * addresses. When the list of leases is not complete, nothing is said of what
 * comes after its last.
 */
export function withGaps<L extends { address: string; uid: string }>(leases: L[], free: Run[], complete: boolean): Row<L>[] {
  const rows: Row<L>[] = [];
  let next = 0;
  for (const lease of leases) {
    const address = parseAddress(lease.address) ?? Infinity;
    for (; next < free.length && parseAddress(free[next]!.first)! < address; next++) rows.push(gap(free[next]!));
    rows.push({ kind: 'lease', key: lease.uid, lease });
  }

  if (complete) for (; next < free.length; next++) rows.push(gap(free[next]!));

  return rows;
}

function gap<L>(run: Run): Row<L> {
  return { kind: 'gap', key: `gap-${run.first}`, run };
}
