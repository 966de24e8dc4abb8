package watch

import (
	"context"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Table prints aligned columns.
type Table struct{ writer *tabwriter.Writer }

// NewTable returns a table with that heading. Flush prints it.
func NewTable(out io.Writer, heading ...string) *Table {
	t := &Table{writer: tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)}
	fmt.Fprintln(t.writer, strings.Join(heading, "\t")) // Flush tells

	return t
}

// Row adds a row.
func (t *Table) Row(values ...any) {
	cells := make([]string, len(values))
	for i, value := range values {
		cells[i] = fmt.Sprint(value)
	}

	fmt.Fprintln(t.writer, strings.Join(cells, "\t")) // Flush tells
}

// Flush prints the table.
func (t *Table) Flush() error { return t.writer.Flush() }

// Print prints the pools of the namespace and their leases.
func (w *Watch) Print(ctx context.Context, out io.Writer, namespace string) error {
	pools, err := w.Objects("ippools", namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return fmt.Errorf("list IPPools: %w", err)
	}

	table := NewTable(out, "POOL", "CIDR", "USED", "AVAILABLE", "AGENTS", "ON")
	leases := NewTable(out, "ADDRESS", "MAC", "OWNER", "NIC", "POOL")

	for _, object := range pools.Items {
		pool, err := w.Pool(ctx, namespace, object.GetName())
		if err != nil {
			return err
		}

		table.Row(pool.Name, pool.CIDR, pool.Used, pool.Available, pool.Agents, strings.Join(pool.Nodes, ","))

		held, err := w.Leases(ctx, namespace, pool.Name)
		if err != nil {
			return err
		}

		for _, lease := range held {
			leases.Row(lease.Address, lease.MAC, lease.Owner, lease.NIC, lease.Pool)
		}
	}

	if err := table.Flush(); err != nil {
		return err
	}

	fmt.Fprintln(out) // the next Flush tells

	return leases.Flush()
}
