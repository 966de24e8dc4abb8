package stream

import (
	"context"
	"time"

	"k8s.io/apiserver/pkg/authentication/user"

	"github.com/freehold-net/freehold/pkg/api"
	"github.com/freehold-net/freehold/pkg/api/access"
	"github.com/freehold-net/freehold/pkg/api/problem"
	v1 "github.com/freehold-net/freehold/pkg/api/v1"
)

// verb is what a reader of events must be allowed to do with what they are about.
const verb = "watch"

// sight is what one reader may see. It is for one goroutine.
type sight struct {
	caller   user.Info
	reviewer access.Reviewer
	clock    func() time.Time

	// decided has the answers since the last review of them all.
	decided map[access.Object]bool
	since   time.Time
}

func newSight(caller user.Info, reviewer access.Reviewer, clock func() time.Time) *sight {
	return &sight{caller: caller, reviewer: reviewer, clock: clock, decided: map[access.Object]bool{}, since: clock()}
}

// stale tells whether the answers are too old to be believed.
func (s *sight) stale() bool { return s.clock().Sub(s.since) >= reviewEvery }

// forget has everything asked anew.
func (s *sight) forget() {
	clear(s.decided)
	s.since = s.clock()
}

// sees tells whether the reader may see changes of the kind in the namespace.
func (s *sight) sees(ctx context.Context, kind v1.ChangeKind, namespace string) (bool, error) {
	for _, object := range []access.Object{api.Object(kind, "", ""), api.Object(kind, namespace, "")} {
		may, known := s.decided[object]
		if !known {
			var err error
			if may, err = s.reviewer.May(ctx, s.caller, verb, object); err != nil {
				return false, problem.Unavailable("Kubernetes could not be asked whether you may " + problem.Act(verb, object) + "; try again")
			}

			s.decided[object] = may
		}

		if may {
			return true, nil
		}
	}

	return false, nil
}

// seesAny returns 403 when there is nothing of the kinds in the namespaces that the
// reader may see.
func (s *sight) seesAny(ctx context.Context, kinds []v1.ChangeKind, namespaces func(v1.ChangeKind) []string) error {
	for _, kind := range kinds {
		// Without any namespace the whole cluster is asked about still.
		for _, namespace := range append([]string{""}, namespaces(kind)...) {
			if may, err := s.sees(ctx, kind, namespace); may || err != nil {
				return err
			}
		}
	}

	asked := api.Object(kinds[0], "", "")
	if only := namespaces(kinds[0]); len(only) == 1 {
		asked.Namespace = only[0]
	}

	return problem.Forbidden(s.caller.GetName(), verb, asked)
}
