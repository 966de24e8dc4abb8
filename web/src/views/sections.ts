import type { View } from '../core/route';
import type { icons } from '../ui/icons';

/** An entry of the dashboard's navigation. */
export interface Section {
  view: View;
  label: string;
  icon: keyof typeof icons;
  /** Views that are below it. */
  also: View[];
}

export const sections: Section[] = [
  { view: 'overview', label: 'Overview', icon: 'overview', also: [] },
  { view: 'pools', label: 'DHCP pools', icon: 'pool', also: ['pool', 'pool-create', 'pool-edit'] },
  { view: 'leases', label: 'Leases', icon: 'lease', also: [] },
  { view: 'machines', label: 'Virtual machines', icon: 'machine', also: ['machine'] },
  { view: 'networks', label: 'VM networks', icon: 'network', also: [] },
  { view: 'agents', label: 'Agents', icon: 'agent', also: [] },
  { view: 'about', label: 'Diagnostics', icon: 'about', also: [] },
];

/** The entry that a view belongs to. */
export function sectionOf(view: View): Section | undefined {
  return sections.find((section) => section.view === view || section.also.includes(view));
}
