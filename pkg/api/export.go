package api

import (
	"encoding/csv"
	"encoding/json"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/freehold-net/freehold/pkg/api/store"
	v1 "github.com/freehold-net/freehold/pkg/api/v1"
)

// exportLeases answers with every lease that is wanted as a file.
func (a *API) exportLeases(wanted store.LeaseQuery, sort, format string) (Answer, error) {
	each, total, err := a.config.Store.EachLease(wanted, sort)
	if err != nil {
		return Answer{}, asked(err)
	}

	answer := Answer{tagged: true}

	switch format {
	case "csv":
		answer.media, answer.name = "text/csv; charset=utf-8", "leases.csv"
		answer.file = func(w io.Writer) error { return writeCSV(w, each) }
	default:
		answer.media, answer.name = "application/json", "leases.json"
		answer.file = func(w io.Writer) error { return writeJSON(w, total, each) }
	}

	return answer, nil
}

// columns are those of the CSV file.
func columns() []string {
	return []string{
		"address", "mac", "state", "fixed", "origin", "namespace", "pool", "network",
		"ownerKind", "ownerNamespace", "owner", "interface", "comment", "createdAt",
	}
}

// writeCSV writes the leases as RFC 4180 has it.
func writeCSV(w io.Writer, each func(func(v1.Lease) error) error) error {
	table := csv.NewWriter(w)
	table.UseCRLF = true

	if err := table.Write(columns()); err != nil {
		return err //nolint:wrapcheck // the connection's own error
	}

	err := each(func(lease v1.Lease) error {
		owner := v1.LeaseOwner{}
		if lease.Owner != nil {
			owner = *lease.Owner
		}

		return table.Write(harmless(
			lease.Address, lease.MAC, string(lease.State), strconv.FormatBool(lease.Fixed), lease.Origin, lease.Namespace, lease.Pool, lease.Network,
			owner.Kind, owner.Namespace, owner.Name, owner.Interface, lease.Comment, lease.CreatedAt.Format(time.RFC3339),
		))
	})
	if err != nil {
		return err
	}

	table.Flush()

	return table.Error() //nolint:wrapcheck // the connection's own error
}

// harmless puts an apostrophe in front of cells that a spreadsheet would take for
// a formula: a comment is what anybody wrote.
func harmless(cells ...string) []string {
	for i, cell := range cells {
		if cell != "" && strings.ContainsRune("=+-@\t\r", rune(cell[0])) {
			cells[i] = "'" + cell
		}
	}

	return cells
}

// writeJSON writes the leases as one LeaseList, one at a time.
func writeJSON(w io.Writer, total int, each func(func(v1.Lease) error) error) error {
	if _, err := io.WriteString(w, `{"items":[`); err != nil {
		return err //nolint:wrapcheck // the connection's own error
	}

	separator := "\n"

	err := each(func(lease v1.Lease) error {
		line, err := json.Marshal(lease)
		if err != nil {
			return err //nolint:wrapcheck // a plain value; does not happen
		}

		_, err = w.Write(append([]byte(separator), line...))
		separator = ",\n"

		return err //nolint:wrapcheck // the connection's own error
	})
	if err != nil {
		return err
	}

	_, err = io.WriteString(w, "\n],\"total\":"+strconv.Itoa(total)+"}\n")

	return err //nolint:wrapcheck // the connection's own error
}
