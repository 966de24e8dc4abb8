package main

import (
	"context"
	"net/netip"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/utils/clock"
	"sigs.k8s.io/yaml"

	"github.com/freehold-net/freehold/crds"
	"github.com/freehold-net/freehold/pkg/agent"
	"github.com/freehold-net/freehold/pkg/agent/source"
	"github.com/freehold-net/freehold/pkg/kube"
	"github.com/freehold-net/freehold/pkg/version"
)

// definition returns the present definition of that name.
func (w *world) definition(name string) *apiextensionsv1.CustomResourceDefinition {
	w.t.Helper()

	found := &apiextensionsv1.CustomResourceDefinition{}
	if !w.get(found, name) {
		w.t.Fatalf("there is no definition %s", name)
	}

	return found
}

// The first start of all, on a cluster without our kinds, is that of the API
// server's set-up. This is about later ones.
func TestAStartUpgradesOlderDefinitions(t *testing.T) {
	s := apiServer(t)
	w := &world{server: s, t: t}

	definitions, err := crds.All()
	w.must(err)

	versions := map[string]string{}

	// An older release, as Helm installed it: it lacked a column and a field,
	// and had a field and a rule that are no more.
	for _, definition := range definitions {
		edit(w, &apiextensionsv1.CustomResourceDefinition{}, definition.Name, func(old *apiextensionsv1.CustomResourceDefinition) {
			old.Spec.Versions[0].AdditionalPrinterColumns = old.Spec.Versions[0].AdditionalPrinterColumns[1:]

			root := old.Spec.Versions[0].Schema.OpenAPIV3Schema
			spec := root.Properties["spec"]
			spec.Properties["bygone"] = apiextensionsv1.JSONSchemaProps{Type: "string"}
			delete(spec.Properties, "paused")
			root.Properties["spec"] = spec
			root.XValidations = append(root.XValidations, apiextensionsv1.ValidationRule{
				Rule: "self.metadata.name.size() < 5", Message: "a rule of an older release",
			})
		})
	}

	s.run(t, "upgrade").leads()

	for _, definition := range definitions {
		var want apiextensionsv1.CustomResourceDefinition

		w.must(yaml.Unmarshal(definition.YAML, &want))

		now := w.definition(definition.Name)
		versions[definition.Name] = now.ResourceVersion

		if diff := cmp.Diff(want.Spec.Versions, now.Spec.Versions); diff != "" {
			t.Errorf("%s is not that of this release (-want +got):\n%s", definition.Name, diff)
		}
	}

	t.Run("and leaves those of its own release alone", func(t *testing.T) {
		w := &world{server: s, t: t}
		s.run(t, "again").ready()

		for name, before := range versions {
			if now := w.definition(name).ResourceVersion; now != before {
				t.Errorf("%s was written: resource version %s, before %s", name, now, before)
			}
		}
	})
}

func TestAnAgentSeesItsPoolAsItsOwnAccount(t *testing.T) {
	s := apiServer(t)
	manager := s.run(t, "for-agents").leads()

	w := s.newWorld(t)
	w.pool("blue", "10.1.0.0/24", "10.1.0.10", "10.1.0.20")
	w.pool("red", "10.2.0.0/24", "10.2.0.10", "10.2.0.20")
	w.vm("web", device{"eth0", "blue", "52:54:00:00:00:01"}, device{"eth1", "red", "52:54:00:00:00:02"})

	way, err := s.connect(t.Context(), agentAccount)
	w.must(err)
	t.Cleanup(func() { way.cut() })

	config, err := clientcmd.BuildConfigFromFlags("", way.kubeconfig)
	w.must(err)

	config.UserAgent = "freehold-agent/" + version.Version

	nobody := func(context.Context, string) ([]netip.Addr, error) { return nil, nil }

	feed, err := source.New(config, w.namespace, "blue", nobody, clock.RealClock{}, logs.logger("agent", 0))
	w.must(err)

	ctx, cancel := context.WithCancel(t.Context())
	states := make(chan agent.State)
	ended := make(chan error, 1)

	go func() {
		ended <- feed.Run(ctx, func(state agent.State) {
			select {
			case states <- state:
			case <-ctx.Done():
			}
		})
	}()

	// sees waits for exactly these addresses; the channel has every change.
	sees := func(want ...string) {
		t.Helper()

		var got []string

		s.eventually(t, "the agent sees its leases", func() string {
			select {
			case state := <-states:
				got = []string{}
				for _, entry := range state.Entries {
					got = append(got, entry.Address.String()+" "+entry.MAC.String()+" "+entry.Hostname)
				}
			default:
			}

			if slices.Equal(got, want) {
				return ""
			}

			return cmp.Diff(want, got)
		})
	}

	sees("10.1.0.10 52:54:00:00:00:01 web")
	w.deleteVM("web")
	sees()

	// The agents of a pool agree by a Lease on who speaks for its server.
	client, err := kubernetes.NewForConfig(config)
	w.must(err)

	election := kube.Election{Namespace: chartNamespace, Name: "world-blue-agent", Identity: "agent-1"}
	term, resign := context.WithCancel(ctx)
	w.must(kube.RunLeader(term, client, election, func(context.Context) error {
		resign()

		lease, err := s.clientset.CoordinationV1().Leases(chartNamespace).Get(t.Context(), election.Name, metav1.GetOptions{})
		if err == nil && *lease.Spec.HolderIdentity != election.Identity {
			t.Errorf("the Lease is held by %s", *lease.Spec.HolderIdentity)
		}

		return err
	}))

	cancel()

	if err := <-ended; err != nil {
		t.Error(err)
	}

	manager.noneForbidden() // which counts what the agent was forbidden, too
}
