/** Answers requests as the managers' REST API would, from the stand-in's world. */
import { contains, parseAddress, parsePrefix } from '../../core/ip';
import { normalizeMAC } from '../../core/mac';
import type { Explanation, Lease, Option, Pool, PoolPreview } from '../types';
import type { World } from './world';

export interface Asked {
  method: string;
  /** The path below v1, and the query. */
  path: string;
  query: URLSearchParams;
  token: string;
  body?: unknown;
}

export interface Answer {
  status: number;
  body?: unknown;
  text?: string;
  type?: string;
}

const tokens: Record<string, { name: string; may: boolean }> = {
  'admin-token': { name: 'system:serviceaccount:freehold:admin', may: true },
  'viewer-token': { name: 'system:serviceaccount:team-a:viewer', may: false },
};

class Refusal {
  constructor(readonly answer: Answer) {}
}

interface Entry {
  field?: string;
  value?: unknown;
  detail: string;
  remedy?: string;
}

function refuse(status: number, title: string, detail: string, errors: Entry[] = []): never {
  throw new Refusal({ status, type: 'application/problem+json', body: { type: 'about:blank', title, status, detail, errors } });
}

type Handler = (asked: Asked, params: string[], may: boolean) => Answer;

export function standInAPI(world: World): (asked: Asked) => Answer {
  const routes: [string, RegExp, Handler][] = [
    ['GET', /^\/about$/, (asked, _, may) => ok(about(asked.token, may))],
    ['GET', /^\/pools$/, (asked) => page(asked, poolsOf(world, asked))],
    ['POST', /^\/pools$/, (asked, _, may) => createPool(world, asked, may)],
    ['GET', /^\/pools\/([^/]+)\/([^/]+)$/, (_, [namespace, name], may) => ok({ ...thePool(world, namespace!, name!), allowed: { edit: may, pause: may, delete: may, reserve: may } })],
    ['PATCH', /^\/pools\/([^/]+)\/([^/]+)$/, (asked, [namespace, name], may) => editPool(world, asked, thePool(world, namespace!, name!), may)],
    ['GET', /^\/pools\/([^/]+)\/([^/]+)\/addresses$/, (asked, [namespace, name]) => addresses(world, asked, thePool(world, namespace!, name!))],
    ['GET', /^\/pools\/([^/]+)\/([^/]+)\/leases$/, (asked, [namespace, name]) => listLeases(asked, world.leasesOf(thePool(world, namespace!, name!)))],
    ['POST', /^\/pools\/([^/]+)\/([^/]+)\/leases$/, (asked, [namespace, name], may) => reserve(world, asked, thePool(world, namespace!, name!), may)],
    ['POST', /^\/pools\/([^/]+)\/([^/]+)\/(pause|resume)$/, (_, [namespace, name, what], may) => pausePool(world, thePool(world, namespace!, name!), what === 'pause', may)],
    ['GET', /^\/leases$/, (asked) => listLeases(asked, [...world.leases.values()])],
    ['GET', /^\/leases\/([^/]+)\/([^/]+)$/, (_, [namespace, name], may) => ok({ ...theLease(world, namespace!, name!), allowed: { release: may, fix: may } })],
    ['DELETE', /^\/leases\/([^/]+)\/([^/]+)$/, (asked, [namespace, name], may) => release(world, asked, theLease(world, namespace!, name!), may)],
    ['POST', /^\/leases\/([^/]+)\/([^/]+)\/fix$/, (_, [namespace, name], may) => fix(world, theLease(world, namespace!, name!), may)],
    ['GET', /^\/leases\/([^/]+)\/([^/]+)\/history$/, (_, [namespace, name]) => ok(history(theLease(world, namespace!, name!)))],
    ['GET', /^\/networks$/, (asked) => page(asked, world.networks)],
    ['GET', /^\/agents$/, (asked) => page(asked, world.agents.filter((agent) => !asked.query.get('pool') || agent.pool.name === asked.query.get('pool')))],
    ['GET', /^\/vms$/, (asked) => page(asked, world.vms.filter((vm) => fits(asked.query, vm.state, `${vm.namespace} ${vm.name} ${vm.nics.map((nic) => nic.address).join(' ')}`)))],
    ['GET', /^\/vms\/([^/]+)\/([^/]+)$/, (_, [namespace, name], may) => ok({ ...theMachine(world, namespace!, name!), allowed: { pause: may } })],
    ['POST', /^\/vms\/([^/]+)\/([^/]+)\/(pause|resume)$/, (_, [namespace, name, what], may) => pauseMachine(world, namespace!, name!, what === 'pause', may)],
    ['GET', /^\/vms\/([^/]+)\/([^/]+)\/explain$/, (_, [namespace, name]) => ok(explain(world, namespace!, name!))],
  ];

  return (asked) => {
    try {
      const caller = tokens[asked.token];
      if (!caller) refuse(401, 'Unauthorized', 'Kubernetes does not know the caller; send a bearer token that its TokenReview takes');
      for (const [method, pattern, handle] of routes) {
        const found = method === asked.method && pattern.exec(asked.path);
        if (found) return handle(asked, found.slice(1).map(decodeURIComponent), caller.may);
      }
      refuse(404, 'Not Found', `there is no ${asked.path}`);
    } catch (thrown) {
      if (thrown instanceof Refusal) return thrown.answer;
      throw thrown;
    }
  };

  function about(token: string, may: boolean) {
    return {
      version: 'v1.0.0', replica: 'freehold-manager-5f7c9d8b6-2xqlp', startedAt: new Date(Date.now() - 5 * 3_600_000).toISOString(), leader: true,
      user: { name: tokens[token]!.name, groups: ['system:authenticated'] },
      allowed: { listPools: true, createPools: may, listLeases: true, listVMs: true, listNetworks: true },
    };
  }
}

