package kube_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/freehold-net/freehold/pkg/apis/network.harvesterhci.io/v1alpha1"
	"github.com/freehold-net/freehold/pkg/kube"
)

// finder answers the index with fixed pools.
type finder struct {
	pools []*v1alpha1.IPPool
	err   error
}

func (f finder) GetByIndex(string, string) ([]*v1alpha1.IPPool, error) { return f.pools, f.err }

func TestTheOldestPoolServesANetwork(t *testing.T) {
	t.Parallel()

	at := func(name string, second int) *v1alpha1.IPPool {
		pool := poolNamed(name, "")
		pool.CreationTimestamp = metav1.Unix(int64(second), 0)

		return pool
	}
	going := at("going", 1)
	going.DeletionTimestamp = &metav1.Time{Time: time.Unix(9, 0)}

	for name, test := range map[string]struct {
		pools []*v1alpha1.IPPool
		want  []string
	}{
		"none":                {nil, nil},
		"older first":         {[]*v1alpha1.IPPool{at("b", 3), at("a", 2)}, []string{"a", "b"}},
		"name breaks the tie": {[]*v1alpha1.IPPool{at("b", 2), at("a", 2)}, []string{"a", "b"}},
		"one on its way out":  {[]*v1alpha1.IPPool{going, at("b", 3)}, []string{"b"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			found, err := kube.PoolsOf(finder{pools: test.pools}, "ns/net")
			if err != nil {
				t.Fatal(err)
			}

			var names []string
			for _, pool := range found {
				names = append(names, pool.Name)
			}

			if diff := cmp.Diff(test.want, names); diff != "" {
				t.Errorf("pools (-want +got):\n%s", diff)
			}

			serving, err := kube.PoolOf(finder{pools: test.pools}, "ns/net")
			if err != nil || (serving == nil) != (len(test.want) == 0) || serving != nil && serving.Name != test.want[0] {
				t.Errorf("PoolOf = %v, %v, want %v", serving, err, test.want)
			}
		})
	}

	if _, err := kube.PoolOf(finder{err: errors.New("no such index")}, "ns/net"); err == nil {
		t.Error("PoolOf hides the index's error")
	}
}

func TestNetworkKey(t *testing.T) {
	t.Parallel()

	for _, test := range []struct{ name, namespace, want string }{
		{"net", "ns", "ns/net"},
		{"other/net", "ns", "other/net"},
		{"", "ns", ""},
		{"a/b/c", "ns", ""},
		{"Not a name", "ns", ""},
		{"net", "", ""},
	} {
		if got := kube.NetworkKey(test.name, test.namespace); got != test.want {
			t.Errorf("NetworkKey(%q, %q) = %q, want %q", test.name, test.namespace, got, test.want)
		}
	}
}

func TestShortenedNamesDifferAndAreNames(t *testing.T) {
	t.Parallel()

	long := strings.Repeat("a", 70)
	dotted := strings.Repeat("a", 50) + "." + strings.Repeat("-", 2) + strings.Repeat("b", 30)

	if got := kube.LabelValue("short"); got != "short" {
		t.Errorf("LabelValue(short) = %q", got)
	}

	seen := map[string]string{}

	for _, name := range []string{long, long + "b", long + "c", dotted, dotted + "c"} {
		value := kube.LabelValue(name)
		if problems := validation.IsValidLabelValue(value); len(problems) > 0 {
			t.Errorf("LabelValue(%q) = %q is no label value: %v", name, value, problems)
		}

		if other, taken := seen[value]; taken {
			t.Errorf("%q and %q are both %q", name, other, value)
		}

		seen[value] = name

		for limit := 12; limit < 63; limit++ {
			short := kube.Shorten(name, limit)
			if len(short) > limit || len(validation.IsDNS1123Subdomain(short)) > 0 {
				t.Errorf("Shorten(%q, %d) = %q", name, limit, short)
			}
		}
	}
}

func TestVMOwner(t *testing.T) {
	t.Parallel()

	owned := func(references ...metav1.OwnerReference) *v1alpha1.VirtualMachineNetworkConfig {
		return &v1alpha1.VirtualMachineNetworkConfig{ObjectMeta: metav1.ObjectMeta{OwnerReferences: references}}
	}

	for name, test := range map[string]struct {
		request *v1alpha1.VirtualMachineNetworkConfig
		want    string
	}{
		"by hand":          {owned(), ""},
		"a machine's":      {owned(metav1.OwnerReference{APIVersion: "kubevirt.io/v1", Kind: "VirtualMachine", UID: "1"}), "1"},
		"older version":    {owned(metav1.OwnerReference{APIVersion: "kubevirt.io/v1alpha3", Kind: "VirtualMachine", UID: "1"}), "1"},
		"another's kind":   {owned(metav1.OwnerReference{APIVersion: "example.org/v1", Kind: "VirtualMachine", UID: "1"}), ""},
		"an instance's":    {owned(metav1.OwnerReference{APIVersion: "kubevirt.io/v1", Kind: "VirtualMachineInstance", UID: "1"}), ""},
		"second reference": {owned(metav1.OwnerReference{APIVersion: "v1", Kind: "ConfigMap"}, metav1.OwnerReference{APIVersion: "kubevirt.io/v1", Kind: "VirtualMachine", UID: "2"}), "2"},
		"core group":       {owned(metav1.OwnerReference{APIVersion: "v1", Kind: "VirtualMachine", UID: "1"}), ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			got := ""
			if owner := kube.VMOwner(test.request); owner != nil {
				got = string(owner.UID)
			}

			if got != test.want {
				t.Errorf("VMOwner = %q, want %q", got, test.want)
			}
		})
	}
}

func TestOneRequestSpeaksForAMachine(t *testing.T) {
	t.Parallel()

	made := func(name string, second int, owned bool) *v1alpha1.VirtualMachineNetworkConfig {
		request := &v1alpha1.VirtualMachineNetworkConfig{ObjectMeta: metav1.ObjectMeta{
			Name: name, CreationTimestamp: metav1.Unix(int64(second), 0),
		}}
		if owned {
			request.OwnerReferences = []metav1.OwnerReference{{APIVersion: "kubevirt.io/v1", Kind: "VirtualMachine", UID: "1"}}
		}

		return request
	}

	for name, test := range map[string]struct {
		requests []*v1alpha1.VirtualMachineNetworkConfig
		want     string
	}{
		"none":                     {nil, ""},
		"owned before by hand":     {[]*v1alpha1.VirtualMachineNetworkConfig{made("vm", 1, false), made("z", 2, true)}, "z"},
		"its own name":             {[]*v1alpha1.VirtualMachineNetworkConfig{made("a", 1, true), made("vm", 2, true)}, "vm"},
		"the older one":            {[]*v1alpha1.VirtualMachineNetworkConfig{made("a", 2, true), made("b", 1, true)}, "b"},
		"the name breaks the tie":  {[]*v1alpha1.VirtualMachineNetworkConfig{made("b", 1, true), made("a", 1, true)}, "a"},
		"by hand, its name before": {[]*v1alpha1.VirtualMachineNetworkConfig{made("a", 1, false), made("vm", 2, false)}, "vm"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			got := ""
			if speaker := kube.Speaker("vm", test.requests); speaker != nil {
				got = speaker.Name
			}

			if got != test.want {
				t.Errorf("Speaker = %q, want %q", got, test.want)
			}
		})
	}
}
