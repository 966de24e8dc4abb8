/** Numbers, shares and times as people read them. */

const numbers = new Intl.NumberFormat('en-US');

/** What stands where nothing is known. Say why beside it. */
export const nothing = '—';

export function count(value: number | null | undefined): string {
  return value === null || value === undefined ? nothing : numbers.format(value);
}

/** One of something, or several: plural(2, 'lease') is "2 leases". */
export function plural(value: number, one: string, many = `${one}s`): string {
  return `${count(value)} ${value === 1 ? one : many}`;
}

/** The used share of a range, from 0 to 1; undefined while it is not known or the range is empty. */
export function share(used: number | null, size: number | null): number | undefined {
  return used === null || size === null || size === 0 ? undefined : used / size;
}

/** A share in per cent that says 0 % and 100 % only when it is exactly so. */
export function percent(value: number | undefined): string {
  if (value === undefined) return nothing;
  if (value > 0 && value < 0.01) return '< 1 %';
  if (value > 0.99 && value < 1) return '> 99 %';

  return `${Math.round(value * 100)} %`;
}

const units: [string, number][] = [
  ['d', 86_400],
  ['h', 3_600],
  ['min', 60],
  ['s', 1],
];

/** A duration in seconds in its two largest units: "2 h 5 min". */
export function duration(seconds: number): string {
  let rest = Math.max(0, Math.floor(seconds));
  const parts: string[] = [];
  for (const [unit, size] of units) {
    const amount = Math.floor(rest / size);
    rest -= amount * size;
    if (amount > 0) parts.push(`${amount} ${unit}`);
    else if (parts.length > 0) break;
    if (parts.length === 2) break;
  }

  return parts.join(' ') || '0 s';
}

/** A moment seen from now in its largest unit: "5 min ago", "in 2 h", "now". */
export function ago(time: string | undefined, now: number): string {
  const then = Date.parse(time ?? '');
  if (Number.isNaN(then)) return nothing;

  const seconds = Math.round((now - then) / 1000);
  if (Math.abs(seconds) < 2) return 'now';

  const [unit, size] = units.find(([, length]) => Math.abs(seconds) >= length)!;
  const amount = Math.floor(Math.abs(seconds) / size);

  return seconds > 0 ? `${amount} ${unit} ago` : `in ${amount} ${unit}`;
}

/** A moment in full, in the reader's time zone, for titles and tables. */
export function moment(time: string | undefined, zone?: string): string {
  const then = Date.parse(time ?? '');
  if (Number.isNaN(then)) return nothing;

  const parts = new Intl.DateTimeFormat('sv-SE', {
    dateStyle: 'short',
    timeStyle: 'medium',
    timeZone: zone,
  });

  return parts.format(then);
}
