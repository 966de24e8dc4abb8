/**
 * States as badges. A tone is never all that tells two states apart: each badge
 * has its word and an icon as well.
 */

export type Tone = 'success' | 'info' | 'warning' | 'error' | 'unknown';
export type IconName =
  | 'check' | 'info' | 'warning' | 'error' | 'pause' | 'question' | 'pin' | 'clock' | 'link-off' | 'dash';

export interface Badge {
  tone: Tone;
  icon: IconName;
  label: string;
}

const badge = (tone: Tone, icon: IconName, label: string): Badge => ({ tone, icon, label });

const pools: Record<string, Badge> = {
  Ready: badge('success', 'check', 'Ready'),
  Degraded: badge('warning', 'warning', 'Degraded'),
  Unserved: badge('error', 'error', 'Unserved'),
  Paused: badge('info', 'pause', 'Paused'),
  Invalid: badge('error', 'error', 'Invalid'),
  Unknown: badge('unknown', 'question', 'Unknown'),
};

const leases: Record<string, Badge> = {
  Allocated: badge('success', 'check', 'Allocated'),
  Reserved: badge('info', 'pin', 'Reserved'),
  Conflict: badge('error', 'error', 'Conflict'),
  Orphaned: badge('warning', 'link-off', 'Orphaned'),
};

const machines: Record<string, Badge> = {
  Addressed: badge('success', 'check', 'Addressed'),
  Waiting: badge('warning', 'clock', 'Waiting'),
  Paused: badge('info', 'pause', 'Paused'),
  Unmanaged: badge('unknown', 'dash', 'Unmanaged'),
};

const nics: Record<string, Badge> = {
  Allocated: badge('success', 'check', 'Allocated'),
  Pending: badge('warning', 'clock', 'Pending'),
  Stale: badge('warning', 'link-off', 'Stale'),
  Unmanaged: badge('unknown', 'dash', 'Unmanaged'),
};

const verdicts: Record<string, Badge> = {
  ok: badge('success', 'check', 'OK'),
  waiting: badge('warning', 'clock', 'Waiting'),
  failing: badge('error', 'error', 'Failing'),
  unknown: badge('unknown', 'question', 'Not known'),
};

// A state that a newer server knows is shown as it is called, and marked as not
// understood rather than taken for good.
const look = (table: Record<string, Badge>) => (state: string): Badge =>
  Object.hasOwn(table, state) ? table[state]! : badge('unknown', 'question', state);

export const poolBadge = look(pools);
export const leaseBadge = look(leases);
export const machineBadge = look(machines);
export const nicBadge = look(nics);
export const verdictBadge = look(verdicts);

export function agentBadge(ready: boolean): Badge {
  return ready ? badge('success', 'check', 'Ready') : badge('error', 'error', 'Not ready');
}

export function conditionBadge(type: string, status: string): Badge {
  // These are good when they are false.
  const bad = /^(Stopped|Disabled|Degraded)$/.test(type);
  if (status === 'Unknown') return badge('unknown', 'question', 'Unknown');

  const good = (status === 'True') !== bad;

  return badge(good ? 'success' : 'warning', good ? 'check' : 'warning', status);
}

/** How full a range is said to be: from 80 % a warning, from 90 % an error. */
export function fillTone(value: number | undefined): Tone {
  if (value === undefined) return 'unknown';
  if (value >= 0.9) return 'error';

  return value >= 0.8 ? 'warning' : 'success';
}
