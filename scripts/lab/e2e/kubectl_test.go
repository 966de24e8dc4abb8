package e2e

import (
	"strings"
	"testing"

	"github.com/freehold-net/freehold/scripts/lab/internal/guest"
)

// TestKubectlAnswers: a person with kubectl and the short names sees which
// address, which virtual machine, whether it is served, and why not.
func TestKubectlAnswers(t *testing.T) {
	t.Parallel()

	w := newWorld(t, "kubectl")
	w.narrow("net", 122, "172.20.22.0/24", "172.20.22.10", "172.20.22.10")
	w.create(guest.VMSpec{Name: "web", NICs: []guest.VMNIC{{Name: "front", Network: "net", MAC: mac(122, 1)}}, Halted: true})
	w.holds("web", 1)
	w.halted("net", 122, 2, "late")
	w.waits("late", "nic-0", "PoolExhausted")
	w.used("net", 1)

	tests := []struct {
		question, names string
		row             string
		want            map[string]string
	}{
		{"which addresses are there, and is the network served", "ippl", "net", map[string]string{
			"NETWORK": w.namespace + "/net", "CIDR": "172.20.22.0/24", "USED": "1", "AVAILABLE": "0", "AGENTS": "2/2", "REGISTERED": "True", "CACHEREADY": "True", "AGENTREADY": "True",
		}},
		{"which address does the machine have", "vmnetcfg", "web", map[string]string{
			"VM": "web", "ADDRESSES": "172.20.22.10", "ALLOCATED": "True", "WHY": "1 of 1 NICs hold an address",
		}},
		{"why does the machine have none", "vmnetcfg", "late", map[string]string{
			"VM": "late", "ADDRESSES": "", "ALLOCATED": "False", "WHY": "nic-0: ",
		}},
		{"who has the address", "ipl", "net.172.20.22.10", map[string]string{
			"ADDRESS": "172.20.22.10", "MAC": mac(122, 1), "OWNER": "web", "NIC": "front", "POOL": "net",
		}},
	}

	for _, tt := range tests {
		out, err := w.kubectl("", "get", tt.names)
		w.must(err)

		row := tableRow(out, tt.row)
		for column, want := range tt.want {
			if got, ok := row[column]; !ok || !strings.HasPrefix(got, want) || (want == "" && got != "") {
				t.Errorf("kubectl get %s: %s of %s is %q (there: %t), want %q", tt.names, column, tt.row, got, ok, want)
			}
		}

		t.Logf("%s? kubectl get %s\n%s", tt.question, tt.names, out)
	}

	out, err := w.kubectl("", "get", "events", "--field-selector=involvedObject.name=late", "-o", "custom-columns=TYPE:.type,REASON:.reason,MESSAGE:.message")
	w.must(err)

	if !strings.Contains(out, "PoolExhausted") {
		t.Errorf("no Event tells why late has no address:\n%s", out)
	}

	t.Logf("what happened to late? kubectl get events\n%s", out)
}

// tableRow returns the cells of the row of that name by their headings, which
// also say where the columns begin.
func tableRow(table, name string) map[string]string {
	lines := strings.Split(strings.TrimRight(table, "\n"), "\n")
	row := map[string]string{}

	for _, line := range lines[1:] {
		if fields := strings.Fields(line); len(fields) == 0 || fields[0] != name {
			continue
		}

		headings := strings.Fields(lines[0])
		for i, heading := range headings {
			from := strings.Index(" "+lines[0]+" ", " "+heading+" ")
			to := len(line)

			if i+1 < len(headings) {
				to = min(to, strings.Index(" "+lines[0]+" ", " "+headings[i+1]+" "))
			}

			if from < to {
				row[heading] = strings.TrimSpace(line[from:to])
			} else {
				row[heading] = ""
			}
		}
	}

	return row
}
