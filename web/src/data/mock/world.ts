/**
 * A stand-in for the managers and the cluster behind them, for tests of the page
 * and for work on it. It keeps to the shapes of the API's description and makes up
 * everything else; it is not part of what is built.
 */
import { formatAddress, parseAddress, parsePrefix } from '../../core/ip';
import type { Agent, AddressRun, Change, ChangeKind, Lease, Network, Pool, VM } from '../types';

export interface WorldOptions {
  /** Leases in the large pool, beside the few of the others. */
  leases?: number;
}

const minute = 60_000;
const at = (ago: number) => new Date(Date.now() - ago).toISOString();
const uid = (text: string) => `uid-${text}`;
const macOf = (n: number) => `52:54:00:${[16, 8, 0].map((shift) => ((n >>> shift) & 255).toString(16).padStart(2, '0')).join(':')}`;

export class World {
  pools: Pool[] = [];
  networks: Network[] = [];
  agents: Agent[] = [];
  vms: VM[] = [];
  leases = new Map<string, Lease>();
  /** Grows with every change; ETags and ids of events are made of it. */
  version = 1;
  readonly past: { id: number; change: Change }[] = [];
  private readonly listeners = new Set<(id: number, change: Change) => void>();

  constructor(options: WorldOptions = {}) {
    this.addPool('default', 'vm-net', '192.168.48.0/24', { router: '192.168.48.1', server: '192.168.48.2', start: '192.168.48.10', end: '192.168.48.250', exclude: ['192.168.48.100-192.168.48.109'], vlan: 48 });
    this.addPool('default', 'build', '10.20.0.0/28', { router: '10.20.0.1', server: '10.20.0.2', start: '10.20.0.4', end: '10.20.0.13', vlan: 120 });
    this.addPool('team-a', 'isolated', '172.19.150.0/26', { server: '172.19.150.1', start: '172.19.150.2', end: '172.19.150.62', vlan: 817 });
    this.addPool('default', 'campus', '10.64.0.0/16', { router: '10.64.0.1', server: '10.64.0.2', start: '10.64.1.0', end: '10.64.255.250', vlan: 640 });
    this.networks.push(
      { namespace: 'default', name: 'storage', uid: uid('storage'), type: 'L2VlanNetwork', clusterNetwork: 'mgmt', vlan: 30, mode: 'auto', managed: false, message: 'The route of this network is in mode auto, so that another DHCP server is taken to serve it. Set it to manual to have it served here.' },
      { namespace: 'team-a', name: 'lab', uid: uid('lab'), type: 'L2VlanNetwork', clusterNetwork: 'provider', vlan: 900, mode: 'manual', cidr: '192.168.90.0/24', gateway: '192.168.90.1', managed: false, message: 'It has no pool because its pool was deleted. Create one.' },
    );

    for (let i = 0; i < 40; i++) this.addMachine('default', `web-${i + 1}`, 'vm-net', formatAddress(parseAddress('192.168.48.10')! + i * 2), i);
    for (let i = 0; i < 9; i++) this.addMachine('default', `runner-${i + 1}`, 'build', formatAddress(parseAddress('10.20.0.4')! + i), 100 + i);
    for (let i = 0; i < 3; i++) this.addMachine('team-a', `db-${i + 1}`, 'isolated', formatAddress(parseAddress('172.19.150.2')! + i), 200 + i);
    for (let i = 0; i < (options.leases ?? 600); i++) this.addMachine('default', `node-${i + 1}`, 'campus', formatAddress(parseAddress('10.64.1.0')! + i), 1000 + i);
    this.addReserved();
    this.addTroubles();
    this.count();
  }

  subscribe(listener: (id: number, change: Change) => void): () => void {
    this.listeners.add(listener);

    return () => this.listeners.delete(listener);
  }

  changed(kind: ChangeKind, type: Change['type'], object: { namespace?: string; name: string }): void {
    this.version++;
    const agent = kind === 'agent' ? (object as Agent) : undefined;
    const change = { kind, type, namespace: agent?.pool.namespace ?? object.namespace ?? '', name: object.name, object: type === 'removed' ? undefined : object } as Change;
    this.past.push({ id: this.version, change });
    if (this.past.length > 1000) this.past.shift();
    for (const listener of this.listeners) listener(this.version, change);
  }

  pool(namespace: string, name: string): Pool | undefined {
    return this.pools.find((pool) => pool.namespace === namespace && pool.name === name);
  }

  leasesOf(pool: Pool): Lease[] {
    return [...this.leases.values()].filter((lease) => lease.namespace === pool.namespace && lease.pool === pool.name);
  }

