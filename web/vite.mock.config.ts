import type { IncomingMessage, ServerResponse } from 'node:http';
import { mergeConfig, type Plugin, type PreviewServer, type ViteDevServer } from 'vite';
import page from './vite.config';
import { standInAPI } from './src/data/mock/api';
import { World } from './src/data/mock/world';

// Serves the built page, or with `vite dev` its sources, beside the stand-in's API,
// at all the places that the page can be at. For tests and for work on the page.
const aggregated = '/apis/api.freehold.net';
const proxied = '/api/v1/namespaces/freehold/services/https:manager:443/proxy';

interface Control {
  /** Answers nothing but this status, when it is not 0. */
  failing: number;
  /** Lets each answer wait, in milliseconds. */
  slow: number;
  streams: boolean;
  gaps: boolean;
}

function standIn(): Plugin {
  let world = new World();
  let answer = standInAPI(world);
  let control: Control = { failing: 0, slow: 0, streams: true, gaps: false };

  // What a test does to the world, so that it needs no cluster for it.
  const doings: Record<string, (body: never) => void> = {
    reset: (body: { leases?: number; empty?: boolean }) => {
      world = new World({ leases: body.leases });
      if (body.empty) Object.assign(world, { pools: [], networks: [], agents: [], vms: [], leases: new Map() });
      answer = standInAPI(world);
      control = { failing: 0, slow: 0, streams: true, gaps: false };
    },
    control: (body: Partial<Control>) => Object.assign(control, body),
    killAgent: () => {
      const agent = world.agents[0]!;
      agent.ready = false;
      agent.message = 'It does not answer.';
      const pool = world.pool('default', 'vm-net')!;
      Object.assign(pool, { state: 'Degraded', message: 'One of two agents answers.', agents: { ready: 1, wanted: 2, nodes: ['node-b'] } });
      world.changed('agent', 'changed', agent);
      world.changed('pool', 'changed', pool);
    },
    touchLease: (body: { hostname: string }) => {
      const lease = world.leases.get('default/vm-net.192.168.48.10')!;
      lease.observed = { ...lease.observed!, hostname: body.hostname };
      world.changed('lease', 'changed', lease);
    },
  };

  function stream(request: IncomingMessage, response: ServerResponse): void {
    response.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store' });
    const send = (id: number, change: unknown) => response.write(`id: ${id}\nevent: change\ndata: ${JSON.stringify(change)}\n\n`);
    const last = Number(request.headers['last-event-id'] ?? 0);
    if (last) for (const one of world.past) if (one.id > last) send(one.id, one.change);
    response.write(`id: ${world.version}\n: hello\n\n`);
    const end = world.subscribe(send);
    request.on('close', end);
  }

  async function handle(request: IncomingMessage, response: ServerResponse, next: () => void): Promise<void> {
    let url = new URL(request.url ?? '/', 'http://stand-in');
    let known = '';
    if (url.pathname.startsWith(`${aggregated}/v1/ui/`)) {
      request.url = url.pathname.slice(`${aggregated}/v1/ui`.length) + url.search;

      return next();
    }
    if (url.pathname.startsWith(`${proxied}/`) && !url.pathname.startsWith(`${proxied}/v1/`)) {
      request.url = url.pathname.slice(proxied.length) + url.search;

      return next();
    }
    if (url.pathname.startsWith(aggregated)) known = 'admin-token';
    url = new URL(url.pathname.replace(aggregated, '').replace(proxied, '') + url.search, url);
    const mock = /^\/mock\/(\w+)$/.exec(url.pathname);
    if (!mock && !url.pathname.startsWith('/v1/')) return next();

    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const text = Buffer.concat(chunks).toString();
    const body = text ? (JSON.parse(text) as unknown) : undefined;
    if (mock) {
      doings[mock[1]!]!((body ?? {}) as never);
      response.writeHead(204).end();

      return;
    }
    if (control.slow) await new Promise((resolve) => setTimeout(resolve, control.slow));
    if (control.failing) {
      response.writeHead(control.failing, { 'Content-Type': 'text/plain' }).end('upstream connect error');

      return;
    }
    const token = known || (request.headers.authorization ?? '').replace('Bearer ', '');
    const path = url.pathname.slice('/v1'.length);
    if (path === '/events' && !control.streams) {
      response.writeHead(503, { 'Content-Type': 'application/problem+json' }).end(JSON.stringify({ title: 'Unavailable', status: 503, detail: 'this replica sends no events now' }));

      return;
    }
    if (path === '/events' && answer({ method: 'GET', path: '/about', query: url.searchParams, token }).status === 200) {
      stream(request, response);

      return;
    }

    const made = answer({ method: request.method ?? 'GET', path, query: url.searchParams, token, body });
    let content = made.body as Record<string, unknown> | undefined;
    if (control.gaps && content && 'items' in content) content = { ...content, gaps: [{ source: 'agent on node-b', reason: 'It did not answer within 2 seconds, so that what it saw is missing.' }] };
    const etag = `"${world.version}-${url.href.length}-${token}"`;
    const reading = request.method === 'GET' && made.status === 200;
    if (reading && request.headers['if-none-match'] === etag) {
      response.writeHead(304, { ETag: etag }).end();

      return;
    }
    response.writeHead(made.status, { 'Content-Type': made.type ?? 'application/json', ...(reading && !control.gaps ? { ETag: etag } : {}) });
    response.end(made.text ?? JSON.stringify(content));
  }

  const use = (server: ViteDevServer | PreviewServer) => void server.middlewares.use((request, response, next) => void handle(request, response, next));

  return { name: 'stand-in', configureServer: use, configurePreviewServer: use };
}

export default mergeConfig(page, { plugins: [standIn()] });
