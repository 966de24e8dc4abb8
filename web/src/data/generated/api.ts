// Generated from pkg/api/openapi/openapi.yaml by `npm run generate`; do not edit.
export interface paths {
    "/v1/openapi.json": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** This document. */
        get: operations["getOpenAPI"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/about": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Who answers, who asks, and what the caller may do in the whole cluster. */
        get: operations["getAbout"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/pools": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The pools that the caller may list, those that need attention first when sort is attention. */
        get: operations["listPools"];
        put?: never;
        /** Creates a pool, or with dryRun says what would be created. */
        post: operations["createPool"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/pools/{namespace}/{name}": {
        parameters: {
            query?: never;
            header?: never;
            path: {
                namespace: components["parameters"]["namespace"];
                name: components["parameters"]["name"];
            };
            cookie?: never;
        };
        /** One pool, with what the caller may do with it. */
        get: operations["getPool"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        /** Changes the plan of a pool (JSON merge patch, RFC 7396), or with dryRun says what would change for whom. */
        patch: operations["editPool"];
        trace?: never;
    };
    "/v1/pools/{namespace}/{name}/addresses": {
        parameters: {
            query?: never;
            header?: never;
            path: {
                namespace: components["parameters"]["namespace"];
                name: components["parameters"]["name"];
            };
            cookie?: never;
        };
        /** The address map, as runs of addresses in the same state. */
        get: operations["getPoolAddresses"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/pools/{namespace}/{name}/leases": {
        parameters: {
            query?: never;
            header?: never;
            path: {
                namespace: components["parameters"]["namespace"];
                name: components["parameters"]["name"];
            };
            cookie?: never;
        };
        /** The leases of one pool, by address. Takes the parameters of /v1/leases. */
        get: operations["listPoolLeases"];
        put?: never;
        /** Reserves an address for a MAC address, for a virtual machine, or for nobody. */
        post: operations["reserve"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/pools/{namespace}/{name}/pause": {
        parameters: {
            query?: never;
            header?: never;
            path: {
                namespace: components["parameters"]["namespace"];
                name: components["parameters"]["name"];
            };
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Pauses a pool. Its agents stop; addresses held stay held. */
        post: operations["pausePool"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/pools/{namespace}/{name}/resume": {
        parameters: {
            query?: never;
            header?: never;
            path: {
                namespace: components["parameters"]["namespace"];
                name: components["parameters"]["name"];
            };
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Ends the pause of a pool. */
        post: operations["resumePool"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/leases": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Searches all leases that the caller may list. */
        get: operations["listLeases"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/leases/{namespace}/{name}": {
        parameters: {
            query?: never;
            header?: never;
            path: {
                namespace: components["parameters"]["namespace"];
                name: components["parameters"]["name"];
            };
            cookie?: never;
        };
        /** One lease, with what the agents saw of it and what the caller may do with it. */
        get: operations["getLease"];
        put?: never;
        post?: never;
        /** Releases an address. A machine that still has the NIC is given an address anew, perhaps another. */
        delete: operations["releaseLease"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/leases/{namespace}/{name}/fix": {
        parameters: {
            query?: never;
            header?: never;
            path: {
                namespace: components["parameters"]["namespace"];
                name: components["parameters"]["name"];
            };
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Makes the address the one that the NIC asks for, in the request of its machine. */
        post: operations["fixLease"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/leases/{namespace}/{name}/history": {
        parameters: {
            query?: never;
            header?: never;
            path: {
                namespace: components["parameters"]["namespace"];
                name: components["parameters"]["name"];
            };
            cookie?: never;
        };
        /** What happened to an address, newest first, as far as it is known, and how far that is. Also of a lease that is gone, while its end is remembered. */
        get: operations["getLeaseHistory"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/networks": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** VM networks, and why one has no pool. */
        get: operations["listNetworks"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/agents": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The DHCP agents of the pools that the caller may list. */
        get: operations["listAgents"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/vms": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Machines with a NIC on a managed network, and what each NIC has. */
        get: operations["listVMs"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/vms/{namespace}/{name}": {
        parameters: {
            query?: never;
            header?: never;
            path: {
                namespace: components["parameters"]["namespace"];
                name: components["parameters"]["name"];
            };
            cookie?: never;
        };
        /** One machine and its NICs. */
        get: operations["getVM"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/vms/{namespace}/{name}/explain": {
        parameters: {
            query?: never;
            header?: never;
            path: {
                namespace: components["parameters"]["namespace"];
                name: components["parameters"]["name"];
            };
            cookie?: never;
        };
        /** Walks from the machine to the wire and names the step that fails and what to do. */
        get: operations["explainVM"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/vms/{namespace}/{name}/pause": {
        parameters: {
            query?: never;
            header?: never;
            path: {
                namespace: components["parameters"]["namespace"];
                name: components["parameters"]["name"];
            };
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Stops changes to the addresses of a machine. Addresses held stay held and are answered. */
        post: operations["pauseVM"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/vms/{namespace}/{name}/resume": {
        parameters: {
            query?: never;
            header?: never;
            path: {
                namespace: components["parameters"]["namespace"];
                name: components["parameters"]["name"];
            };
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Lets the addresses of a machine change again. */
        post: operations["resumeVM"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/events": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Changes as they happen, as server-sent events.
         * @description Each event has an `id`; a client that comes back with it in `Last-Event-ID`, or in `after`, is sent what it
         *     missed. When that is no longer known it is sent an event `reset` first and should read its lists again. A
         *     reader that is too slow is sent `reset` and the stream ends. A comment is sent at least every 15 seconds.
         *     The `data` of every other event is a Change.
         */
        get: operations["streamEvents"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
}
export type webhooks = Record<string, never>;
export interface components {
    schemas: {
        /** Format: date-time */
        Time: string;
        /** @description RFC 9457. */
        Problem: {
            /** @description What kind of problem; about:blank when the status says it all. */
            type?: string;
            title: string;
            status: number;
            detail: string;
            instance?: string;
            errors?: {
                /** @description The parameter, or the path of the field in the body. */
                field?: string;
                /** @description What was given. */
                value?: unknown;
                detail: string;
                remedy?: string;
            }[];
        };
        ObjectRef: {
            kind: string;
            namespace?: string;
            name: string;
            uid?: string;
        };
        /** @description What the caller may do with this object; absent in lists. */
        Allowed: {
            [key: string]: boolean;
        };
        /** @description A source that did not answer, so that something is missing here. */
        Gap: {
            source: string;
            reason: string;
        };
        About: {
            version: string;
            replica: string;
            startedAt: components["schemas"]["Time"];
            leader?: boolean;
            user: {
                name: string;
                groups?: string[];
            };
            /** @description What the caller may do in every namespace: listPools, createPools, listLeases, listVMs, listNetworks. */
            allowed: {
                [key: string]: boolean;
            };
            /** @description Namespaces with pools that the caller may read; absent when it is all. */
            namespaces?: string[];
        };
        /** @enum {string} */
        PoolState: "Ready" | "Degraded" | "Unserved" | "Paused" | "Invalid" | "Unknown";
        Condition: {
            type: string;
            /** @enum {string} */
            status: "True" | "False" | "Unknown";
            reason?: string;
            message?: string;
            since?: components["schemas"]["Time"];
        };
        /** @description The plan of a pool, in the fields of an IPPool's spec. */
        PoolPlan: {
            networkName: string;
            paused?: boolean;
            agent?: {
                replicas?: number;
            };
            ipv4Config: {
                cidr: string;
                serverIP?: string;
                pool?: {
                    start?: string;
                    end?: string;
                    exclude?: string[];
                };
                router?: string;
                dns?: string[];
                domainName?: string;
                domainSearch?: string[];
                ntp?: string[];
                /** @description Seconds. */
                leaseTime?: number;
                /** @description Bytes. */
                mtu?: number;
                routes?: {
                    destination: string;
                    gateway: string;
                }[];
            };
        };
        PoolCreate: {
            namespace: string;
            name: string;
            spec: components["schemas"]["PoolPlan"];
        };
        /** @description A merge patch of the plan; null removes a field. */
        PoolEdit: {
            spec: Record<string, never>;
            /** @description Only when the pool is still of this version. */
            resourceVersion?: string;
        };
        Pool: {
            namespace: string;
            name: string;
            uid: string;
            createdAt: components["schemas"]["Time"];
            resourceVersion: string;
            network: {
                namespace: string;
                name: string;
                exists: boolean;
                clusterNetwork?: string;
                vlan?: number;
            };
            spec: components["schemas"]["PoolPlan"];
            state: components["schemas"]["PoolState"];
            /** @description In plain words why the state is what it is. */
            message: string;
            counts: components["schemas"]["Counts"];
            agents: {
                ready: number;
                wanted: number;
                nodes: string[];
            };
            conditions: components["schemas"]["Condition"][];
            allowed?: components["schemas"]["Allowed"];
        };
        /** @description Used, available, reserved and excluded add up to size; null while the plan cannot be read. */
        Counts: {
            size: number | null;
            used: number | null;
            available: number | null;
            reserved: number | null;
            excluded: number | null;
        };
        /** @description What a change of a pool would do. */
        PoolPreview: {
            pool: components["schemas"]["Pool"];
            changes: {
                field: string;
                from?: unknown;
                to?: unknown;
            }[];
            /** @description Leases for which something changes. */
            affected: {
                lease: components["schemas"]["Lease"];
                effect: string;
            }[];
            /** @description The options that a guest is given. */
            guest: components["schemas"]["Option"][];
            warnings: string[];
        };
        Option: {
            code: number;
            name: string;
            value: string;
        };
        PoolList: {
            items: components["schemas"]["Pool"][];
            /** @description How many there are in all pages. */
            total: number;
            continue?: string;
            gaps?: components["schemas"]["Gap"][];
        };
        /** @enum {string} */
        AddressState: "free" | "leased" | "reserved" | "excluded" | "server" | "router" | "conflict" | "outside";
        AddressMap: {
            cidr: string;
            from: string;
            to: string;
            /** @description In the order of addresses, without gaps between from and to. */
            runs: {
                first: string;
                last: string;
                count: number;
                state: components["schemas"]["AddressState"];
                lease?: components["schemas"]["Lease"];
            }[];
            /** @description Addresses of each state between from and to. */
            counts: {
                [key: string]: number;
            };
            gaps?: components["schemas"]["Gap"][];
        };
        /**
         * @description Allocated, held by a NIC; Reserved, kept by a person; Conflict, declined by its guest because somebody else uses it; Orphaned, its owner or pool is gone and it is about to be freed.
         * @enum {string}
         */
        LeaseState: "Allocated" | "Reserved" | "Conflict" | "Orphaned";
        /** @description What the agents saw. When known is false, why says why nothing is known. */
        Observed: {
            known: boolean;
            why?: string;
            listeningSince?: components["schemas"]["Time"];
            firstSeen?: components["schemas"]["Time"];
            lastSeen?: components["schemas"]["Time"];
            lastMessage?: string;
            expiresAt?: components["schemas"]["Time"];
            hostname?: string;
            vendorClass?: string;
            agent?: string;
            /** @description Of the last DHCPACK. */
            options?: components["schemas"]["Option"][];
        };
        Lease: {
            namespace: string;
            name: string;
            uid: string;
            /** @description In the same namespace. */
            pool: string;
            /** @description As namespace/name; empty when the pool is gone. */
            network: string;
            address: string;
            /** @description Lower case with colons; absent for an address that is kept and answered to nobody. */
            mac?: string;
            state: components["schemas"]["LeaseState"];
            /** @description What is to be said of the state. */
            message?: string;
            /** @description How the lease came to be. */
            origin: string;
            /** @description Whether the owner asks for this very address. */
            fixed: boolean;
            owner?: components["schemas"]["LeaseOwner"];
            /** @description For whom the address is kept when its owner ends; absent when it is free then. Empty, for nobody. */
            reservation?: {
                mac?: string;
                owner?: components["schemas"]["LeaseOwner"];
            };
            comment?: string;
            createdAt: components["schemas"]["Time"];
            observed?: components["schemas"]["Observed"];
            allowed?: components["schemas"]["Allowed"];
        };
        /** @description Who holds an address; without a uid, for whom it is kept and who has not taken it up. */
        LeaseOwner: {
            kind: string;
            namespace: string;
            name: string;
            uid?: string;
            interface?: string;
        };
        LeaseList: {
            items: components["schemas"]["Lease"][];
            total: number;
            continue?: string;
            gaps?: components["schemas"]["Gap"][];
        };
        /** @description At most one of mac and vm. Without both the address is kept for nobody. */
        Reservation: {
            /** @description Empty to have one chosen. */
            address?: string;
            /** @description In any spelling. */
            mac?: string;
            vm?: {
                /** @description Default the pool's. */
                namespace?: string;
                name: string;
                interface?: string;
            };
            comment?: string;
        };
        Release: {
            lease: components["schemas"]["Lease"];
            warnings: string[];
        };
        History: {
            since: components["schemas"]["Time"];
            /** @description What is not known and why. */
            note?: string;
            items: {
                at: components["schemas"]["Time"];
                /** @enum {string} */
                source: "object" | "change" | "wire";
                /** @description Created, Changed, Deleted, or the DHCP message such as DHCPACK. */
                what: string;
                /** @enum {string} */
                direction?: "in" | "out";
                detail?: string;
                agent?: string;
            }[];
            gaps?: components["schemas"]["Gap"][];
        };
        Network: {
            namespace: string;
            name: string;
            uid?: string;
            type?: string;
            clusterNetwork?: string;
            vlan?: number;
            /** @description Of the route: manual or auto. */
            mode?: string;
            cidr?: string;
            gateway?: string;
            /** @description Whether a pool serves it. */
            managed: boolean;
            pool?: components["schemas"]["ObjectRef"];
            /** @description Why it has a pool or has none */
            message: string;
            /** @description Nodes that carry it. */
            nodes?: string[];
        };
        NetworkList: {
            items: components["schemas"]["Network"][];
            total: number;
            continue?: string;
        };
        Agent: {
            name: string;
            pool: components["schemas"]["ObjectRef"];
            node?: string;
            ready: boolean;
            message: string;
            image?: string;
            startedAt?: components["schemas"]["Time"];
            restarts?: number;
        };
        AgentList: {
            items: components["schemas"]["Agent"][];
            total: number;
            continue?: string;
        };
        /**
         * @description Addressed, every managed NIC has its address; Waiting, one has none; Paused; Unmanaged, none is managed.
         * @enum {string}
         */
        VMState: "Addressed" | "Waiting" | "Paused" | "Unmanaged";
        VM: {
            namespace: string;
            name: string;
            uid?: string;
            state: components["schemas"]["VMState"];
            message: string;
            running?: boolean | null;
            node?: string;
            paused?: boolean;
            nics: {
                interface?: string;
                network: string;
                mac?: string;
                managed: boolean;
                address?: string;
                wanted?: string;
                /** @enum {string} */
                state: "Allocated" | "Pending" | "Stale" | "Unmanaged";
                reason?: string;
                message: string;
                pool?: components["schemas"]["ObjectRef"];
                lease?: components["schemas"]["ObjectRef"];
            }[];
            allowed?: components["schemas"]["Allowed"];
        };
        VMList: {
            items: components["schemas"]["VM"][];
            total: number;
            continue?: string;
        };
        /** @enum {string} */
        Verdict: "ok" | "waiting" | "failing" | "unknown";
        Explanation: {
            vm: components["schemas"]["ObjectRef"];
            verdict: components["schemas"]["Verdict"];
            summary: string;
            nics: {
                interface: string;
                verdict: components["schemas"]["Verdict"];
                summary: string;
                /** @description In this order; the first that is not ok is the cause. */
                steps: {
                    /** @enum {string} */
                    step: "Machine" | "NIC" | "Network" | "Pool" | "Request" | "Lease" | "Agent" | "Packets";
                    verdict: components["schemas"]["Verdict"];
                    message: string;
                    remedy?: string;
                    object?: components["schemas"]["ObjectRef"];
                }[];
            }[];
        };
        /** @enum {string} */
        ChangeKind: "pool" | "lease" | "network" | "agent" | "vm";
        /** @description The data of an event. */
        Change: {
            kind: components["schemas"]["ChangeKind"];
            /** @enum {string} */
            type: "added" | "changed" | "removed";
            /** @description Of an agent, its pool's. */
            namespace: string;
            /** @description Of an agent, its Pod's. */
            name: string;
            /** @description The Pool, Lease, Network, Agent or VM as it is now; absent when removed. */
            object?: unknown;
        };
    };
    responses: {
        /** @description The caller has this already. */
        NotModified: {
            headers: {
                [name: string]: unknown;
            };
            content?: never;
        };
        /** @description A parameter or the body cannot be read. */
        BadRequest: {
            headers: {
                [name: string]: unknown;
            };
            content: {
                "application/problem+json": components["schemas"]["Problem"];
            };
        };
        /** @description Kubernetes does not know the caller. */
        Unauthorized: {
            headers: {
                [name: string]: unknown;
            };
            content: {
                "application/problem+json": components["schemas"]["Problem"];
            };
        };
        /** @description The caller may not do this. */
        Forbidden: {
            headers: {
                [name: string]: unknown;
            };
            content: {
                "application/problem+json": components["schemas"]["Problem"];
            };
        };
        /** @description There is no such object. */
        NotFound: {
            headers: {
                [name: string]: unknown;
            };
            content: {
                "application/problem+json": components["schemas"]["Problem"];
            };
        };
        /** @description Somebody else was first, or the object is not in a state for this. */
        Conflict: {
            headers: {
                [name: string]: unknown;
            };
            content: {
                "application/problem+json": components["schemas"]["Problem"];
            };
        };
        /** @description The continue value is of another list; begin without it. */
        Gone: {
            headers: {
                [name: string]: unknown;
            };
            content: {
                "application/problem+json": components["schemas"]["Problem"];
            };
        };
        /** @description The body is of a type that is not read here. */
        UnsupportedMediaType: {
            headers: {
                [name: string]: unknown;
            };
            content: {
                "application/problem+json": components["schemas"]["Problem"];
            };
        };
        /** @description The change is refused with field and value and remedy. */
        Refused: {
            headers: {
                [name: string]: unknown;
            };
            content: {
                "application/problem+json": components["schemas"]["Problem"];
            };
        };
        /** @description Something went wrong here that is not the caller's doing. */
        Failure: {
            headers: {
                [name: string]: unknown;
            };
            content: {
                "application/problem+json": components["schemas"]["Problem"];
            };
        };
        /** @description This replica cannot answer now. */
        Unavailable: {
            headers: {
                [name: string]: unknown;
            };
            content: {
                "application/problem+json": components["schemas"]["Problem"];
            };
        };
    };
    parameters: {
        namespace: string;
        name: string;
        /** @description Most items of a page. */
        limit: number;
        /** @description What the page before gave as continue, with the same other parameters. */
        continue: string;
        /** @description Checks everything and changes nothing. */
        dryRun: boolean;
    };
    requestBodies: never;
    headers: {
        /** @description Changes when the answer does; send it as If-None-Match. */
        ETag: string;
    };
    pathItems: never;
}
export type $defs = Record<string, never>;
export interface operations {
    getOpenAPI: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The document. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        openapi: string;
                    };
                };
            };
        };
    };
    getAbout: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description About this replica and the caller. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["About"];
                };
            };
            400: components["responses"]["BadRequest"];
            401: components["responses"]["Unauthorized"];
            500: components["responses"]["Failure"];
            503: components["responses"]["Unavailable"];
        };
    };
    listPools: {
        parameters: {
            query?: {
                /** @description Most items of a page. */
                limit?: components["parameters"]["limit"];
                /** @description What the page before gave as continue, with the same other parameters. */
                continue?: components["parameters"]["continue"];
                /** @description Only this namespace. */
                namespace?: string;
                /** @description Only pools of this network, as namespace/name or name. */
                network?: string;
                /** @description Only pools in this state; may be repeated. */
                state?: components["schemas"]["PoolState"][];
                /** @description Text in name, namespace, network or prefix. */
                q?: string;
                sort?: "name" | "attention" | "used";
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page of pools. */
            200: {
                headers: {
                    ETag: components["headers"]["ETag"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PoolList"];
                };
            };
            304: components["responses"]["NotModified"];
            400: components["responses"]["BadRequest"];
            401: components["responses"]["Unauthorized"];
            403: components["responses"]["Forbidden"];
            410: components["responses"]["Gone"];
            500: components["responses"]["Failure"];
            503: components["responses"]["Unavailable"];
        };
    };
    createPool: {
        parameters: {
            query?: {
                /** @description Checks everything and changes nothing. */
                dryRun?: components["parameters"]["dryRun"];
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["PoolCreate"];
            };
        };
        responses: {
            /** @description What would be created. Nothing was. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PoolPreview"];
                };
            };
            /** @description The new pool. */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Pool"];
                };
            };
            400: components["responses"]["BadRequest"];
            401: components["responses"]["Unauthorized"];
            403: components["responses"]["Forbidden"];
            409: components["responses"]["Conflict"];
            415: components["responses"]["UnsupportedMediaType"];
            422: components["responses"]["Refused"];
            500: components["responses"]["Failure"];
            503: components["responses"]["Unavailable"];
        };
    };
    getPool: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                namespace: components["parameters"]["namespace"];
                name: components["parameters"]["name"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The pool. */
            200: {
                headers: {
                    ETag: components["headers"]["ETag"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Pool"];
                };
            };
            304: components["responses"]["NotModified"];
            400: components["responses"]["BadRequest"];
            401: components["responses"]["Unauthorized"];
            403: components["responses"]["Forbidden"];
            404: components["responses"]["NotFound"];
            500: components["responses"]["Failure"];
            503: components["responses"]["Unavailable"];
        };
    };
    editPool: {
        parameters: {
            query?: {
                /** @description Checks everything and changes nothing. */
                dryRun?: components["parameters"]["dryRun"];
            };
            header?: never;
            path: {
                namespace: components["parameters"]["namespace"];
                name: components["parameters"]["name"];
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/merge-patch+json": components["schemas"]["PoolEdit"];
                "application/json": components["schemas"]["PoolEdit"];
            };
        };
        responses: {
            /** @description The changed pool; with dryRun, what would change. Nothing was then. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Pool"] | components["schemas"]["PoolPreview"];
                };
            };
            400: components["responses"]["BadRequest"];
            401: components["responses"]["Unauthorized"];
            403: components["responses"]["Forbidden"];
            404: components["responses"]["NotFound"];
            409: components["responses"]["Conflict"];
            415: components["responses"]["UnsupportedMediaType"];
            422: components["responses"]["Refused"];
            500: components["responses"]["Failure"];
            503: components["responses"]["Unavailable"];
        };
    };
    getPoolAddresses: {
        parameters: {
            query?: {
                /** @description First address of the map. Default the first of the prefix. */
                from?: string;
                /** @description Last address of the map. Default the last of the prefix. */
                to?: string;
                /** @description Whether each held address is a run of its own that tells its lease; at most 4,096 addresses then. */
                detail?: boolean;
            };
            header?: never;
            path: {
                namespace: components["parameters"]["namespace"];
                name: components["parameters"]["name"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The map. */
            200: {
                headers: {
                    ETag: components["headers"]["ETag"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["AddressMap"];
                };
            };
            304: components["responses"]["NotModified"];
            400: components["responses"]["BadRequest"];
            401: components["responses"]["Unauthorized"];
            403: components["responses"]["Forbidden"];
            404: components["responses"]["NotFound"];
            409: components["responses"]["Conflict"];
            500: components["responses"]["Failure"];
            503: components["responses"]["Unavailable"];
        };
    };
    listPoolLeases: {
        parameters: {
            query?: {
                /** @description Most items of a page. */
                limit?: components["parameters"]["limit"];
                /** @description What the page before gave as continue, with the same other parameters. */
                continue?: components["parameters"]["continue"];
                /** @description Part of an address, prefix such as 10.0.0.0/28, MAC in any spelling or part of it, VM, host name, namespace, pool, network or comment. */
                q?: string;
                /** @description Address, prefix such as 10.0.0.0/28, or the beginning of an address such as 10.0.0. */
                address?: string;
                /** @description MAC address in any spelling, or a part of one. */
                mac?: string;
                /** @description Virtual machine, as name or namespace/name. */
                vm?: string;
                /** @description Part of the host name that the guest told an agent, as far as agents were asked, or else that it is told. */
                hostname?: string;
                /** @description Namespace of the pool or of the owner. */
                namespace?: string;
                /** @description Network, as name or namespace/name. */
                network?: string;
                /** @description Only leases in this state; may be repeated. */
                state?: components["schemas"]["LeaseState"][];
                /** @description Order; a minus turns it round. Ties are in the order of addresses. */
                sort?: "address" | "-address" | "mac" | "-mac" | "vm" | "-vm" | "network" | "-network" | "state" | "-state" | "created" | "-created";
                /** @description Whether each lease tells what the agents saw of it; at most 100 leases a page then. */
                observed?: boolean;
                /** @description csv or json for a file with everything that is filtered, without pages. */
                format?: "csv" | "json";
            };
            header?: never;
            path: {
                namespace: components["parameters"]["namespace"];
                name: components["parameters"]["name"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page of leases, or all of them as a file. */
            200: {
                headers: {
                    ETag: components["headers"]["ETag"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["LeaseList"];
                    "text/csv": string;
                };
            };
            304: components["responses"]["NotModified"];
            400: components["responses"]["BadRequest"];
            401: components["responses"]["Unauthorized"];
            403: components["responses"]["Forbidden"];
            404: components["responses"]["NotFound"];
            410: components["responses"]["Gone"];
            500: components["responses"]["Failure"];
            503: components["responses"]["Unavailable"];
        };
    };
    reserve: {
        parameters: {
            query?: {
                /** @description Checks everything and changes nothing. */
                dryRun?: components["parameters"]["dryRun"];
            };
            header?: never;
            path: {
                namespace: components["parameters"]["namespace"];
                name: components["parameters"]["name"];
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["Reservation"];
            };
        };
        responses: {
            /** @description The lease that would be made. Nothing was. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Lease"];
                };
            };
            /** @description The lease. */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Lease"];
                };
            };
            400: components["responses"]["BadRequest"];
            401: components["responses"]["Unauthorized"];
            403: components["responses"]["Forbidden"];
            404: components["responses"]["NotFound"];
            409: components["responses"]["Conflict"];
            415: components["responses"]["UnsupportedMediaType"];
            422: components["responses"]["Refused"];
            500: components["responses"]["Failure"];
            503: components["responses"]["Unavailable"];
        };
    };
    pausePool: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                namespace: components["parameters"]["namespace"];
                name: components["parameters"]["name"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The pool. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Pool"];
                };
            };
            401: components["responses"]["Unauthorized"];
            403: components["responses"]["Forbidden"];
            404: components["responses"]["NotFound"];
            409: components["responses"]["Conflict"];
            422: components["responses"]["Refused"];
            500: components["responses"]["Failure"];
            503: components["responses"]["Unavailable"];
        };
    };
    resumePool: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                namespace: components["parameters"]["namespace"];
                name: components["parameters"]["name"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The pool. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Pool"];
                };
            };
            401: components["responses"]["Unauthorized"];
            403: components["responses"]["Forbidden"];
            404: components["responses"]["NotFound"];
            409: components["responses"]["Conflict"];
            422: components["responses"]["Refused"];
            500: components["responses"]["Failure"];
            503: components["responses"]["Unavailable"];
        };
    };
    listLeases: {
        parameters: {
            query?: {
                /** @description Most items of a page. */
                limit?: components["parameters"]["limit"];
                /** @description What the page before gave as continue, with the same other parameters. */
                continue?: components["parameters"]["continue"];
                /** @description Part of an address, prefix such as 10.0.0.0/28, MAC in any spelling or part of it, VM, host name, namespace, pool, network or comment. */
                q?: string;
                /** @description Address, prefix such as 10.0.0.0/28, or the beginning of an address such as 10.0.0. */
                address?: string;
                /** @description MAC address in any spelling, or a part of one. */
                mac?: string;
                /** @description Virtual machine, as name or namespace/name. */
                vm?: string;
                /** @description Part of the host name that the guest told an agent, as far as agents were asked, or else that it is told. */
                hostname?: string;
                /** @description Namespace of the pool or of the owner. */
                namespace?: string;
                /** @description Network, as name or namespace/name. */
                network?: string;
                /** @description Only leases in this state; may be repeated. */
                state?: components["schemas"]["LeaseState"][];
                /** @description Order; a minus turns it round. Ties are in the order of addresses. */
                sort?: "address" | "-address" | "mac" | "-mac" | "vm" | "-vm" | "network" | "-network" | "state" | "-state" | "created" | "-created";
                /** @description Whether each lease tells what the agents saw of it; at most 100 leases a page then. */
                observed?: boolean;
                /** @description csv or json for a file with everything that is filtered, without pages. */
                format?: "csv" | "json";
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page of leases, or all of them as a file. */
            200: {
                headers: {
                    ETag: components["headers"]["ETag"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["LeaseList"];
                    "text/csv": string;
                };
            };
            304: components["responses"]["NotModified"];
            400: components["responses"]["BadRequest"];
            401: components["responses"]["Unauthorized"];
            403: components["responses"]["Forbidden"];
            410: components["responses"]["Gone"];
            500: components["responses"]["Failure"];
            503: components["responses"]["Unavailable"];
        };
    };
    getLease: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                namespace: components["parameters"]["namespace"];
                name: components["parameters"]["name"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The lease. */
            200: {
                headers: {
                    ETag: components["headers"]["ETag"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Lease"];
                };
            };
            304: components["responses"]["NotModified"];
            400: components["responses"]["BadRequest"];
            401: components["responses"]["Unauthorized"];
            403: components["responses"]["Forbidden"];
            404: components["responses"]["NotFound"];
            500: components["responses"]["Failure"];
            503: components["responses"]["Unavailable"];
        };
    };
    releaseLease: {
        parameters: {
            query?: {
                /** @description Checks everything and changes nothing. */
                dryRun?: components["parameters"]["dryRun"];
                /** @description Only the lease with this UID. */
                uid?: string;
            };
            header?: never;
            path: {
                namespace: components["parameters"]["namespace"];
                name: components["parameters"]["name"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description What was released, or would be with dryRun. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Release"];
                };
            };
            401: components["responses"]["Unauthorized"];
            403: components["responses"]["Forbidden"];
            404: components["responses"]["NotFound"];
            409: components["responses"]["Conflict"];
            422: components["responses"]["Refused"];
            500: components["responses"]["Failure"];
            503: components["responses"]["Unavailable"];
        };
    };
    fixLease: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                namespace: components["parameters"]["namespace"];
                name: components["parameters"]["name"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The lease. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Lease"];
                };
            };
            401: components["responses"]["Unauthorized"];
            403: components["responses"]["Forbidden"];
            404: components["responses"]["NotFound"];
            409: components["responses"]["Conflict"];
            422: components["responses"]["Refused"];
            500: components["responses"]["Failure"];
            503: components["responses"]["Unavailable"];
        };
    };
    getLeaseHistory: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                namespace: components["parameters"]["namespace"];
                name: components["parameters"]["name"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The history. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["History"];
                };
            };
            400: components["responses"]["BadRequest"];
            401: components["responses"]["Unauthorized"];
            403: components["responses"]["Forbidden"];
            404: components["responses"]["NotFound"];
            500: components["responses"]["Failure"];
            503: components["responses"]["Unavailable"];
        };
    };
    listNetworks: {
        parameters: {
            query?: {
                /** @description Most items of a page. */
                limit?: components["parameters"]["limit"];
                /** @description What the page before gave as continue, with the same other parameters. */
                continue?: components["parameters"]["continue"];
                namespace?: string;
                /** @description Text in name, namespace or cluster network. */
                q?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page of networks. */
            200: {
                headers: {
                    ETag: components["headers"]["ETag"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["NetworkList"];
                };
            };
            304: components["responses"]["NotModified"];
            400: components["responses"]["BadRequest"];
            401: components["responses"]["Unauthorized"];
            403: components["responses"]["Forbidden"];
            410: components["responses"]["Gone"];
            500: components["responses"]["Failure"];
            503: components["responses"]["Unavailable"];
        };
    };
    listAgents: {
        parameters: {
            query?: {
                /** @description Most items of a page. */
                limit?: components["parameters"]["limit"];
                /** @description What the page before gave as continue, with the same other parameters. */
                continue?: components["parameters"]["continue"];
                /** @description Namespace of the pool. */
                namespace?: string;
                /** @description Name of the pool. */
                pool?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page of agents. */
            200: {
                headers: {
                    ETag: components["headers"]["ETag"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["AgentList"];
                };
            };
            304: components["responses"]["NotModified"];
            400: components["responses"]["BadRequest"];
            401: components["responses"]["Unauthorized"];
            403: components["responses"]["Forbidden"];
            410: components["responses"]["Gone"];
            500: components["responses"]["Failure"];
            503: components["responses"]["Unavailable"];
        };
    };
    listVMs: {
        parameters: {
            query?: {
                /** @description Most items of a page. */
                limit?: components["parameters"]["limit"];
                /** @description What the page before gave as continue, with the same other parameters. */
                continue?: components["parameters"]["continue"];
                namespace?: string;
                /** @description Text in name, namespace or address. */
                q?: string;
                /** @description Only machines in this state; may be repeated. Without it, machines without a managed NIC are left out. */
                state?: components["schemas"]["VMState"][];
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page of machines. */
            200: {
                headers: {
                    ETag: components["headers"]["ETag"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["VMList"];
                };
            };
            304: components["responses"]["NotModified"];
            400: components["responses"]["BadRequest"];
            401: components["responses"]["Unauthorized"];
            403: components["responses"]["Forbidden"];
            410: components["responses"]["Gone"];
            500: components["responses"]["Failure"];
            503: components["responses"]["Unavailable"];
        };
    };
    getVM: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                namespace: components["parameters"]["namespace"];
                name: components["parameters"]["name"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The machine. */
            200: {
                headers: {
                    ETag: components["headers"]["ETag"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["VM"];
                };
            };
            304: components["responses"]["NotModified"];
            400: components["responses"]["BadRequest"];
            401: components["responses"]["Unauthorized"];
            403: components["responses"]["Forbidden"];
            404: components["responses"]["NotFound"];
            500: components["responses"]["Failure"];
            503: components["responses"]["Unavailable"];
        };
    };
    explainVM: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                namespace: components["parameters"]["namespace"];
                name: components["parameters"]["name"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The explanation. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Explanation"];
                };
            };
            400: components["responses"]["BadRequest"];
            401: components["responses"]["Unauthorized"];
            403: components["responses"]["Forbidden"];
            404: components["responses"]["NotFound"];
            500: components["responses"]["Failure"];
            503: components["responses"]["Unavailable"];
        };
    };
    pauseVM: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                namespace: components["parameters"]["namespace"];
                name: components["parameters"]["name"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The machine. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["VM"];
                };
            };
            401: components["responses"]["Unauthorized"];
            403: components["responses"]["Forbidden"];
            404: components["responses"]["NotFound"];
            409: components["responses"]["Conflict"];
            422: components["responses"]["Refused"];
            500: components["responses"]["Failure"];
            503: components["responses"]["Unavailable"];
        };
    };
    resumeVM: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                namespace: components["parameters"]["namespace"];
                name: components["parameters"]["name"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The machine. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["VM"];
                };
            };
            401: components["responses"]["Unauthorized"];
            403: components["responses"]["Forbidden"];
            404: components["responses"]["NotFound"];
            409: components["responses"]["Conflict"];
            422: components["responses"]["Refused"];
            500: components["responses"]["Failure"];
            503: components["responses"]["Unavailable"];
        };
    };
    streamEvents: {
        parameters: {
            query?: {
                /** @description As Last-Event-ID. */
                after?: string;
                /** @description Means nothing here; the aggregated path needs watch=true, or the Kubernetes API server ends the stream after a minute. */
                watch?: boolean;
                /** @description Only these kinds; may be repeated. */
                kind?: components["schemas"]["ChangeKind"][];
                namespace?: string;
            };
            header?: {
                "Last-Event-ID"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The stream. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "text/event-stream": string;
                };
            };
            400: components["responses"]["BadRequest"];
            401: components["responses"]["Unauthorized"];
            403: components["responses"]["Forbidden"];
            500: components["responses"]["Failure"];
            503: components["responses"]["Unavailable"];
        };
    };
}