const ok = (body: unknown): Answer => ({ status: 200, body });

function mustMay(may: boolean, verb: string, what: string): void {
  if (!may) refuse(403, 'Forbidden', `you may not ${verb} ${what}`, [{ detail: `Kubernetes does not allow you to ${verb} ${what}`, remedy: 'Ask for the role freehold-operate or freehold-admin.' }]);
}

function thePool(world: World, namespace: string, name: string): Pool {
  return world.pool(namespace, name) ?? refuse(404, 'Not Found', `there is no pool ${namespace}/${name}`);
}

function theLease(world: World, namespace: string, name: string): Lease {
  return world.leases.get(`${namespace}/${name}`) ?? refuse(404, 'Not Found', `there is no lease ${namespace}/${name}; it may have been released`);
}

function theMachine(world: World, namespace: string, name: string) {
  return world.vms.find((vm) => vm.namespace === namespace && vm.name === name) ?? refuse(404, 'Not Found', `there is no machine ${namespace}/${name}`);
}

function fits(query: URLSearchParams, state: string, text: string): boolean {
  const states = query.getAll('state');

  return (states.length === 0 || states.includes(state)) && text.toLowerCase().includes((query.get('q') ?? '').toLowerCase());
}

function page(asked: Asked, all: unknown[]): Answer {
  const limit = Number(asked.query.get('limit') ?? 100);
  const from = Number(asked.query.get('continue') ?? 0);
  const next = from + limit < all.length ? String(from + limit) : undefined;

  return ok({ items: all.slice(from, from + limit), total: all.length, continue: next });
}

function poolsOf(world: World, asked: Asked): Pool[] {
  const found = world.pools.filter((pool) => fits(asked.query, pool.state, `${pool.namespace} ${pool.name} ${pool.network.name} ${pool.spec.ipv4Config.cidr}`));
  const sort = asked.query.get('sort') ?? 'name';
  const full = (pool: Pool) => pool.counts.used! / (pool.counts.used! + pool.counts.available! || 1);

  return found.sort((a, b) => {
    if (sort === 'used') return full(b) - full(a);
    if (sort === 'attention') return Number(a.state === 'Ready') - Number(b.state === 'Ready') || full(b) - full(a);

    return `${a.namespace}/${a.name}`.localeCompare(`${b.namespace}/${b.name}`);
  });
}

