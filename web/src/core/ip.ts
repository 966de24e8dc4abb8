/** IPv4 addresses as numbers from 0 to 2^32-1, so that they sort and count. */

export interface Prefix {
  first: number;
  last: number;
  bits: number;
}

/** The address of a text, or undefined when it is none. */
export function parseAddress(text: string): number | undefined {
  const parts = text.trim().split('.');
  if (parts.length !== 4) return undefined;

  let value = 0;
  for (const part of parts) {
    if (!/^(0|[1-9]\d{0,2})$/.test(part) || Number(part) > 255) return undefined;
    value = value * 256 + Number(part);
  }

  return value;
}

export function formatAddress(value: number): string {
  return [24, 16, 8, 0].map((shift) => (value >>> shift) & 255).join('.');
}

/** The prefix of a text such as 10.0.0.0/24, or undefined. Host bits may be set. */
export function parsePrefix(text: string): Prefix | undefined {
  const mark = text.lastIndexOf('/');
  const value = mark < 0 ? undefined : parseAddress(text.slice(0, mark));
  const length = text.slice(mark + 1).trim();
  if (value === undefined || !/^\d{1,2}$/.test(length) || Number(length) > 32) return undefined;

  const bits = Number(length);
  const size = 2 ** (32 - bits);
  const first = Math.floor(value / size) * size;

  return { first, last: first + size - 1, bits };
}

export function formatPrefix(prefix: Prefix): string {
  return `${formatAddress(prefix.first)}/${prefix.bits}`;
}

export function contains(prefix: Prefix, address: number): boolean {
  return address >= prefix.first && address <= prefix.last;
}

/** How many addresses there are from one address to another, both counted. */
export function span(first: string, last: string): number {
  const from = parseAddress(first);
  const to = parseAddress(last);

  return from === undefined || to === undefined || to < from ? 0 : to - from + 1;
}

/** Orders texts by the number of their address; what is no address comes last. */
export function compareAddresses(a: string, b: string): number {
  return (parseAddress(a) ?? Infinity) - (parseAddress(b) ?? Infinity) || a.localeCompare(b);
}
