// Node-init is process 1 of a node of the lab, and of its control plane.
package main

import (
	"fmt"
	"os"

	"github.com/freehold-net/freehold/scripts/lab/internal/nodeinit"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: node-init SPEC-FILE (the lab starts it in namespaces of its own)")
		os.Exit(2)
	}
	if err := nodeinit.Run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "node-init:", err)
		os.Exit(1)
	}
}
