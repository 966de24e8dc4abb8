import { name, version } from './package.json';
import '../ui/ui.css';
import './plugin.css';
import AddressCell from './AddressCell.vue';
import DashboardPage from './DashboardPage.vue';
import { dashboardType, machineType, product, type Extension } from './host';
import { forgetMachines } from './machines';
import MachineTab from './MachineTab.vue';
import { forgetSources } from './sources';

const words = { vmdhcp: { nav: 'Managed DHCP', tab: 'DHCP', address: 'DHCP address' } };
const poolType = 'network.harvesterhci.io.ippool';
const cell = 'VmDhcpAddress';

/** What Rancher calls once it has loaded the file. */
export default function (extension: Extension): void {
  // Rancher knows the extension by the name in the package's description.
  extension.metadata = { name, version };
  extension.addL10n('en-us', () => Promise.resolve(words));

  // A list of a type without a schema is asked to fetch for itself.
  extension.register('list', dashboardType, () => Promise.resolve({ ...DashboardPage, fetch: () => {} }));
  extension.register('formatters', cell, () => Promise.resolve(AddressCell));

  // The host may let somebody else log in without loading its page again.
  extension.addUninstallHook(() => {
    forgetSources();
    forgetMachines();
  });

  extension.addProduct({
    init(own, store) {
      const { virtualType, basicType } = own.DSL(store, product);
      // By asking for the words of Harvester's product the extension is noted as its
      // owner, and at the log-out Rancher would remove it with all that it has.
      own.productNames = own.productNames.filter((owned) => owned !== product);
      virtualType({
        name: dashboardType,
        labelKey: 'vmdhcp.nav',
        namespaced: false,
        // Below the VM networks, above the cluster networks.
        weight: 484.5,
        ifHaveType: poolType,
        // Harvester's own route: one of ours would have Rancher load its own store
        // of a cluster instead of Harvester's when the page is loaded again.
        route: { name: `${product}-c-cluster-resource`, params: { product, resource: dashboardType } },
      });
      basicType([dashboardType], 'networks');
    },
  });

  const machines = { resource: [machineType] };
  extension.addTab('tab', machines, { name: 'vmdhcp', labelKey: 'vmdhcp.tab', weight: -1, component: () => Promise.resolve(MachineTab) });
  extension.addTableColumn('resource-list', { resource: [machineType] }, {
    name: 'vmdhcp-address',
    labelKey: 'vmdhcp.address',
    formatter: cell,
    // The address is no part of the machine: the host can neither sort nor search by it.
    getValue: () => '',
    sort: false,
    search: false,
  });
}
