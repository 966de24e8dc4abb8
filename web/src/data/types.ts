/** The API's objects, by short names. */
import type { components } from './generated/api';

type Schemas = components['schemas'];

export type About = Schemas['About'];
export type Pool = Schemas['Pool'];
export type PoolCreate = Schemas['PoolCreate'];
export type PoolPreview = Schemas['PoolPreview'];
export type PoolList = Schemas['PoolList'];
export type AddressMap = Schemas['AddressMap'];
export type AddressRun = AddressMap['runs'][number];
export type Lease = Schemas['Lease'];
export type LeaseList = Schemas['LeaseList'];
export type Reservation = Schemas['Reservation'];
export type Release = Schemas['Release'];
export type History = Schemas['History'];
export type Network = Schemas['Network'];
export type NetworkList = Schemas['NetworkList'];
export type Agent = Schemas['Agent'];
export type AgentList = Schemas['AgentList'];
export type VM = Schemas['VM'];
export type VMList = Schemas['VMList'];
export type Explanation = Schemas['Explanation'];
export type ObjectRef = Schemas['ObjectRef'];
export type Option = Schemas['Option'];
export type Gap = Schemas['Gap'];
export type Change = Schemas['Change'];
export type ChangeKind = Schemas['ChangeKind'];