function listLeases(asked: Asked, all: Lease[]): Answer {
  const { query } = asked;
  const q = (query.get('q') ?? '').toLowerCase();
  const mac = normalizeMAC(q) ?? q;
  const states = query.getAll('state');
  const found = all.filter(
    (lease) =>
      (!q || lease.address.startsWith(q) || lease.mac?.includes(mac) || [lease.owner?.name, lease.observed?.hostname, lease.namespace, lease.network, lease.comment].some((text) => text?.toLowerCase().includes(q))) &&
      inPrefix(lease.address, query.get('address') ?? '') &&
      (states.length === 0 || states.includes(lease.state)) &&
      (!query.get('namespace') || lease.namespace === query.get('namespace')) &&
      (!query.get('network') || lease.network === query.get('network')),
  );
  const sort = query.get('sort') ?? 'address';
  const down = sort.startsWith('-');
  const key = sort.replace('-', '');
  const value = (lease: Lease): string => ({ address: '', mac: lease.mac ?? '', vm: lease.owner?.name ?? '', network: lease.network, state: lease.state, created: lease.createdAt })[key] ?? '';
  found.sort((a, b) => (key === 'address' ? (down ? -1 : 1) * (parseAddress(a.address)! - parseAddress(b.address)!) : (down ? -1 : 1) * value(a).localeCompare(value(b)) || parseAddress(a.address)! - parseAddress(b.address)!));

  if (query.get('format') === 'csv') {
    return { status: 200, type: 'text/csv', text: ['address,mac,owner,state', ...found.map((lease) => [lease.address, lease.mac ?? '', lease.owner?.name ?? '', lease.state].join(','))].join('\n') };
  }

  const seen = query.get('observed') === 'true';
  if (seen && Number(query.get('limit') ?? 100) > 100) refuse(400, 'Bad Request', 'limit is too large', [{ field: 'limit', value: query.get('limit'), detail: 'is more than 100 with observed', remedy: 'read smaller pages' }]);
  const shown = seen ? found : found.map((lease) => ({ ...lease, observed: undefined }));

  return query.get('format') === 'json' ? ok({ items: shown, total: found.length }) : page(asked, shown);
}

function inPrefix(address: string, asked: string): boolean {
  const prefix = parsePrefix(asked);

  return prefix ? contains(prefix, parseAddress(address)!) : address.startsWith(asked);
}

function addresses(world: World, asked: Asked, pool: Pool): Answer {
  const prefix = parsePrefix(pool.spec.ipv4Config.cidr)!;
  const from = asked.query.get('from') ?? '';
  const to = asked.query.get('to') ?? '';
  const first = parseAddress(from) ?? prefix.first;
  const last = parseAddress(to) ?? prefix.last;
  const runs = world.runs(pool, first, last, asked.query.get('detail') === 'true');
  const counts: Record<string, number> = {};
  for (const run of runs) counts[run.state] = (counts[run.state] ?? 0) + run.count;

  return ok({ cidr: pool.spec.ipv4Config.cidr, from: runs[0]!.first, to: runs.at(-1)!.last, runs, counts });
}

function guestOf(pool: Pool): Option[] {
  const config = pool.spec.ipv4Config;
  const options: Option[] = [{ code: 54, name: 'server identifier', value: config.serverIP ?? '' }];
  if (config.router) options.push({ code: 3, name: 'router', value: config.router });
  if (config.dns?.length) options.push({ code: 6, name: 'domain name server', value: config.dns.join(', ') });
  if (config.leaseTime) options.push({ code: 51, name: 'lease time', value: String(config.leaseTime) });

  return options;
}

