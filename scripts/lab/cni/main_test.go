package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// maker names the bridge of a VLAN and records what it was asked for.
func maker(asked *[]string, name string) func(string, int) (string, error) {
	return func(bridge string, id int) (string, error) {
		*asked = append(*asked, fmt.Sprintf("%s %s %d", name, bridge, id))
		if id == 0 {
			return bridge, nil
		}
		return fmt.Sprintf("cn1.%d", id), nil
	}
}

func TestRewrite(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, command, config, want string
		asked                       []string
	}{
		{
			name: "a VLAN gets its own bridge", command: "ADD",
			config: `{"cniVersion":"0.3.1","name":"n","type":"bridge","bridge":"mgmt-br","promiscMode":true,"vlan":817,"ipam":{}}`,
			want:   `{"cniVersion":"0.3.1","name":"n","type":"bridge","bridge":"cn1.817","promiscMode":true,"ipam":{}}`,
			asked:  []string{"ensure mgmt-br 817"},
		},
		{
			name: "taking apart makes nothing", command: "DEL",
			config: `{"bridge":"mgmt-br","vlan":817}`, want: `{"bridge":"cn1.817"}`, asked: []string{"plan mgmt-br 817"},
		},
		{
			name: "untagged stays as it is", command: "ADD",
			config: `{"bridge":"mgmt-br","ipam":{}}`, want: `{"bridge":"mgmt-br","ipam":{}}`, asked: []string{"ensure mgmt-br 0"},
		},
		{
			name: "the pod network is none of ours", command: "ADD",
			config: `{"bridge":"cni0","isGateway":true}`, want: `{"bridge":"cni0","isGateway":true}`,
		},
		{name: "VERSION may come without a configuration", command: "VERSION", config: "", want: ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var asked []string
			got, err := rewrite([]byte(c.config), c.command, maker(&asked, "ensure"), maker(&asked, "plan"))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(parse(t, c.want), parse(t, string(got))); diff != "" {
				t.Errorf("configuration (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(c.asked, asked); diff != "" {
				t.Errorf("asked for (-want +got):\n%s", diff)
			}
		})
	}
}

func parse(t *testing.T, config string) any {
	t.Helper()
	if config == "" {
		return nil
	}
	var v any
	if err := json.Unmarshal([]byte(config), &v); err != nil {
		t.Fatalf("%s: %v", config, err)
	}
	return v
}

func TestRewriteRefuses(t *testing.T) {
	t.Parallel()
	refuse := func(string, int) (string, error) { return "", errors.New("node2 does not carry it") }
	for config, want := range map[string]string{
		`[]`:                              "not a JSON object",
		`{"bridge":"mgmt-br","vlan":"x"}`: "configuration",
		`{"bridge":"mgmt-br","vlan":1}`:   "does not carry",
	} {
		if _, err := rewrite([]byte(config), "ADD", refuse, refuse); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("rewrite(%s) = %v, want an error with %q", config, err, want)
		}
	}
}
