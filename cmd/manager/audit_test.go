package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/freehold-net/freehold/pkg/webhook"
)

// auditPolicy has the API server note every request of our two accounts, and of
// nobody else.
const auditPolicy = `{
  "apiVersion": "audit.k8s.io/v1", "kind": "Policy",
  "omitStages": ["RequestReceived"],
  "rules": [
    {"level": "Metadata", "users": [
      "system:serviceaccount:freehold-system:freehold", "system:serviceaccount:freehold-system:freehold-agent"
    ]},
    {"level": "None"}
  ]
}`

// auditEvent is the part of the API server's note about a request that is
// looked at.
type auditEvent struct {
	Stage string `json:"stage"`
	Verb  string `json:"verb"`
	User  struct {
		Username string `json:"username"`
	} `json:"user"`
	UserAgent string `json:"userAgent"`
	ObjectRef struct {
		Resource    string `json:"resource"`
		Subresource string `json:"subresource"`
		Namespace   string `json:"namespace"`
		Name        string `json:"name"`
		APIGroup    string `json:"apiGroup"`
	} `json:"objectRef"`
	ResponseStatus struct {
		Code int `json:"code"`
	} `json:"responseStatus"`
	Received    time.Time         `json:"requestReceivedTimestamp"`
	Annotations map[string]string `json:"annotations"`
}

// String is the request in one line.
func (e auditEvent) String() string {
	return fmt.Sprintf("%s %s %s/%s: %d", e.Verb, e.resource(), e.ObjectRef.Namespace, e.ObjectRef.Name, e.ResponseStatus.Code)
}

func (e auditEvent) resource() string {
	resource := e.ObjectRef.Resource
	if e.ObjectRef.Subresource != "" {
		resource += "/" + e.ObjectRef.Subresource
	}

	return resource
}

// forbidden tells whether the request was refused for want of a right; a
// refusal by a webhook is none.
func (e auditEvent) forbidden() bool {
	return e.Annotations["authorization.k8s.io/decision"] == "forbid"
}

func (e auditEvent) writes() bool {
	return !slices.Contains([]string{"get", "list", "watch", ""}, e.Verb)
}

// auditLog reads the file that the API server writes. It is safe for concurrent
// use.
type auditLog struct {
	path string

	mu     sync.Mutex
	offset int64
	events []auditEvent
}

// all returns every request whose outcome is known.
func (l *auditLog) all() ([]auditEvent, error) {
	l.mu.Lock()
	defer l.mu.Unlock()

	file, err := os.Open(l.path)
	if err != nil {
		return nil, err
	}
	defer file.Close()

	if _, err := file.Seek(l.offset, io.SeekStart); err != nil {
		return nil, err
	}

	reader := bufio.NewReader(file)

	for {
		line, err := reader.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return slices.Clone(l.events), nil // the rest of a line is read next time
		}

		if err != nil {
			return nil, err
		}

		l.offset += int64(len(line))

		var event auditEvent
		if err := json.Unmarshal(line, &event); err != nil {
			return nil, fmt.Errorf("audit log: %w: %s", err, line)
		}

		// A watch has its outcome when it starts, everything else at its end.
		if (event.Verb == "watch") == (event.Stage == "ResponseStarted") || event.forbidden() {
			l.events = append(l.events, event)
		}
	}
}

// unusedRules returns what the account may do and has not done, one line a rule.
func unusedRules(rules []rbacv1.PolicyRule, account string, events []auditEvent) []string {
	used := map[string]bool{}

	for _, event := range events {
		if event.User.Username == webhook.ServiceAccountUser(chartNamespace, account) {
			used[event.ObjectRef.APIGroup+" "+event.resource()+" "+event.Verb] = true
		}
	}

	var unused []string

	for _, rule := range rules {
		for _, group := range rule.APIGroups {
			for _, resource := range rule.Resources {
				var verbs []string

				for _, verb := range rule.Verbs {
					if !used[group+" "+resource+" "+verb] {
						verbs = append(verbs, verb)
					}
				}

				if len(verbs) > 0 {
					unused = append(unused, fmt.Sprintf("%s: %s.%s: %s", account, resource, group, strings.Join(verbs, " ")))
				}
			}
		}
	}

	return unused
}

// reportUnusedRules prints the rights that no test has made use of, for whoever
// wonders whether they are needed.
func reportUnusedRules(s *server) {
	events, err := s.audit.all()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)

		return
	}

	for _, account := range []string{managerAccount, agentAccount} {
		for _, line := range unusedRules(s.chart.rules(account), account, events) {
			fmt.Fprintln(os.Stderr, "right not used by these tests:", line)
		}
	}
}