function checkPlan(spec: Pool['spec'], errors: Entry[]): void {
  const config = spec.ipv4Config;
  const prefix = parsePrefix(config.cidr ?? '');
  if (!prefix) errors.push({ field: 'spec.ipv4Config.cidr', value: config.cidr, detail: 'is no IPv4 prefix', remedy: 'write one such as 192.168.48.0/24' });
  for (const [field, value] of [['router', config.router], ['serverIP', config.serverIP], ['pool.start', config.pool?.start], ['pool.end', config.pool?.end]] as const) {
    if (!value || !prefix) continue;
    const address = parseAddress(value);
    if (address === undefined) errors.push({ field: `spec.ipv4Config.${field}`, value, detail: 'is no IPv4 address', remedy: 'write one such as 192.168.48.10' });
    else if (address < prefix.first || address > prefix.last) errors.push({ field: `spec.ipv4Config.${field}`, value, detail: `is outside of ${config.cidr}`, remedy: 'choose one inside' });
  }
}

function createPool(world: World, asked: Asked, may: boolean): Answer {
  const wanted = asked.body as { namespace: string; name: string; spec: Pool['spec'] };
  mustMay(may, 'create', 'pools');
  const errors: Entry[] = [];
  if (!wanted.name) errors.push({ field: 'name', value: '', detail: 'is missing', remedy: 'write a name' });
  else if (world.pool(wanted.namespace, wanted.name)) errors.push({ field: 'name', value: wanted.name, detail: 'is taken', remedy: 'choose another' });
  checkPlan(wanted.spec, errors);
  if (errors.length > 0) refuse(422, 'Refused', 'the plan of the pool cannot be used', errors);

  const prefix = parsePrefix(wanted.spec.ipv4Config.cidr)!;
  const config = { ...wanted.spec.ipv4Config };
  const text = (n: number) => [24, 16, 8, 0].map((shift) => (n >>> shift) & 255).join('.');
  config.serverIP ||= text(prefix.first + (config.router === text(prefix.first + 1) ? 2 : 1));
  config.pool = { start: config.pool?.start || text(prefix.first + 3), end: config.pool?.end || text(prefix.last - 1), exclude: config.pool?.exclude };
  const [networkNamespace = '', networkName = ''] = wanted.spec.networkName.split('/');
  const size = parseAddress(config.pool.end!)! - parseAddress(config.pool.start!)! + 1;
  const pool: Pool = {
    namespace: wanted.namespace, name: wanted.name, uid: `uid-new-${world.version}`, createdAt: new Date().toISOString(), resourceVersion: '1', network: { namespace: networkNamespace, name: networkName, exists: true },
    spec: { ...wanted.spec, ipv4Config: config }, state: 'Unserved', message: 'Its agents are being started.', counts: { size, used: 0, available: size, reserved: 0, excluded: 0 },
    agents: { ready: 0, wanted: 2, nodes: [] }, conditions: [],
  };
  if (asked.query.get('dryRun') === 'true') return ok({ pool, changes: [], affected: [], guest: guestOf(pool), warnings: [] } satisfies PoolPreview);

  world.pools.push(pool);
  const network = world.networks.find((one) => one.namespace === networkNamespace && one.name === networkName);
  if (network) Object.assign(network, { managed: true, pool: { kind: 'IPPool', namespace: pool.namespace, name: pool.name } });
  world.changed('pool', 'added', pool);

  return { status: 201, body: pool };
}

function merge(target: unknown, patch: unknown): unknown {
  if (typeof patch !== 'object' || patch === null || Array.isArray(patch)) return patch;
  const made = { ...(typeof target === 'object' && target !== null ? target : {}) } as Record<string, unknown>;
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete made[key];
    else made[key] = merge(made[key], value);
  }

  return made;
}

function changesOf(from: Record<string, unknown>, to: Record<string, unknown>, path: string): PoolPreview['changes'] {
  return [...new Set([...Object.keys(from), ...Object.keys(to)])].flatMap((key) => {
    const [a, b] = [from[key], to[key]];
    if (JSON.stringify(a) === JSON.stringify(b)) return [];
    const deep = [a, b].every((one) => typeof one === 'object' && one !== null && !Array.isArray(one));

    return deep ? changesOf(a as Record<string, unknown>, b as Record<string, unknown>, `${path}.${key}`) : [{ field: `${path}.${key}`, from: a, to: b }];
  }) as PoolPreview['changes'];
}

