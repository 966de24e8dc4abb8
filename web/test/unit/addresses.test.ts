import { describe, expect, it } from 'vitest';
import { compareAddresses, contains, formatAddress, formatPrefix, parseAddress, parsePrefix, span } from '../../src/core/ip';
import { blockSize, cellName, cells, columnsFor, held, moveInGrid, mostCells, prefixSize } from '../../src/core/map';
import { normalizeMAC } from '../../src/core/mac';
import { visibleRows } from '../../src/core/rows';
import { withGaps, type Run } from '../../src/core/gaps';

// The same numbers each time, so that a failure can be seen again.
function numbers(seed: number): () => number {
  let state = seed;

  return () => (state = (state * 1_103_515_245 + 12_345) % 2 ** 31) / 2 ** 31;
}

describe('addresses', () => {
  it('come back from their text', () => {
    const next = numbers(1);
    for (const value of [0, 1, 255, 256, 2 ** 31, 2 ** 32 - 1, ...Array.from({ length: 500 }, () => Math.floor(next() * 2 ** 32))]) {
      expect(parseAddress(formatAddress(value))).toBe(value);
    }
  });
  it.each(['', '1.2.3', '1.2.3.4.5', '1.2.3.256', '01.2.3.4', '1.2.3.a', '1.2.3.', '::1', '1.2.3.-1'])('refuse %j', (text) => {
    expect(parseAddress(text)).toBeUndefined();
  });
  it('sort by number, what is none last', () => {
    expect(['x', '10.0.0.10', '10.0.0.9', '9.0.0.1', 'a'].sort(compareAddresses)).toEqual(['9.0.0.1', '10.0.0.9', '10.0.0.10', 'a', 'x']);
  });
  it('count from one to another', () => {
    expect([span('10.0.0.1', '10.0.0.1'), span('10.0.0.0', '10.0.1.255'), span('10.0.0.2', '10.0.0.1'), span('x', '10.0.0.1'), span('10.0.0.1', 'x')]).toEqual([1, 512, 0, 0, 0]);
  });
});

describe('prefixes', () => {
  it('lose their host bits', () => {
    expect(formatPrefix(parsePrefix('10.1.2.3/24')!)).toBe('10.1.2.0/24');
    expect(parsePrefix('255.255.255.255/0')).toEqual({ first: 0, last: 2 ** 32 - 1, bits: 0 });
  });
  it('have two to the power of the rest', () => {
    for (let bits = 0; bits <= 32; bits++) expect(prefixSize(`10.0.0.0/${bits}`)).toBe(2 ** (32 - bits));
    expect(prefixSize('10.0.0.0')).toBe(0);
  });
  it.each(['10.0.0.0/33', '10.0.0.0/', '10.0.0/8', '10.0.0.0/8/8', '10.0.0.0/x', ''])('refuse %j', (text) => expect(parsePrefix(text)).toBeUndefined());
  it('contain their ends and nothing beyond', () => {
    const prefix = parsePrefix('10.0.0.16/28')!;
    expect([15, 16, 31, 32].map((last) => contains(prefix, parseAddress(`10.0.0.${last}`)!))).toEqual([false, true, true, false]);
  });
});

describe('MAC addresses', () => {
  it.each(['52:54:00:AB:0c:01', '52-54-00-ab-0c-01', '5254.00ab.0c01', '525400AB0C01', ' 52:54:0:ab:c:1 ', '52-54-0-ab-c-1'])('%j is one', (text) => {
    expect(normalizeMAC(text)).toBe('52:54:00:ab:0c:01');
  });
  it.each(['', '52:54:00:ab:0c', '52:54-00:ab:0c:01', '525400ab0c0', 'g2:54:00:ab:0c:01', '52:54:00:ab:0c:001'])('%j is none', (text) => {
    expect(normalizeMAC(text)).toBeUndefined();
  });
});

// Runs without gaps from a first address on.
function runs(first: string, lengths: [string, number][]): Run[] {
  let at = parseAddress(first)!;

  return lengths.map(([state, count]) => {
    const run = { first: formatAddress(at), last: formatAddress(at + count - 1), count, state };
    at += count;

    return run;
  });
}