  /** Runs of addresses in one state, from one address to another. */
  runs(pool: Pool, from: number, to: number, detail: boolean): AddressRun[] {
    const held = new Map(this.leasesOf(pool).map((lease) => [parseAddress(lease.address)!, lease]));
    const config = pool.spec.ipv4Config;
    const excluded = (config.pool?.exclude ?? []).map((text) => text.split('-').map((one) => parseAddress(one)!));
    const first = parseAddress(config.pool?.start ?? '') ?? 0;
    const last = parseAddress(config.pool?.end ?? '') ?? 0;
    const runs: AddressRun[] = [];
    for (let address = from; address <= to; address++) {
      const lease = held.get(address);
      let state: AddressRun['state'] = 'free';
      if (formatAddress(address) === config.serverIP) state = 'server';
      else if (formatAddress(address) === config.router) state = 'router';
      else if (lease) state = ({ Reserved: 'reserved', Conflict: 'conflict' } as Record<string, AddressRun['state']>)[lease.state] ?? 'leased';
      else if (address < first || address > last) state = 'outside';
      else if (excluded.some(([low, high]) => address >= low! && address <= (high ?? low!))) state = 'excluded';

      const before = runs.at(-1);
      if (before && before.state === state && !(detail && (lease || before.lease))) {
        before.last = formatAddress(address);
        before.count++;
      } else {
        runs.push({ first: formatAddress(address), last: formatAddress(address), count: 1, state, ...(detail && lease ? { lease } : {}) });
      }
    }

    return runs;
  }

  count(): void {
    for (const pool of this.pools) {
      const config = pool.spec.ipv4Config;
      const prefix = parsePrefix(config.cidr)!;
      const amounts: Record<string, number> = {};
      for (const run of this.runs(pool, prefix.first, prefix.last, false)) amounts[run.state] = (amounts[run.state] ?? 0) + run.count;
      const amount = (state: string) => amounts[state] ?? 0;
      pool.counts = {
        size: prefix.last - prefix.first + 1 - amount('outside'),
        used: amount('leased') + amount('conflict') + amount('reserved'),
        available: amount('free'),
        reserved: amount('server') + amount('router'),
        excluded: amount('excluded'),
      };
    }
  }

  private addPool(namespace: string, name: string, cidr: string, plan: { router?: string; server: string; start: string; end: string; exclude?: string[]; vlan: number }): void {
    const network = { namespace, name, exists: true, clusterNetwork: 'provider', vlan: plan.vlan };
    this.pools.push({
      namespace, name, uid: uid(`${namespace}/${name}`), createdAt: at(9 * 24 * 60 * minute), resourceVersion: '1', network, state: 'Ready', message: 'Two agents answer.',
      spec: {
        networkName: `${namespace}/${name}`,
        ipv4Config: { cidr, serverIP: plan.server, router: plan.router, pool: { start: plan.start, end: plan.end, exclude: plan.exclude }, dns: ['1.1.1.1', '9.9.9.9'], domainName: 'lab.example', leaseTime: 7200 },
      },
      counts: { size: 0, used: 0, available: 0, reserved: 0, excluded: 0 },
      agents: { ready: 2, wanted: 2, nodes: ['node-a', 'node-b'] },
      conditions: ['Registered', 'CacheReady', 'AgentReady'].map((type) => ({ type, status: 'True' as const, reason: 'Done', message: '', since: at(60 * minute) })),
    });
    this.networks.push({ namespace, name, uid: uid(`net ${name}`), type: 'L2VlanNetwork', clusterNetwork: 'provider', vlan: plan.vlan, mode: 'manual', cidr, gateway: plan.router, managed: true, pool: { kind: 'IPPool', namespace, name }, message: 'Its pool was made from its route.', nodes: ['node-a', 'node-b'] });
    for (const [i, node] of ['node-a', 'node-b'].entries()) {
      this.agents.push({ name: `${name}-agent-7d9f6c5b4-x${i}k2p`, pool: { kind: 'IPPool', namespace, name }, node, ready: true, message: 'Answers with all leases.', image: 'freehold/agent:v1', startedAt: at(200 * minute), restarts: i });
    }
  }