function editPool(world: World, asked: Asked, pool: Pool, may: boolean): Answer {
  mustMay(may, 'edit', `pool ${pool.name}`);
  const { spec, resourceVersion } = asked.body as { spec: unknown; resourceVersion?: string };
  if (resourceVersion && resourceVersion !== pool.resourceVersion) refuse(409, 'Conflict', 'the pool was changed since it was read; read it again');
  const next = merge(pool.spec, spec) as Pool['spec'];
  const errors: Entry[] = [];
  checkPlan(next, errors);
  if (errors.length > 0) refuse(422, 'Refused', 'the plan of the pool cannot be used', errors);

  const [first, last] = [parseAddress(next.ipv4Config.pool?.start ?? '')!, parseAddress(next.ipv4Config.pool?.end ?? '')!];
  const out = world.leasesOf(pool).filter((lease) => parseAddress(lease.address)! < first || parseAddress(lease.address)! > last);
  if (asked.query.get('dryRun') === 'true') {
    return ok({
      pool: { ...pool, spec: next }, changes: changesOf(pool.spec as unknown as Record<string, unknown>, next as unknown as Record<string, unknown>, 'spec'),
      affected: out.map((lease) => ({ lease, effect: 'keeps its address although it is outside of the range then' })),
      guest: guestOf({ ...pool, spec: next }), warnings: out.length > 0 ? [`${out.length} leases are outside of the new range. They are kept until they are released.`] : [],
    } satisfies PoolPreview);
  }
  pool.spec = next;
  pool.resourceVersion = String(Number(pool.resourceVersion) + 1);
  world.count();
  world.changed('pool', 'changed', pool);

  return ok(pool);
}

function pausePool(world: World, pool: Pool, paused: boolean, may: boolean): Answer {
  mustMay(may, 'pause', `pool ${pool.name}`);
  pool.spec = { ...pool.spec, paused };
  pool.resourceVersion = String(Number(pool.resourceVersion) + 1);
  pool.state = paused ? 'Paused' : 'Ready';
  pool.message = paused ? 'It was paused; its agents are stopped.' : 'Two agents answer.';
  pool.agents = paused ? { ready: 0, wanted: 0, nodes: [] } : { ready: 2, wanted: 2, nodes: ['node-a', 'node-b'] };
  world.changed('pool', 'changed', pool);

  return ok(pool);
}

function pauseMachine(world: World, namespace: string, name: string, paused: boolean, may: boolean): Answer {
  const vm = theMachine(world, namespace, name);
  mustMay(may, 'pause', `machine ${name}`);
  vm.paused = paused;
  vm.state = paused ? 'Paused' : 'Addressed';
  vm.message = paused ? 'Its addresses do not change until it is resumed.' : 'Every managed NIC has its address.';
  world.changed('vm', 'changed', vm);

  return ok(vm);
}

function reserve(world: World, asked: Asked, pool: Pool, may: boolean): Answer {
  mustMay(may, 'reserve', `addresses of pool ${pool.name}`);
  const wanted = asked.body as { address?: string; mac?: string; vm?: { namespace?: string; name: string; interface?: string }; comment?: string };
  const prefix = parsePrefix(pool.spec.ipv4Config.cidr)!;
  const free = world.runs(pool, prefix.first, prefix.last, false).filter((run) => run.state === 'free');
  const address = wanted.address || free[0]?.first || refuse(409, 'Conflict', `pool ${pool.name} has no free address`);
  const mac = wanted.mac === undefined ? undefined : (normalizeMAC(wanted.mac) ?? refuse(422, 'Refused', 'the reservation cannot be made', [{ field: 'mac', value: wanted.mac, detail: 'is no MAC address', remedy: 'write one such as 52:54:00:ab:cd:ef' }]));
  const number = parseAddress(address);
  if (number === undefined || !free.some((run) => number >= parseAddress(run.first)! && number <= parseAddress(run.last)!)) {
    refuse(422, 'Refused', 'the reservation cannot be made', [{ field: 'address', value: address, detail: 'is not free', remedy: 'choose another, or leave it empty to have one chosen' }]);
  }
  const owner = wanted.vm && { kind: 'VirtualMachine', namespace: wanted.vm.namespace ?? pool.namespace, name: wanted.vm.name, interface: wanted.vm.interface };
  const made: Partial<Lease> = { mac, owner, comment: wanted.comment, state: 'Reserved', origin: 'Reserved by a person', fixed: true, createdAt: new Date().toISOString(), message: 'Kept by a person.' };
  if (asked.query.get('dryRun') === 'true') return ok({ namespace: pool.namespace, name: `${pool.name}.${address}`, uid: '', pool: pool.name, network: '', address, ...made });

  const lease = world.lease(pool.namespace, pool.name, address, made);
  world.count();
  world.changed('lease', 'added', lease);
  world.changed('pool', 'changed', pool);

  return { status: 201, body: lease };
}

