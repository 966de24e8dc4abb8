package vmnetcfg

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/freehold-net/freehold/pkg/apis/network.harvesterhci.io/v1alpha1"
	"github.com/freehold-net/freehold/pkg/ledger"
)

func named(name string) ledger.Key { return ledger.Key{Namespace: "ns", Name: name} }

// TestNobodyWhoWaitsIsForgotten: however many wait for a certain address, those
// that would take any one are woken too, and the other way round.
func TestNobodyWhoWaitsIsForgotten(t *testing.T) {
	t.Parallel()

	w, pool := newWaiting(), named("pool")

	for i := range 2 * wakeLimit {
		w.set(named(fmt.Sprint("certain-", i)), []wait{{pool: pool}})
		w.set(named(fmt.Sprint("any-", i)), []wait{{pool: pool, any: true}})
	}

	w.set(named("elsewhere"), []wait{{pool: named("other"), any: true}})

	certain, anyone := 0, 0

	for i, request := range w.woken(pool) {
		switch {
		case i < 2*wakeLimit && request == named(fmt.Sprint("certain-", certain)):
			certain++
		case request == named(fmt.Sprint("any-", anyone)):
			anyone++
		default:
			t.Fatalf("%d is %s", i, request)
		}
	}

	if certain != 2*wakeLimit || anyone != wakeLimit {
		t.Errorf("woken are %d that wait for a certain address and %d that wait for any, want %d and %d",
			certain, anyone, 2*wakeLimit, wakeLimit)
	}
}

func TestWhoWaitsNoMoreIsNotWoken(t *testing.T) {
	t.Parallel()

	w := newWaiting()
	w.set(named("vm"), []wait{{pool: named("a"), any: true}, {pool: named("b")}})
	w.set(named("vm"), []wait{{pool: named("a"), any: true}, {pool: named("b")}})

	for _, pool := range []string{"a", "b"} {
		if diff := cmp.Diff([]ledger.Key{named("vm")}, w.woken(named(pool))); diff != "" {
			t.Errorf("pool %s (-want +got):\n%s", pool, diff)
		}
	}

	w.set(named("vm"), []wait{{pool: named("b")}})

	if got := w.woken(named("a")); len(got) != 0 {
		t.Errorf("still woken by a: %v", got)
	}

	w.set(named("vm"), nil)

	if got := w.woken(named("b")); len(got) != 0 || len(w.lines) != 0 {
		t.Errorf("still woken by b: %v, lines %v", got, w.lines)
	}
}

func TestWhatNICsWaitFor(t *testing.T) {
	t.Parallel()

	pool := &poolView{key: named("pool")}
	told := func(reason string) result {
		return result{nic: nic{pool: pool}, refusal: &refusal{reason: reason}}
	}

	for reason, want := range map[string][]wait{
		v1alpha1.ReasonPoolExhausted:     {{pool: named("pool"), any: true}},
		v1alpha1.ReasonAddressTaken:      {{pool: named("pool")}},
		v1alpha1.ReasonMACConflict:       {{pool: named("pool")}},
		v1alpha1.ReasonMACUnknown:        nil,
		v1alpha1.ReasonPoolPaused:        nil,
		v1alpha1.ReasonAddressOutOfRange: nil,
	} {
		got := waitsFor([]result{told(reason)})
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(wait{})); diff != "" {
			t.Errorf("%s (-want +got):\n%s", reason, diff)
		}
	}

	if got := waitsFor([]result{{nic: nic{pool: pool}}, {refusal: &refusal{reason: v1alpha1.ReasonPoolExhausted}}}); got != nil {
		t.Errorf("a NIC that holds its address and one without a pool wait for %v", got)
	}
}
