/** The plan of a pool in a form, and what is suggested for a network. */

/** Everything as it is typed; lists are texts with commas. */
export interface PlanForm {
  namespace: string;
  name: string;
  networkName: string;
  cidr: string;
  serverIP: string;
  router: string;
  start: string;
  end: string;
  exclude: string;
  dns: string;
  domainName: string;
  domainSearch: string;
  ntp: string;
  leaseTime: string;
  mtu: string;
  routes: string;
  replicas: string;
}

export const emptyForm: PlanForm = {
  namespace: '', name: '', networkName: '', cidr: '', serverIP: '', router: '', start: '', end: '', exclude: '',
  dns: '', domainName: '', domainSearch: '', ntp: '', leaseTime: '', mtu: '', routes: '', replicas: '',
};

export interface NetworkFacts {
  namespace: string;
  name: string;
  cidr?: string;
  gateway?: string;
}

/**
 * What the network itself tells. The server's own address and the range are left
 * to the server, whose answer to a dry run says what it would choose.
 */
export function suggestPlan(network: NetworkFacts): PlanForm {
  return {
    ...emptyForm,
    namespace: network.namespace,
    name: network.name,
    networkName: `${network.namespace}/${network.name}`,
    cidr: network.cidr ?? '',
    router: network.gateway ?? '',
  };
}

export interface Plan {
  networkName: string;
  agent?: { replicas: number };
  ipv4Config: Record<string, unknown> & { cidr: string };
}

/** The plan of a form; what is empty is left for the server to choose. */
export function planOf(form: PlanForm): Plan {
  const pool: Record<string, unknown> = {};
  if (form.start.trim()) pool['start'] = form.start.trim();
  if (form.end.trim()) pool['end'] = form.end.trim();
  if (words(form.exclude).length > 0) pool['exclude'] = words(form.exclude);

  const config: Plan['ipv4Config'] = { cidr: form.cidr.trim() };
  if (form.serverIP.trim()) config['serverIP'] = form.serverIP.trim();
  if (Object.keys(pool).length > 0) config['pool'] = pool;
  for (const key of ['router', 'domainName'] as const) if (form[key].trim()) config[key] = form[key].trim();
  for (const key of ['dns', 'domainSearch', 'ntp'] as const) if (words(form[key]).length > 0) config[key] = words(form[key]);
  for (const key of ['leaseTime', 'mtu'] as const) if (form[key].trim()) config[key] = number(form[key]);
  if (form.routes.trim()) config['routes'] = routesOf(form.routes);

  const plan: Plan = { networkName: form.networkName.trim(), ipv4Config: config };
  if (form.replicas.trim()) plan.agent = { replicas: number(form.replicas) as number };

  return plan;
}

/** The form of a plan that exists. */
export function formOf(namespace: string, name: string, plan: { networkName: string; agent?: { replicas?: number }; ipv4Config: object }): PlanForm {
  const config = plan.ipv4Config as Record<string, unknown> & { pool?: Record<string, unknown> };
  const text = (value: unknown) => (value === undefined || value === null ? '' : String(value));
  const joined = (value: unknown) => (Array.isArray(value) ? value.join(', ') : '');

  return {
    namespace,
    name,
    networkName: plan.networkName,
    cidr: text(config['cidr']),
    serverIP: text(config['serverIP']),
    router: text(config['router']),
    start: text(config.pool?.['start']),
    end: text(config.pool?.['end']),
    exclude: joined(config.pool?.['exclude']),
    dns: joined(config['dns']),
    domainName: text(config['domainName']),
    domainSearch: joined(config['domainSearch']),
    ntp: joined(config['ntp']),
    leaseTime: text(config['leaseTime']),
    mtu: text(config['mtu']),
    routes: ((config['routes'] ?? []) as { destination: string; gateway: string }[]).map((one) => `${one.destination} via ${one.gateway}`).join('\n'),
    replicas: text(plan.agent?.replicas),
  };
}

/** A merge patch (RFC 7396) from one plan to another: null removes a field. */
export function mergePatch(from: unknown, to: unknown): unknown {
  if (!isObject(from) || !isObject(to)) return to;

  const patch: Record<string, unknown> = {};
  for (const key of new Set([...Object.keys(from), ...Object.keys(to)])) {
    if (!(key in to) || to[key] === undefined) patch[key] = null;
    else if (JSON.stringify(from[key]) !== JSON.stringify(to[key])) patch[key] = mergePatch(from[key], to[key]);
  }

  return patch;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function words(text: string): string[] {
  return text.split(/[\s,]+/).filter(Boolean);
}

// What is no number is sent as it is typed, so that the server says which field
// has it and what to do.
function number(text: string): number | string {
  return /^\d+$/.test(text.trim()) ? Number(text.trim()) : text.trim();
}

function routesOf(text: string): { destination: string; gateway: string }[] {
  return text
    .split(/\n|,/)
    .map((line) => line.trim())
    .filter(Boolean)
    .map((line) => {
      const [destination = '', ...rest] = line.split(/\s+/);

      return { destination, gateway: rest.at(-1) ?? '' };
    });
}