  private addMachine(namespace: string, name: string, pool: string, address: string, n: number): void {
    const lease = this.lease(namespace, pool, address, {
      mac: macOf(n), state: 'Allocated', origin: 'Allocated for a NIC', fixed: n % 7 === 3,
      owner: { kind: 'VirtualMachine', namespace, name, uid: uid(name), interface: 'nic-0' },
      observed: n % 9 === 8
        ? { known: false, why: 'The agent on node-b did not answer when it was asked.' }
        : n % 5 === 4
          ? { known: true }
          : {
              known: true, firstSeen: at(300 * minute), lastSeen: at((n % 50) * minute), lastMessage: 'DHCPACK', expiresAt: new Date(Date.now() + (120 - (n % 50)) * minute).toISOString(),
              hostname: name, agent: `${pool}-agent-7d9f6c5b4-x0k2p`,
              options: [{ code: 1, name: 'subnet mask', value: '255.255.255.0' }, { code: 3, name: 'router', value: '192.168.48.1' }, { code: 6, name: 'domain name server', value: '1.1.1.1, 9.9.9.9' }, { code: 51, name: 'lease time', value: '7200' }],
            },
    });
    this.vms.push({
      namespace, name, uid: uid(name), state: 'Addressed', message: 'Every managed NIC has its address.', running: true, node: n % 2 ? 'node-a' : 'node-b', paused: false,
      nics: [{ interface: 'nic-0', network: `${namespace}/${pool}`, mac: macOf(n), managed: true, address, state: 'Allocated', reason: 'Allocated', message: `Holds ${address}.`, pool: { kind: 'IPPool', namespace, name: pool }, lease: { kind: 'IPLease', namespace, name: lease.name } }],
    });
  }

  lease(namespace: string, pool: string, address: string, rest: Partial<Lease>): Lease {
    const lease: Lease = {
      namespace, name: `${pool}.${address}`, uid: uid(`${namespace}/${pool}.${address} ${this.version}`), pool, network: `${namespace}/${pool}`, address, state: 'Allocated', origin: 'Allocated for a NIC', fixed: false,
      createdAt: at(500 * minute), observed: { known: true }, ...rest,
    };
    this.leases.set(`${namespace}/${lease.name}`, lease);

    return lease;
  }

  private addReserved(): void {
    this.lease('default', 'vm-net', '192.168.48.200', { state: 'Reserved', origin: 'Reserved by a person', fixed: true, comment: 'printer in the hall', mac: '00:11:22:33:44:55', message: 'Kept for this MAC address.' });
    this.lease('default', 'vm-net', '192.168.48.201', { state: 'Reserved', origin: 'Reserved by a person', fixed: true, comment: 'not before the move', message: 'Kept for nobody.' });
  }

  private addTroubles(): void {
    const conflict = this.leases.get('default/vm-net.192.168.48.30')!;
    conflict.state = 'Conflict';
    conflict.message = 'Its guest declined 192.168.48.30 because somebody else on the network uses it. Find who does by the MAC address in the agent’s log, then release this lease.';
    this.vms.push({
      namespace: 'default', name: 'runner-10', uid: uid('runner-10'), state: 'Waiting', message: 'NIC nic-0 waits: pool build has no free address.', running: true, node: 'node-a', paused: false,
      nics: [{ interface: 'nic-0', network: 'default/build', mac: macOf(999), managed: true, state: 'Pending', reason: 'PoolExhausted', message: 'Pool default/build has no free address. Release one or grow the range.', pool: { kind: 'IPPool', namespace: 'default', name: 'build' } }],
    });
    const isolated = this.pool('team-a', 'isolated')!;
    isolated.state = 'Degraded';
    isolated.message = 'One of two agents answers: that on node-b does not run.';
    isolated.agents = { ready: 1, wanted: 2, nodes: ['node-a'] };
    const agent = this.agents.find((one) => one.pool.name === 'isolated' && one.node === 'node-b')!;
    agent.ready = false;
    agent.message = 'Its container waits: ImagePullBackOff.';
    const tenth = this.lease('default', 'build', '10.20.0.13', { owner: { kind: 'VirtualMachine', namespace: 'default', name: 'runner-0', uid: uid('runner-0'), interface: 'nic-0' }, mac: macOf(998) });
    this.vms.push({ namespace: 'default', name: 'runner-0', uid: uid('runner-0'), state: 'Addressed', message: 'Every managed NIC has its address.', running: false, paused: false, nics: [{ interface: 'nic-0', network: 'default/build', mac: macOf(998), managed: true, address: tenth.address, state: 'Allocated', reason: 'Allocated', message: `Holds ${tenth.address}.`, pool: { kind: 'IPPool', namespace: 'default', name: 'build' }, lease: { kind: 'IPLease', namespace: 'default', name: tenth.name } }] });
  }
}
