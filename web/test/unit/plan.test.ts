import { describe, expect, it } from 'vitest';
import { emptyForm, formOf, mergePatch, planOf, suggestPlan } from '../../src/core/plan';

const plan = {
  networkName: 'default/net',
  agent: { replicas: 3 },
  ipv4Config: {
    cidr: '10.0.0.0/24', serverIP: '10.0.0.2', pool: { start: '10.0.0.10', end: '10.0.0.20', exclude: ['10.0.0.12', '10.0.0.14-10.0.0.16'] }, router: '10.0.0.1', dns: ['1.1.1.1', '9.9.9.9'],
    domainName: 'a.example', domainSearch: ['b.example'], ntp: ['10.0.0.3'], leaseTime: 600, mtu: 1450, routes: [{ destination: '10.1.0.0/16', gateway: '10.0.0.4' }],
  },
};

// RFC 7396, 2.
function apply(target: unknown, patch: unknown): unknown {
  if (typeof patch !== 'object' || patch === null || Array.isArray(patch)) return patch;
  const made: Record<string, unknown> = typeof target === 'object' && target !== null && !Array.isArray(target) ? { ...target } : {};
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete made[key];
    else made[key] = apply(made[key], value);
  }

  return made;
}

describe('the plan of a pool', () => {
  it('goes through the form and comes back', () => {
    expect(planOf(formOf('default', 'net', plan))).toEqual(plan);
    const least = { networkName: 'default/net', ipv4Config: { cidr: '10.0.0.0/24' } };
    expect(planOf(formOf('default', 'net', least))).toEqual(least);
    expect(planOf(formOf('default', 'net', { ...least, ipv4Config: { cidr: '', router: null } }))).toEqual({ networkName: 'default/net', ipv4Config: { cidr: '' } });
  });
  it('leaves what is empty to the server, and what is no number as it was typed', () => {
    expect(planOf({ ...emptyForm, cidr: ' 10.0.0.0/24 ', leaseTime: ' 60 ', mtu: 'large', exclude: ' ', dns: '1.1.1.1 9.9.9.9,, 8.8.8.8', routes: '10.1.0.0/16 via 10.0.0.4\n\n10.2.0.0/16 10.0.0.5, 10.3.0.0/16' })).toEqual({
      networkName: '',
      ipv4Config: {
        cidr: '10.0.0.0/24', leaseTime: 60, mtu: 'large', dns: ['1.1.1.1', '9.9.9.9', '8.8.8.8'],
        routes: [{ destination: '10.1.0.0/16', gateway: '10.0.0.4' }, { destination: '10.2.0.0/16', gateway: '10.0.0.5' }, { destination: '10.3.0.0/16', gateway: '' }],
      },
    });
  });
  it('begins with what the network tells and nothing else', () => {
    expect(suggestPlan({ namespace: 'a', name: 'n', cidr: '10.0.0.0/24', gateway: '10.0.0.1' })).toEqual({ ...emptyForm, namespace: 'a', name: 'n', networkName: 'a/n', cidr: '10.0.0.0/24', router: '10.0.0.1' });
    expect(suggestPlan({ namespace: 'a', name: 'n' })).toMatchObject({ cidr: '', router: '' });
  });
});

describe('the patch of an edit', () => {
  const edits: [string, (form: typeof emptyForm) => void][] = [
    ['nothing', () => {}],
    ['a field', (form) => (form.router = '10.0.0.9')],
    ['a field taken away', (form) => (form.router = '')],
    ['part of an object taken away', (form) => (form.exclude = '')],
    ['an object taken away', (form) => (form.start = form.end = form.exclude = '')],
    ['a list', (form) => (form.dns = '8.8.8.8')],
    ['the agents taken away', (form) => (form.replicas = '')],
  ];
  it.each(edits)('of %s makes the one plan into the other', (_, edit) => {
    const form = formOf('default', 'net', plan);
    edit(form);
    expect(apply(plan, mergePatch(plan, planOf(form)))).toEqual(planOf(form));
  });
  it('is empty when nothing changed, and holds only what did', () => {
    expect(mergePatch(plan, structuredClone(plan))).toEqual({});
    expect(mergePatch({ a: 1, b: { c: 1, d: 2 } }, { a: 1, b: { c: 1 } })).toEqual({ b: { d: null } });
    expect(mergePatch({ a: 1 }, { a: undefined })).toEqual({ a: null });
    expect(mergePatch({ a: 1 }, 'x')).toBe('x');
  });
});
