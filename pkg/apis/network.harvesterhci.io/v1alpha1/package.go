// Package v1alpha1 holds the API types of group network.harvesterhci.io:
// IPPool (the address plan of a network), VirtualMachineNetworkConfig (what one
// virtual machine asks for) and IPLease (one held address).
//
// IPPool and VirtualMachineNetworkConfig keep the names, types and meaning that
// harvester/vm-dhcp-controller gave them, so that objects written for it work
// unchanged. The package holds types, prose and constants and no logic. The
// generator writes doc.go, which has its markers only.
package v1alpha1