function release(world: World, asked: Asked, lease: Lease, may: boolean): Answer {
  mustMay(may, 'release', lease.address);
  if (asked.query.get('uid') && asked.query.get('uid') !== lease.uid) refuse(409, 'Conflict', 'the address is held by another lease by now');
  const warnings = lease.owner ? [`The guest of ${lease.owner.name} keeps using ${lease.address} until its lease ends. Whoever is given it before then shares it.`, `${lease.owner.name} still has the NIC and is given an address anew, perhaps another.`] : [];
  if (asked.query.get('dryRun') !== 'true') {
    world.leases.delete(`${lease.namespace}/${lease.name}`);
    world.count();
    world.changed('lease', 'removed', lease);
    const pool = world.pool(lease.namespace, lease.pool);
    if (pool) world.changed('pool', 'changed', pool);
  }

  return ok({ lease, warnings });
}

function fix(world: World, lease: Lease, may: boolean): Answer {
  mustMay(may, 'fix', lease.address);
  lease.fixed = true;
  world.changed('lease', 'changed', lease);

  return ok({ ...lease, allowed: { release: true, fix: true } });
}

function history(lease: Lease) {
  const items: unknown[] = [{ at: lease.createdAt, source: 'object', what: 'Created', detail: lease.origin }];
  if (lease.observed?.lastSeen) {
    items.unshift(
      { at: lease.observed.lastSeen, source: 'wire', what: 'DHCPACK', direction: 'out', detail: `${lease.address} for 2 h`, agent: lease.observed.agent },
      { at: lease.observed.lastSeen, source: 'wire', what: 'DHCPREQUEST', direction: 'in', detail: 'renews', agent: lease.observed.agent },
    );
  }

  return { since: new Date(Date.now() - 5 * 3_600_000).toISOString(), note: 'What was on the network before the agents started is not known.', items };
}

function explain(world: World, namespace: string, name: string): Explanation {
  const vm = theMachine(world, namespace, name);
  const names = ['Machine', 'NIC', 'Network', 'Pool', 'Request', 'Lease', 'Agent', 'Packets'] as const;
  const waits = vm.state === 'Waiting';
  const nics = vm.nics.map((nic) => ({
    interface: nic.interface ?? '', verdict: waits ? ('failing' as const) : ('ok' as const), summary: waits ? `Pool ${nic.pool?.name} has no free address.` : `Holds ${nic.address} and was answered.`,
    steps: names.map((step, i) => ({
      step,
      verdict: !waits || i < 3 ? ('ok' as const) : i === 3 ? ('failing' as const) : i === 4 ? ('waiting' as const) : ('unknown' as const),
      message: !waits || i < 3 ? `${step} is as it should be.` : i === 3 ? 'The pool has no free address: 10 of 10 are held.' : i === 4 ? 'The request waits for an address.' : 'Not looked at, because there is no lease yet.',
      remedy: waits && i === 3 ? 'Release an address that is no longer used, or grow the range of the pool.' : undefined,
    })),
  }));

  return { vm: { kind: 'VirtualMachine', namespace, name }, verdict: waits ? 'failing' : 'ok', summary: waits ? 'runner-10 has no address because pool build is full.' : `${name} has its address and was answered.`, nics };
}
