package e2e

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/freehold-net/freehold/scripts/lab/internal/product"
)

// agentNotice is how soon the API must tell that an agent is gone.
const agentNotice = 2 * time.Second

// explanation is what the scenarios read of the API's explanation of a machine.
type explanation struct {
	Verdict, Summary string

	NICs []struct {
		Interface, Verdict, Summary string

		Steps []struct{ Step, Verdict, Message, Remedy string }
	}
}

// TestAPITells: a person who asks the REST API sees who has which address, what
// the guest said on the wire, why another machine has none, and that an agent
// went.
func TestAPITells(t *testing.T) {
	t.Parallel()

	w := newWorld(t, "api")
	w.narrow("net", 135, "172.20.35.0/24", "172.20.35.10", "172.20.35.10")
	w.halted("net", 135, 1, "web")

	address := w.holds("web", 1).Held()[0]
	w.halted("net", 135, 2, "late")
	w.waits("late", "nic-0", "PoolExhausted")

	light := w.light("node2", "net", mac(135, 1))
	w.lightHas(light, address)

	api, err := product.OpenAPI(w.ctx, w.Clients, "view")
	w.must(err)

	var lease struct {
		Address, MAC, State string
		Observed            struct {
			Known                           bool
			LastMessage, VendorClass, Agent string
		}
	}

	w.must(api.Get(w.ctx, "v1/leases/"+w.namespace+"/net."+address.String(), &lease))

	if lease.State != "Allocated" || lease.MAC != mac(135, 1) || !lease.Observed.Known || lease.Observed.LastMessage != "DHCPACK" {
		t.Errorf("the API says of the lease %+v", lease)
	}

	t.Logf("%s is %s to %s; %s answered %s last, to a guest that calls itself %q", lease.Address, strings.ToLower(lease.State), lease.MAC,
		lease.Observed.Agent, lease.Observed.LastMessage, lease.Observed.VendorClass)

	w.explains(api, "web", "ok", "")
	w.explains(api, "late", "failing", "Lease")

	agent, err := w.watch.Owner(w.ctx, w.namespace, "net", poolTimeout)
	w.must(err)

	var killed time.Time

	event, err := api.AwaitEvent(w.ctx, "agent", func() error {
		killed = time.Now()

		return w.watch.KillPod(w.ctx, agent)
	}, func(e product.Event) bool {
		var state struct{ Ready bool }

		return e.Name == agent && (e.Type == "removed" || json.Unmarshal(e.Object, &state) == nil && !state.Ready)
	})
	w.must(err)

	if took := time.Since(killed); took > agentNotice {
		t.Errorf("agent %s was killed; it took %s until the API told", agent, seconds(took))
	} else {
		t.Logf("agent %s was killed; the API told %s later that it is %s", agent, seconds(took), event.Type)
	}
}

// explains checks the verdict about a machine, which the API server passes on by
// the aggregated path too, and the step that fails, if one is to.
func (w *world) explains(api *product.API, machine, verdict, step string) {
	w.t.Helper()

	var direct, aggregated explanation

	path := "v1/vms/" + w.namespace + "/" + machine + "/explain"
	w.must(api.Get(w.ctx, path, &direct))

	text, err := w.kubectl("", "get", "--raw", "/apis/api.freehold.net/"+path)
	w.must(err)
	w.must(json.Unmarshal([]byte(text), &aggregated))

	for _, said := range []explanation{direct, aggregated} {
		if said.Verdict != verdict || len(said.NICs) != 1 {
			w.t.Fatalf("the API explains %s with %+v, want %s", machine, said, verdict)
		}
	}

	nic := direct.NICs[0]
	at := slices.IndexFunc(nic.Steps, func(s struct{ Step, Verdict, Message, Remedy string }) bool { return s.Verdict == "failing" })

	if at < 0 {
		if step != "" {
			w.t.Fatalf("no step fails for %s, want %s: %+v", machine, step, nic.Steps)
		}

		w.t.Logf("%s: %s", machine, direct.Summary)

		return
	}

	if failing := nic.Steps[at]; failing.Step != step || failing.Remedy == "" {
		w.t.Fatalf("for %s the step that fails is %+v, want %s and a remedy", machine, failing, step)
	}

	w.t.Logf("%s: %s; step %s fails: %s Remedy: %s", machine, direct.Summary, nic.Steps[at].Step, nic.Steps[at].Message, nic.Steps[at].Remedy)
}