describe('the address map', () => {
  it('draws each address of a small prefix once', () => {
    const made = cells(runs('10.0.0.0', [['free', 5], ['leased', 1], ['excluded', 250]]), 1);
    expect(made.map((cell) => cell.first - parseAddress('10.0.0.0')!)).toEqual(Array.from({ length: 256 }, (_, i) => i));
    expect([made[4]!.state, made[5]!.state, made[6]!.state, made[5]!.run!.state]).toEqual(['free', 'leased', 'excluded', 'leased']);
  });
  it('loses no address of a large one', () => {
    const next = numbers(7);
    const states = ['free', 'leased', 'reserved', 'excluded', 'outside', 'conflict'];
    const lengths: [string, number][] = [];
    for (let rest = 65_536; rest > 0; ) {
      const count = Math.min(rest, 1 + Math.floor(next() * 700));
      lengths.push([states[Math.floor(next() * states.length)]!, count]);
      rest -= count;
    }
    const size = blockSize(65_536);
    const made = cells(runs('10.64.0.0', lengths), size);
    expect(size).toBe(64);
    expect(made.length).toBeLessThanOrEqual(mostCells);
    for (const cell of made) expect(Object.values(cell.counts).reduce((a, b) => a + b, 0)).toBe(size);
    for (const state of states) {
      const all = lengths.filter(([one]) => one === state).reduce((sum, [, count]) => sum + count, 0);
      expect(made.reduce((sum, cell) => sum + (cell.counts[state] ?? 0), 0)).toBe(all);
    }
  });
  it('shows a block with a conflict as one, and what is outside only when it is all', () => {
    const [first, second, third] = cells(runs('10.0.0.0', [['leased', 15], ['conflict', 1], ['outside', 12], ['free', 3], ['leased', 1], ['outside', 16]]), 16);
    expect([first!.state, second!.state, third!.state]).toEqual(['conflict', 'free', 'outside']);
    expect([held(first!), held(second!), held(third!)]).toEqual([1, 1 / 16, 0]);
    expect([cellName(first!), cellName(cells(runs('10.0.0.9', [['free', 1]]), 1)[0]!)]).toEqual(['10.0.0.0/28', '10.0.0.9']);
    expect(held({ first: 0, size: 16, state: 'reserved', counts: { reserved: 4, leased: 4 } })).toBe(0.5);
  });
  it('has blocks of a power of two, at least 16', () => {
    expect([1, 256, 1024, 1025, 65_536, 2 ** 24].map(blockSize)).toEqual([1, 1, 1, 16, 64, 16_384]);
  });
  it('moves by keys inside its ends', () => {
    const total = 250;
    for (const key of ['ArrowLeft', 'ArrowRight', 'ArrowUp', 'ArrowDown', 'Home', 'End', 'PageUp', 'PageDown']) {
      for (let at = 0; at < total; at++) {
        for (const ctrl of [true, false]) {
          const to = moveInGrid(key, at, total, 16, ctrl)!;
          expect(to >= 0 && to < total, `${key} from ${at}`).toBe(true);
        }
      }
    }
    expect(moveInGrid('ArrowDown', 3, total, 16)).toBe(19);
    expect(moveInGrid('ArrowUp', 3, total, 16)).toBe(3);
    expect([moveInGrid('Home', 20, total, 16), moveInGrid('End', 20, total, 16), moveInGrid('Home', 20, total, 16, true), moveInGrid('End', 20, total, 16, true)]).toEqual([16, 31, 0, 249]);
    expect(moveInGrid('End', 245, total, 16)).toBe(249);
    expect([moveInGrid('PageUp', 200, total, 16), moveInGrid('PageUp', 20, total, 16), moveInGrid('PageDown', 0, total, 16), moveInGrid('PageDown', 240, total, 16)]).toEqual([72, 4, 128, 249]);
    expect(moveInGrid('a', 0, total, 16)).toBeUndefined();
  });
  it('has the most columns that fit', () => {
    expect([2000, 864, 863, 432, 431, 10].map((width) => columnsFor(width, 27))).toEqual([32, 32, 16, 16, 8, 8]);
  });
});

describe('rows that are drawn', () => {
  it('cover what is seen and keep the height, wherever it is scrolled', () => {
    const next = numbers(3);
    for (let i = 0; i < 500; i++) {
      const total = Math.floor(next() * 5000);
      const viewport = 200 + Math.floor(next() * 800);
      const scrolled = Math.floor(next() * 250_000) - 1000;
      const made = visibleRows(total, 40, scrolled, viewport);
      expect(made.above + (made.end - made.first) * 40 + made.below).toBe(total * 40);
      const top = Math.min(Math.max(0, scrolled), Math.max(0, total * 40 - viewport));
      expect(made.above).toBeLessThanOrEqual(top);
      expect(made.end * 40).toBeGreaterThanOrEqual(Math.min(total * 40, top + viewport));
      expect(made.end - made.first).toBeLessThanOrEqual(Math.ceil(viewport / 40) + 17);
    }
  });
});

describe('rows of free addresses', () => {
  const lease = (address: string) => ({ address, uid: address });
  const free = runs('10.0.0.1', [['free', 4], ['leased', 1], ['free', 2], ['leased', 1], ['free', 9]]).filter((run) => run.state === 'free');

  it('stand between the leases, in order', () => {
    const rows = withGaps([lease('10.0.0.5'), lease('10.0.0.8')], free, true);
    expect(rows.map((row) => (row.kind === 'gap' ? `${row.run.count} free` : row.lease.address))).toEqual(['4 free', '10.0.0.5', '2 free', '10.0.0.8', '9 free']);
    expect(new Set(rows.map((row) => row.key)).size).toBe(rows.length);
  });
  it('are not told after the last lease that was read', () => {
    expect(withGaps([lease('10.0.0.5')], free, false).map((row) => row.kind)).toEqual(['gap', 'lease']);
  });
  it('come before a lease whose address cannot be read', () => {
    expect(withGaps([lease('x')], free, true)).toHaveLength(4);
  });
});
