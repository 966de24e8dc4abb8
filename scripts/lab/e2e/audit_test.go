package e2e

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/freehold-net/freehold/scripts/lab/internal/product"
)

// write is an entry of the API server's audit log, which has an entry for every
// write and none for reads; see audit.k8s.io/v1.
type write struct {
	Verb string `json:"verb"`
	User struct {
		Username string `json:"username"`
	} `json:"user"`
	ObjectRef struct {
		APIGroup    string `json:"apiGroup"`
		Resource    string `json:"resource"`
		Subresource string `json:"subresource"`
		Namespace   string `json:"namespace"`
		Name        string `json:"name"`
	} `json:"objectRef"`
	ResponseStatus struct {
		Code int `json:"code"`
	} `json:"responseStatus"`
}

func (w write) String() string {
	_, account, _ := strings.Cut(w.User.Username, product.Namespace+":")

	return fmt.Sprintf("%s: %s %s %s/%s (%d)", account, w.Verb,
		strings.TrimSuffix(w.ObjectRef.Resource+"/"+w.ObjectRef.Subresource, "/"), w.ObjectRef.Namespace, w.ObjectRef.Name, w.ResponseStatus.Code)
}

// heartbeat tells whether it renews a Lease of coordination.k8s.io, by which
// managers and agents say every few seconds that they live.
func (w write) heartbeat() bool {
	return w.ObjectRef.APIGroup == "coordination.k8s.io" && w.ObjectRef.Resource == "leases"
}

// auditMark is a place in the audit log: now.
func (w *world) auditMark() int64 {
	w.t.Helper()

	info, err := os.Stat(w.Cluster.AuditLog())
	w.must(err)

	return info.Size()
}

// writesSince returns what the product's service accounts have tried to write
// since the mark, in order, and how many heartbeats are left out.
func (w *world) writesSince(mark int64) (writes []write, heartbeats int) {
	w.t.Helper()

	log, err := os.Open(w.Cluster.AuditLog())
	w.must(err)
	defer log.Close()

	if w.auditMark() < mark {
		w.t.Fatal("the audit log was rotated meanwhile: run the scenario again")
	}

	_, err = log.Seek(mark, io.SeekStart)
	w.must(err)

	account := "system:serviceaccount:" + product.Namespace + ":" + product.Release
	lines := bufio.NewScanner(log)
	lines.Buffer(nil, 4<<20)

	for lines.Scan() {
		var entry write

		w.must(json.Unmarshal(lines.Bytes(), &entry))

		switch {
		case entry.User.Username != account && entry.User.Username != account+"-agent":
		case entry.heartbeat():
			heartbeats++
		default:
			writes = append(writes, entry)
		}
	}

	w.must(lines.Err())

	return writes, heartbeats
}
