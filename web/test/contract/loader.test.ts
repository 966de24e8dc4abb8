import { JSDOM, ResourceLoader, VirtualConsole } from 'jsdom';
import { afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { standInAPI } from '../../src/data/mock/api';
import { World } from '../../src/data/mock/world';
import { dashboardType, machineType } from '../../src/plugin/host';
import about from '../../src/plugin/package.json';
import { builtExtension, hostLibraries, hostScript, namesFromVue } from './host';

// The host is JavaScript: what is any here has no types there.
const id = `${about.name}-${about.version}`;
const script = `/v1/uiplugins/${about.name}/${about.version}/plugin/${id}.umd.min.js`;
const versions = { '3.0.5': 'v2.12.2', '3.0.8': 'v2.13.3', '3.0.13': 'v2.15.0' };

let extension: Map<string, string>;
const scripts = new Map<string, string>();
beforeAll(async () => {
  extension = await builtExtension();
  for (const [version, rancher] of Object.entries(versions)) scripts.set(version, await hostScript(version, rancher));
}, 60_000);

const opened: JSDOM[] = [];
afterEach(() => {
  for (const dom of opened.splice(0)) dom.window.close();
});

/** A browser that gets its scripts from what is served. */
function browser(version: string, served: Record<string, string>, failures: unknown[]): any {
  class Server extends ResourceLoader {
    override fetch(url: string): Promise<Buffer> {
      const content = served[new URL(url).pathname];

      return content === undefined ? Promise.reject(new Error(`${url} is not served`)) : Promise.resolve(Buffer.from(content));
    }
  }
  const dom = new JSDOM('<!doctype html><body class="theme-dark"><div id="app"></div></body>', {
    url: 'https://rancher.example/dashboard/',
    runScripts: 'dangerously',
    pretendToBeVisual: true,
    resources: new Server(),
    virtualConsole: new VirtualConsole().on('error', (...args) => failures.push(args)).on('jsdomError', (error) => failures.push(error)),
  });
  opened.push(dom);
  const window = dom.window as any;
  // Rancher's build puts these in.
  window.process = { env: { NODE_ENV: 'production', excludeOperatorPkg: 'false', UI_EXTENSIONS_API_VERSION: version } };
  window.eval(`${hostLibraries()};${scripts.get(version)};window.Host = Host;`);

  return window;
}

/** Answers as the API of cluster c-m-abc would by way of Rancher; other clusters have none. */
function answerFrom(window: any, world: World): string[] {
  const answer = standInAPI(world);
  const asked: string[] = [];
  window.fetch = (url: string) => {
    asked.push(url);
    const at = new URL(url, window.location.href);
    const path = /^\/k8s\/clusters\/c-m-abc\/apis\/api\.freehold\.net\/v1(\/.*)$/.exec(at.pathname)?.[1];
    if (!path || path === '/events') return Promise.resolve(new Response('', { status: path ? 503 : 404 }));
    const made = answer({ method: 'GET', path, query: at.searchParams, token: 'admin-token' });

    return Promise.resolve(new Response(made.text ?? JSON.stringify(made.body), { status: made.status }));
  };

  return asked;
}

/** The host's store as far as loading needs one, around its real list of products and menus. */
function storeOf(Host: any, annotations: Record<string, string>, failures: unknown[]) {
  const typeMap = Host.typeMap.state();
  const known: unknown[] = [];
  const dispatched: string[] = [];
  const commit = (name: string, payload: unknown) => Host.typeMap.mutations[name.replace('type-map/', '')](typeMap, payload);
  const dispatch = async (name: string, payload: any) => {
    dispatched.push(name);
    if (name === 'management/request' && payload.url === '/v1/uiplugins') {
      return { entries: { [about.name]: { name: about.name, version: about.version, endpoint: 'http://x', noCache: false, metadata: annotations } } };
    }
    if (name === 'uiplugins/addPlugin') known.push(payload);
    if (name === 'uiplugins/setError') failures.push(payload);
    if (name === 'type-map/removeProduct') Host.typeMap.actions.removeProduct({ commit }, payload);

    return undefined;
  };

  return { store: { getters: { 'i18n/t': (key: string) => key, 'uiplugins/plugins': known }, commit, dispatch }, typeMap, dispatched };
}

/** The host with Harvester's product in it, before it loads extensions. */
function host(version: string, served: Record<string, string>, annotations: Record<string, string> = about.rancher.annotations) {
  const failures: unknown[] = [];
  const window = browser(version, served, failures);
  const { Host, VueRouter, Vue } = window;
  const world = new World();
  const asked = answerFrom(window, world);
  const { store, typeMap, dispatched } = storeOf(Host, annotations, failures);

  const page = { render: () => undefined };
  const router = VueRouter.createRouter({
    history: VueRouter.createWebHistory('/dashboard'),
    routes: [
      { path: '/', component: page },
      { name: 'harvester-c-cluster-resource', path: '/:product/c/:cluster/:resource', component: page },
      { name: 'harvester-c-cluster-resource-namespace-id', path: '/:product/c/:cluster/:resource/:namespace/:id', component: page },
    ],
  });
  const manager = Host.createManager({ app: { router }, store, $axios: {}, redirect: () => {} });
  // As Harvester's extension says it.
  const dsl = Host.typeMap.DSL(store, 'harvester');
  dsl.product({ inStore: 'harvester', removable: false });
  dsl.virtualType({ name: 'harvester-dashboard', namespaced: false });
  dsl.basicType(['harvester-dashboard']);

  const load = async () => {
    await Host.loadExtensions({ store, $extension: manager, $plugin: manager, route: { query: {} } });
    manager.loadProducts();
    // It awaits each product before that registers anything.
    await new Promise((resolve) => setTimeout(resolve));
  };
  let app: any;
  const show = async (component: unknown, at: string, props: Record<string, unknown> = {}) => {
    // The router forgets where it is with its last app.
    app?.unmount();
    await router.push(at);
    app = Vue.createApp({ render: () => Vue.h(component, props) });
    app.config.errorHandler = (error: unknown) => void failures.push(error);
    app.use(router).mount('#app');

    return window.document.querySelector('#app') as HTMLElement;
  };

  return { window, manager, typeMap, router, load, show, failures, dispatched, asked, world };
}

const products = (typeMap: any): string[] => typeMap.products.map((product: any) => product.name);

describe.each(Object.keys(versions))('the loader of @rancher/shell %s', (version) => {
  const started = async () => {
    const made = host(version, { [script]: extension.get(`plugin/${id}.umd.min.js`)! });
    await made.load();

    return made;
  };

  it('loads the extension and takes all that it registers', async () => {
    const { manager, typeMap, failures, window } = await started();

    expect(failures).toEqual([]);
    const [loaded] = Object.values<any>(manager.getPlugins());
    expect([loaded.name, loaded.version, loaded.productNames]).toEqual([about.name, about.version, []]);

    const list = await manager.getDynamic('list', dashboardType)();
    expect(list.fetch).toBeTypeOf('function');
    const [words] = manager.getDynamic('l10n', 'en-us');
    expect((await words()).vmdhcp.nav).toBe('Managed DHCP');

    const entry = typeMap.virtualTypes['harvester'].find((type: any) => type.name === dashboardType);
    expect(entry.route).toEqual({ name: 'harvester-c-cluster-resource', params: { product: 'harvester', resource: dashboardType } });
    expect(typeMap.basicTypes['harvester'][dashboardType]).toBe('networks');
    expect(typeMap.virtualTypes['harvester'].map((type: any) => type.name)).toContain('harvester-dashboard');

    const [tab] = manager.getUIConfig('Tab', 'tab');
    expect(tab).toMatchObject({ labelKey: 'vmdhcp.tab', locationConfig: { resource: [machineType] } });
    const [column] = manager.getUIConfig('TableColumn', 'resource-list');
    expect((column.column ?? column).labelKey).toBe('vmdhcp.address');
    expect(await manager.getDynamic('formatters', (column.column ?? column).formatter)()).toBeTruthy();
    expect(window.document.querySelectorAll(`style[data-extension="${id}"]`)).toHaveLength(1);
  });

  it('shows the dashboard with the Vue and the router of the host', async () => {
    const { manager, show, router, failures, asked, window } = await started();
    const root = await show(await manager.getDynamic('list', dashboardType)(), `/harvester/c/c-m-abc/${dashboardType}`, { loading: false, resource: dashboardType });

    await vi.waitFor(() => expect(root.querySelector('h1')?.textContent).toBe('Overview'));
    expect(asked.every((url) => url.startsWith('/k8s/clusters/c-m-abc/apis/api.freehold.net/v1/'))).toBe(true);

    const link = [...root.querySelectorAll<HTMLAnchorElement>('.vmdhcp-bar a')].find((one) => one.textContent === 'DHCP pools')!;
    expect(link.getAttribute('href')).toBe(`/dashboard/harvester/c/c-m-abc/${dashboardType}?at=pools`);
    link.dispatchEvent(new window.MouseEvent('click', { bubbles: true, cancelable: true, button: 0 }));
    await vi.waitFor(() => expect(root.querySelector('h1')?.textContent).toBe('DHCP pools'));
    await vi.waitFor(() => expect(root.textContent).toContain('vm-net'));
    expect(router.currentRoute.value.query).toEqual({ at: 'pools' });

    await router.push({ path: `/harvester/c/c-m-abc/${dashboardType}`, query: { at: 'pools/default/vm-net?tab=leases' } });
    await vi.waitFor(() => expect(root.querySelector('h1')?.textContent).toBe('vm-net'));
    router.back();
    await vi.waitFor(() => expect(root.querySelector('h1')?.textContent).toBe('DHCP pools'));
    expect(failures).toEqual([]);
  });

  it("shows a machine on Harvester's page of it and its address in Harvester's list", async () => {
    const { manager, show, failures, world } = await started();
    const machine = world.vms.find((vm) => vm.nics.some((nic) => nic.address))!;
    const address = machine.nics.find((nic) => nic.address)!.address!;

    const [tab] = manager.getUIConfig('Tab', 'tab');
    const root = await show(tab.component, `/harvester/c/c-m-abc/${machineType}/${machine.namespace}/${machine.name}`, { resource: undefined });
    await vi.waitFor(() => expect(root.textContent).toContain(address));
    await vi.waitFor(() => expect(root.textContent).toContain('From the machine to the wire'));

    const cell = await manager.getDynamic('formatters', 'VmDhcpAddress')();
    const row = { metadata: { namespace: machine.namespace, name: machine.name } };
    const shown = await show(cell, `/harvester/c/c-m-abc/${machineType}`, { row, value: '', col: {} });
    await vi.waitFor(() => expect(shown.textContent).toContain(address));
    expect(failures).toEqual([]);
  });

  it('says what is missing where no Freehold answers', async () => {
    const { manager, show } = await started();
    const root = await show(await manager.getDynamic('list', dashboardType)(), `/harvester/c/c-m-other/${dashboardType}`);

    await vi.waitFor(() => expect(root.textContent).toContain('Freehold does not answer in this cluster'));
  });

  it("leaves Harvester's product alone when the user logs out", async () => {
    const { manager, typeMap, dispatched, failures } = await started();
    await manager.logout();

    expect(dispatched).toContain('uiplugins/removePlugin');
    expect(products(typeMap)).toContain('harvester');
    expect(typeMap.virtualTypes['harvester'].map((type: any) => type.name)).toContain('harvester-dashboard');
    expect(manager.getDynamic('list', dashboardType)).toBeUndefined();
    expect(failures).toEqual([]);
  });

  it('forgets at the log-out what it has read', async () => {
    const { manager, show, world, window } = await started();
    const machine = world.vms.find((vm) => vm.nics.some((nic) => nic.address))!;
    const address = machine.nics.find((nic) => nic.address)!.address!;
    const cell = await manager.getDynamic('formatters', 'VmDhcpAddress')();
    const at = `/harvester/c/c-m-abc/${machineType}`;
    const props = { row: { metadata: { namespace: machine.namespace, name: machine.name } } };

    await vi.waitFor(async () => expect((await show(cell, at, props)).textContent).toContain(address));
    await manager.logout();
    window.fetch = () => new Promise(() => {});
    expect((await show(cell, at, props)).textContent).toBe('…');
  });

  // Without this the test of Harvester's product would prove nothing.
  it('would remove the product for an extension that does not give it back', async () => {
    const careless = `window[${JSON.stringify(id)}] = { default: (x) => { x.metadata = { name: 'careless' }; x.addProduct({ init: (p, store) => p.DSL(store, 'harvester') }); } };`;
    const { manager, typeMap, load } = host(version, { [script]: careless });
    await load();
    await manager.logout();

    expect(products(typeMap)).not.toContain('harvester');
  });

  it('refuses it where its description does not fit', async () => {
    const { load, failures, manager } = host(version, {}, { ...about.rancher.annotations, 'catalog.cattle.io/rancher-version': '>= 9.0.0' });
    await load();

    expect(failures).toEqual([{ name: about.name, error: 'plugins.error.version' }]);
    expect(manager.getPlugins()).toEqual({});
  });
});

describe('the built extension', () => {
  it('takes from Vue only what the oldest host has', async () => {
    const dom = new JSDOM('', { url: 'https://rancher.example/', runScripts: 'dangerously' });
    opened.push(dom);
    dom.window.eval(`${hostLibraries()};window.has = Object.keys(Vue);`);
    const names = await namesFromVue();

    expect(names).toContain('shallowRef');
    expect(names.filter((name) => !(dom.window['has'] as string[]).includes(name))).toEqual([]);
  });

  it('is the tree that Rancher fetches', () => {
    const listed = extension.get('files.txt')!.trim().split('\n');
    expect(listed).toEqual([...extension.keys()].filter((name) => name !== 'files.txt').sort());

    const description = JSON.parse(extension.get('plugin/package.json')!);
    expect(description).toMatchObject({ name: about.name, version: about.version, main: `${id}.umd.min.js`, rancher: about.rancher });
  });
});
