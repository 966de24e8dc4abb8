package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kubevirtv1 "kubevirt.io/api/core/v1"

	"github.com/freehold-net/freehold/pkg/apis/network.harvesterhci.io/v1alpha1"
)

// kubectl runs the real kubectl as an administrator in the world's namespace.
func (w *world) kubectl(input string, args ...string) (stdout, stderr string) {
	w.t.Helper()

	var out, complaints strings.Builder

	cmd := exec.CommandContext(w.t.Context(), filepath.Join(os.Getenv(assetsVariable), "kubectl"),
		append([]string{
			"--kubeconfig", filepath.Join(w.dir, "admin.kubeconfig"), "--namespace", w.namespace, "--cache-dir", w.t.TempDir(),
		}, args...)...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(input), &out, &complaints

	if err := cmd.Run(); err != nil {
		w.t.Fatalf("kubectl %s: %v\n%s", strings.Join(args, " "), err, complaints.String())
	}

	return out.String(), complaints.String()
}

// columns checks what kubectl prints, whose columns are parted by blanks, line
// by line with regular expressions.
func (w *world) columns(resource string, want ...string) {
	w.t.Helper()

	out, _ := w.kubectl("", "get", resource)
	lines := strings.Split(strings.TrimSpace(out), "\n")
	w.t.Logf("kubectl get %s\n%s", resource, out)

	if len(lines) != len(want) {
		w.t.Errorf("kubectl get %s prints %d lines, want %d:\n%s", resource, len(lines), len(want), out)

		return
	}

	for i, pattern := range want {
		if !regexp.MustCompile("^" + strings.ReplaceAll(pattern, " ", " +") + "$").MatchString(strings.TrimSpace(lines[i])) {
			w.t.Errorf("kubectl get %s prints %q, want %q", resource, lines[i], pattern)
		}
	}
}

func TestAMachineWithTwoNICs(t *testing.T) {
	s := apiServer(t)
	s.run(t, "two-nics").leads()

	w := s.newWorld(t)
	w.pool("blue", "10.1.0.0/24", "10.1.0.10", "10.1.0.20")
	w.network("wild", "", "", "", nil)
	vm := w.vm("web", device{"eth0", "blue", "52:54:00:00:00:01"}, device{"eth1", "wild", "52:54:00:00:00:02"})

	w.holds("blue.10.1.0.10 52:54:00:00:00:01 web/eth0")
	w.says("web", "eth0 10.1.0.10 Allocated Allocated", "eth1   NetworkUnmanaged")

	lease := w.leases()["blue.10.1.0.10"]
	if owner := lease.Spec.Owner; owner.UID != vm.UID || owner.Kind != v1alpha1.OwnerVirtualMachine || owner.Namespace != w.namespace {
		t.Errorf("the lease is %+v's, want VirtualMachine web's, UID %s", owner, vm.UID)
	}

	if message := w.event("VirtualMachine", "web", v1alpha1.ReasonAllocated); !strings.Contains(message, "eth0 holds 10.1.0.10") {
		t.Errorf("the Event on the virtual machine is: %s", message)
	}

	w.eventually(t, "the pool counts it", func() string {
		var pool v1alpha1.IPPool

		w.get(&pool, "blue")

		if c := pool.Status.IPv4; c == nil || c.Used != 1 || c.Available != 10 || c.Size != 11 || c.Allocated["10.1.0.10"] != "52:54:00:00:00:01" {
			return fmt.Sprintf("its status is %+v", c)
		}

		return ""
	})

	w.columns("ippools",
		"NAME NETWORK CIDR USED AVAILABLE AGENTS REGISTERED CACHEREADY AGENTREADY AGE",
		"blue "+w.namespace+"/blue 10.1.0.0/24 1 10 0/1 True True False [0-9ms]+")
	w.columns("vmnetcfg", "NAME VM ADDRESSES ALLOCATED WHY AGE", "web web 10.1.0.10 True 1 of 1 NICs hold an address [0-9ms]+")
	w.columns("ipl", "NAME ADDRESS MAC OWNER NIC POOL AGE", "blue.10.1.0.10 10.1.0.10 52:54:00:00:00:01 web eth0 blue [0-9ms]+")
}

func TestNothingIsLostWhileNoManagerRuns(t *testing.T) {
	s := apiServer(t)
	before := s.run(t, "before").leads()

	w := s.newWorld(t)
	w.pool("blue", "10.1.0.0/24", "10.1.0.10", "10.1.0.20")
	first := w.vm("again", device{"eth0", "blue", "52:54:00:00:00:01"})
	w.holds("blue.10.1.0.10 52:54:00:00:00:01 again/eth0")
	w.vm("gone", device{"eth0", "blue", "52:54:00:00:00:02"})
	w.holds("blue.10.1.0.10 52:54:00:00:00:01 again/eth0", "blue.10.1.0.11 52:54:00:00:00:02 gone/eth0")
	before.stop()

	w.deleteVM("gone")
	w.deleteVM("again")
	second := w.vm("again", device{"eth0", "blue", "52:54:00:00:00:01"})

	if held := w.held(); len(held) != 2 {
		t.Fatalf("leases went without a manager: %v", held)
	}

	s.run(t, "after").leads()
	w.eventually(t, "only the new machine holds an address", func() string {
		for _, lease := range w.leases() {
			if lease.Spec.Owner.UID != second.UID {
				return lease.Name + " is that of an ended machine"
			}
		}

		if held := w.held(); len(held) != 1 {
			return strings.Join(held, ", ")
		}

		return ""
	})

	if first.UID == second.UID {
		t.Error("the test is void: both machines have one UID")
	}

	w.settled(t)

	if held := w.held(); len(held) != 1 {
		t.Errorf("held in the end: %v", held)
	}
}

func TestWhatIsDeletedByHandComesBack(t *testing.T) {
	s := apiServer(t)
	s.run(t, "by-hand").leads()

	w := s.newWorld(t)
	w.pool("blue", "10.1.0.0/24", "10.1.0.10", "10.1.0.20")
	w.vm("other", device{"eth0", "blue", "52:54:00:00:00:01"})
	w.holds("blue.10.1.0.10 52:54:00:00:00:01 other/eth0")
	w.vm("web", device{"eth0", "blue", "52:54:00:00:00:02"})

	both := []string{"blue.10.1.0.10 52:54:00:00:00:01 other/eth0", "blue.10.1.0.11 52:54:00:00:00:02 web/eth0"}
	w.holds(both...)
	w.says("web", "eth0 10.1.0.11 Allocated Allocated")

	t.Run("a request deleted by hand is made again and keeps its address", func(t *testing.T) {
		w := &world{server: s, t: t, namespace: w.namespace}
		w.remove(&v1alpha1.VirtualMachineNetworkConfig{}, "web")
		w.says("web", "eth0 10.1.0.11 Allocated Allocated")
		w.settled(t)
		w.holds(both...)
	})

	t.Run("a lease deleted by hand is made again with the same address", func(t *testing.T) {
		w := &world{server: s, t: t, namespace: w.namespace}
		lease := w.leases()["blue.10.1.0.11"]
		w.remove(&v1alpha1.IPLease{}, lease.Name)
		w.eventually(t, "another lease of the same address", func() string {
			if now, ok := w.leases()[lease.Name]; !ok || now.UID == lease.UID {
				return "not yet"
			}

			return ""
		})
		w.settled(t)
		w.holds(both...)
	})
}

func TestNICsComeAndGo(t *testing.T) {
	s := apiServer(t)
	s.run(t, "nics").leads()

	w := s.newWorld(t)
	w.pool("blue", "10.1.0.0/24", "10.1.0.10", "10.1.0.20")
	w.pool("red", "10.2.0.0/24", "10.2.0.10", "10.2.0.20")

	zero := device{"eth0", "blue", "52:54:00:00:00:01"}
	one := device{"eth1", "blue", "52:54:00:00:00:02"}
	w.vm("web", zero)
	w.holds("blue.10.1.0.10 52:54:00:00:00:01 web/eth0")

	steps := []struct {
		name   string
		change func(*kubevirtv1.VirtualMachine)
		want   []string
	}{
		{
			"a NIC that is added gets an address", func(vm *kubevirtv1.VirtualMachine) { setDevices(vm, zero, one) },
			[]string{"blue.10.1.0.10 52:54:00:00:00:01 web/eth0", "blue.10.1.0.11 52:54:00:00:00:02 web/eth1"},
		},
		{"a NIC whose state is absent frees its address", func(vm *kubevirtv1.VirtualMachine) {
			vm.Spec.Template.Spec.Domain.Devices.Interfaces[1].State = kubevirtv1.InterfaceStateAbsent
		}, []string{"blue.10.1.0.10 52:54:00:00:00:01 web/eth0"}},
		{
			"a NIC that comes back gets an address", func(vm *kubevirtv1.VirtualMachine) { setDevices(vm, zero, one) },
			[]string{"blue.10.1.0.10 52:54:00:00:00:01 web/eth0", "blue.10.1.0.12 52:54:00:00:00:02 web/eth1"},
		},
		{
			"a NIC that is removed frees its address", func(vm *kubevirtv1.VirtualMachine) { setDevices(vm, zero) },
			[]string{"blue.10.1.0.10 52:54:00:00:00:01 web/eth0"},
		},
		{"a NIC with another MAC address keeps its address", func(vm *kubevirtv1.VirtualMachine) {
			setDevices(vm, device{"eth0", "blue", "52:54:00:00:00:AA"})
		}, []string{"blue.10.1.0.10 52:54:00:00:00:aa web/eth0"}},
		{"a NIC on another network gets an address there and frees the old one", func(vm *kubevirtv1.VirtualMachine) {
			setDevices(vm, device{"eth0", "red", "52:54:00:00:00:AA"})
		}, []string{"red.10.2.0.10 52:54:00:00:00:aa web/eth0"}},
	}

	for _, step := range steps {
		t.Run(step.name, func(t *testing.T) {
			w := &world{server: s, t: t, namespace: w.namespace}
			w.editVM("web", step.change)
			w.holds(step.want...)
		})
	}

	w.says("web", "eth0 10.2.0.10 Allocated Allocated")
}

func TestMACAddressesAreFoundWhereTheyAre(t *testing.T) {
	s := apiServer(t)
	s.run(t, "macs").leads()

	w := s.newWorld(t)
	w.pool("blue", "10.1.0.0/24", "10.1.0.10", "10.1.0.20")
	vm := w.vm("web", device{"eth0", "blue", ""})
	w.says("web", "eth0  Pending MACUnknown")

	t.Run("in the running instance", func(t *testing.T) {
		w := &world{server: s, t: t, namespace: w.namespace}
		vmi := &kubevirtv1.VirtualMachineInstance{ObjectMeta: metav1.ObjectMeta{
			Name: "web",
			OwnerReferences: []metav1.OwnerReference{{
				APIVersion: kubevirtv1.GroupVersion.String(), Kind: "VirtualMachine", Name: vm.Name, UID: vm.UID,
			}},
		}}
		vmi.Spec.Domain.Devices.Interfaces = []kubevirtv1.Interface{{Name: "eth0", MacAddress: "52:54:00:00:00:01"}}
		w.create(vmi)
		w.holds("blue.10.1.0.10 52:54:00:00:00:01 web/eth0")

		// A stopped machine keeps what its instance knew.
		w.remove(&kubevirtv1.VirtualMachineInstance{}, "web")
		w.settled(t)
		w.holds("blue.10.1.0.10 52:54:00:00:00:01 web/eth0")
	})

	t.Run("in Harvester's annotation", func(t *testing.T) {
		w := &world{server: s, t: t, namespace: w.namespace}
		other := machine("db", device{"eth0", "blue", ""})
		w.create(other)
		w.says("db", "eth0  Pending MACUnknown")
		w.editVM("db", func(vm *kubevirtv1.VirtualMachine) {
			vm.Annotations = map[string]string{v1alpha1.AnnotationMACAddress: `{"eth0":"52-54-00-00-00-02"}`}
		})
		w.holds("blue.10.1.0.10 52:54:00:00:00:01 web/eth0", "blue.10.1.0.11 52:54:00:00:00:02 db/eth0")
	})
}

func TestWantedAddresses(t *testing.T) {
	s := apiServer(t)
	s.run(t, "wanted").leads()

	w := s.newWorld(t)
	w.pool("blue", "10.1.0.0/24", "10.1.0.10", "10.1.0.20")

	wish := func(name, mac, address string) {
		vm := machine(name, device{"eth0", "blue", mac})
		vm.Annotations[v1alpha1.AnnotationStaticIPPrefix+"eth0"] = address
		w.create(vm)
	}

	wish("first", "52:54:00:00:00:01", "10.1.0.15")
	w.holds("blue.10.1.0.15 52:54:00:00:00:01 first/eth0")

	if origin := w.leases()["blue.10.1.0.15"].Spec.Origin; origin != v1alpha1.OriginRequested {
		t.Errorf("origin %s, want %s", origin, v1alpha1.OriginRequested)
	}

	wish("second", "52:54:00:00:00:02", "10.1.0.15")
	wish("third", "52:54:00:00:00:03", "10.1.0.99")
	w.says("second", "eth0  Pending AddressTaken")
	w.says("third", "eth0  Pending AddressOutOfRange")

	var waiting v1alpha1.VirtualMachineNetworkConfig

	w.get(&waiting, "second")

	if message := waiting.Status.NetworkConfigs[0].Message; !strings.Contains(message, "VirtualMachine "+w.namespace+"/first") {
		t.Errorf("the message does not name the holder: %s", message)
	}

	w.deleteVM("first")
	w.holds("blue.10.1.0.15 52:54:00:00:00:02 second/eth0")
}
