import { getCurrentInstance, type Component, type Ref } from 'vue';

/**
 * What the extension uses of its host, which is Rancher's dashboard with
 * Harvester's extension. The names and values are those of @rancher/shell 3.0,
 * which is not built in: test/contract checks them against its own code.
 */

/** The dashboard's entry in the menu: a virtual type, which Harvester's own route shows. */
export const dashboardType = 'network.harvesterhci.io.dhcpdashboard';
export const machineType = 'kubevirt.io.virtualmachine';
export const product = 'harvester';

export interface Route {
  params: Record<string, string | string[]>;
  query: Record<string, string | null | (string | null)[]>;
}

export interface Target {
  name: string;
  params: Record<string, string>;
  query: Record<string, string>;
}

export interface Router {
  readonly currentRoute: Readonly<Ref<Route>>;
  resolve(to: Target): { href: string };
  push(to: Target): Promise<unknown>;
  replace(to: Target): Promise<unknown>;
}

/** What Rancher's loader gives to an extension, as far as it is used here. */
export interface Extension {
  metadata: unknown;
  /** Products that the loader removes when the user logs out. */
  productNames: string[];
  addL10n(locale: string, load: () => Promise<unknown>): void;
  register(kind: string, name: string, load: () => Promise<unknown>): void;
  addProduct(product: { init(extension: Extension, store: unknown): void }): void;
  DSL(store: unknown, product: string): {
    virtualType(options: Record<string, unknown>): void;
    basicType(types: string[], group?: string): void;
  };
  addTab(where: string, when: { resource: string[] }, tab: { name: string; labelKey: string; weight?: number; component: () => Promise<Component> }): void;
  /** What is called when the loader removes the extension, as at the log-out. */
  addUninstallHook(hook: () => void): void;
  addTableColumn(where: string, when: { resource: string[] }, column: Record<string, unknown>): void;
}

/** The host's router; only while a component is set up. */
export function useRouter(): Router {
  const router = getCurrentInstance()?.appContext.config.globalProperties['$router'] as Router | undefined;
  if (!router) throw new Error('the host has no $router: this is not the dashboard of Rancher or Harvester');

  return router;
}

/** A parameter of the host's route, or nothing. */
export function param(route: Route, name: string): string | undefined {
  const value = route.params[name];

  return typeof value === 'string' && value !== '' ? value : undefined;
}

/** The cluster that is shown. Harvester without a Rancher above it calls itself local. */
export function clusterOf(route: Route): string {
  return param(route, 'cluster') ?? 'local';
}
