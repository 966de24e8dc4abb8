package server

import (
	"encoding/json"
	"net/http"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/freehold-net/freehold/pkg/api/problem"
)

// discover answers what kube-apiserver asks before it sends us anything, and
// kubectl by way of it. We have no resources in the sense of Kubernetes, so that
// neither kubectl nor its garbage collector tries to list or watch them.
func discover(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		refuse(w, r, problem.New(http.StatusMethodNotAllowed, "only GET means something for "+r.URL.Path))

		return
	}

	version := metav1.GroupVersionForDiscovery{GroupVersion: Group + "/" + Version, Version: Version}
	group := metav1.APIGroup{
		TypeMeta: metav1.TypeMeta{Kind: "APIGroup", APIVersion: "v1"},
		Name:     Group, Versions: []metav1.GroupVersionForDiscovery{version}, PreferredVersion: version,
	}

	switch r.URL.Path {
	case "/apis":
		// In the first form of discovery, whatever is asked for: kube-apiserver then
		// asks in that form for the rest.
		group.TypeMeta = metav1.TypeMeta{}
		reply(w, metav1.APIGroupList{
			TypeMeta: metav1.TypeMeta{Kind: "APIGroupList", APIVersion: "v1"},
			Groups:   []metav1.APIGroup{group},
		})
	case groupRoot:
		reply(w, group)
	default:
		reply(w, metav1.APIResourceList{
			TypeMeta:     metav1.TypeMeta{Kind: "APIResourceList", APIVersion: "v1"},
			GroupVersion: version.GroupVersion, APIResources: []metav1.APIResource{},
		})
	}
}

func reply(w http.ResponseWriter, body any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(body) //nolint:errchkjson // plain values; the caller may be gone
}
