package contracttest

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// The checks must fail for what they are for.
func TestCheckCatches(t *testing.T) {
	t.Parallel()

	contract, err := Load()
	if err != nil {
		t.Fatal(err)
	}

	list := `{"items":[],"total":0}`
	tests := []struct {
		name, method, url string
		status            int
		media, tag, body  string
		want              string
	}{
		{"as described", "GET", "/v1/networks", 200, "application/json", "x", list, ""},
		{"unknown path", "GET", "/v1/nothing", 200, "application/json", "x", list, "has no GET"},
		{"unknown method", "PUT", "/v1/networks", 200, "application/json", "x", list, "has no PUT"},
		{"unknown status", "GET", "/v1/networks", 418, "application/json", "x", list, "no status 418"},
		{"unknown type", "GET", "/v1/networks", 200, "text/html", "x", list, "is not described"},
		{"unknown parameter", "GET", "/v1/networks?what=1", 200, "application/json", "x", list, "parameter what"},
		{"missing header", "GET", "/v1/networks", 200, "application/json", "", list, "header ETag"},
		{"missing field", "GET", "/v1/networks", 200, "application/json", "x", `{"items":[]}`, "total"},
		{"null for a list", "GET", "/v1/networks", 200, "application/json", "x", `{"items":null,"total":0}`, "null"},
		{
			"no word of the list", "GET", "/v1/vms", 200, "application/json", "x",
			`{"items":[{"namespace":"a","name":"b","state":"Lost","message":"","nics":[]}],"total":1}`, "state",
		},
		{
			"no time", "GET", "/v1/about", 200, "application/json", "",
			`{"version":"1","replica":"a","startedAt":"yesterday","user":{"name":"x"},"allowed":{}}`, "date-time",
		},
		{"a body of its own", "GET", "/v1/networks", 304, "application/json", "x", list, "not described"},
	}

	for _, tc := range tests {
		header := http.Header{"Content-Type": {tc.media}}
		if tc.tag != "" {
			header.Set("ETag", tc.tag)
		}

		err := contract.Check(httptest.NewRequest(tc.method, tc.url, nil), tc.status, header, []byte(tc.body))
		if (err == nil) != (tc.want == "") || err != nil && !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: got %v, want %q", tc.name, err, tc.want)
		}
	}
}
