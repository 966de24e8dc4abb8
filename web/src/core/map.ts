import { formatAddress, parseAddress, parsePrefix } from './ip';
import type { Run } from './gaps';

/** A cell of the address map: one address, or a block of them in a large prefix. */
export interface Cell<R extends Run = Run> {
  first: number;
  size: number;
  /** The state of the address, or the one that a block is mostly in. */
  state: string;
  /** Addresses of each state. */
  counts: Record<string, number>;
  /** The run that a single address is in. */
  run?: R;
}

/** More cells than these are drawn as blocks. */
export const mostCells = 1024;

/** Addresses in a cell: 1, or a power of two so that there are at most mostCells. */
export function blockSize(addresses: number): number {
  let size = 1;
  while (addresses / size > mostCells) size *= 2;

  return size === 1 ? 1 : Math.max(16, size);
}

// The first of these that a block has is what it stands for, so that nothing
// that needs attention is averaged away.
const loudest = ['conflict'];
const quiet = ['outside', 'server', 'router'];

/** Cells of the runs, which are in order and without gaps. */
export function cells<R extends Run>(runs: R[], size: number): Cell<R>[] {
  const made: Cell<R>[] = [];
  for (const run of runs) {
    const last = parseAddress(run.last)!;
    for (let at = parseAddress(run.first)!; at <= last; ) {
      const block = Math.floor(at / size) * size;
      const until = Math.min(last, block + size - 1);
      let cell = made.at(-1);
      if (!cell || cell.first + size <= at) {
        cell = { first: block, size, state: run.state, counts: {} };
        if (size === 1) cell.run = run;
        made.push(cell);
      }
      cell.counts[run.state] = (cell.counts[run.state] ?? 0) + until - at + 1;
      at = until + 1;
    }
  }
  if (size > 1) for (const cell of made) cell.state = standsFor(cell.counts);

  return made;
}

function standsFor(counts: Record<string, number>): string {
  for (const state of loudest) if (counts[state]) return state;

  const ranked = Object.entries(counts).sort((a, b) => Number(quiet.includes(a[0])) - Number(quiet.includes(b[0])) || b[1] - a[1]);

  return ranked[0]![0];
}

/** The share of a block's addresses that are held, from 0 to 1. */
export function held(cell: Cell): number {
  return ((cell.counts['leased'] ?? 0) + (cell.counts['reserved'] ?? 0) + (cell.counts['conflict'] ?? 0)) / cell.size;
}

/** What a cell is called: its address, or the prefix of its block. */
export function cellName(cell: Cell): string {
  return cell.size === 1 ? formatAddress(cell.first) : `${formatAddress(cell.first)}/${32 - Math.log2(cell.size)}`;
}

/** How many addresses a prefix has; 0 when it is none. */
export function prefixSize(cidr: string): number {
  const prefix = parsePrefix(cidr);

  return prefix ? prefix.last - prefix.first + 1 : 0;
}

/** Where a key moves the focus in a grid, or undefined when it is not of the grid. */
export function moveInGrid(key: string, at: number, total: number, columns: number, ctrl = false): number | undefined {
  const row = Math.floor(at / columns) * columns;
  const moves: Record<string, number> = {
    ArrowLeft: at - 1,
    ArrowRight: at + 1,
    ArrowUp: at - columns,
    ArrowDown: at + columns,
    PageUp: Math.max(at % columns, at - 8 * columns),
    PageDown: at + 8 * columns < total ? at + 8 * columns : total - 1,
    Home: ctrl ? 0 : row,
    End: ctrl ? total - 1 : Math.min(total - 1, row + columns - 1),
  };
  const to = moves[key];
  if (to === undefined) return undefined;

  return to < 0 || to >= total ? at : to;
}

/** The most columns, a power of two from 8 to 32, that fit a width in pixels. */
export function columnsFor(width: number, cell: number): number {
  return [32, 16].find((columns) => columns * cell <= width) ?? 8;
}
