package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"
)

const (
	chartNamespace = "freehold-system"
	chartRelease   = "freehold"
	managerAccount = "freehold"
	agentAccount   = "freehold-agent"
)

// chart is what the chart renders, made fit for a cluster without Pods.
type chart struct {
	objects []unstructured.Unstructured
	// args is the manager's command line in its Deployment.
	args []string
}

// helmPath returns the Helm to use: $HELM, else the one in PATH.
func helmPath() (string, error) {
	name := os.Getenv("HELM")
	if name == "" {
		name = "helm"
	}

	path, err := exec.LookPath(name)
	if err != nil {
		return "", fmt.Errorf("helm: %w; set HELM to its path", err)
	}

	return path, nil
}

// renderChart renders the chart with the real Helm. Its Service becomes one
// that leads to webhookPort and apiPort of this machine: the API server then
// reaches the webhooks and the API by the Service's name, as in a cluster, and
// checks their certificates for that name.
func renderChart(ctx context.Context, dir string, webhookPort, apiPort int) (chart, error) {
	helm, err := helmPath()
	if err != nil {
		return chart{}, err
	}

	var out, complaints bytes.Buffer

	cmd := exec.CommandContext(ctx, helm, "template", chartRelease, filepath.FromSlash("../../chart"),
		"--namespace", chartNamespace, "--kube-version", "1.36.0")
	cmd.Env = append(os.Environ(), "HOME="+dir, "KUBECONFIG="+filepath.Join(dir, "none"))
	cmd.Stdout, cmd.Stderr = &out, &complaints

	if err := cmd.Run(); err != nil {
		return chart{}, fmt.Errorf("helm template: %w\n%s", err, complaints.String())
	}

	var made chart

	reader := utilyaml.NewYAMLReader(bufio.NewReader(&out))

	for {
		document, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return made, nil
		}

		if err != nil {
			return chart{}, err
		}

		var content map[string]any
		if err := yaml.Unmarshal(document, &content); err != nil {
			return chart{}, err
		}

		if len(content) == 0 {
			continue
		}

		object := unstructured.Unstructured{Object: content}
		if err := made.adapt(&object, int64(webhookPort), int64(apiPort)); err != nil {
			return chart{}, err
		}

		made.objects = append(made.objects, object)
	}
}

func (c *chart) adapt(object *unstructured.Unstructured, webhookPort, apiPort int64) error {
	switch object.GetKind() {
	case "Deployment":
		deployment, err := as[appsv1.Deployment](object)
		c.args = deployment.Spec.Template.Spec.Containers[0].Args

		return err
	case "Service":
		object.Object["spec"] = map[string]any{"type": "ExternalName", "externalName": "127.0.0.1"}
	case "APIService":
		return unstructured.SetNestedField(object.Object, apiPort, "spec", "service", "port")
	case "MutatingWebhookConfiguration", "ValidatingWebhookConfiguration":
		webhooks, _, err := unstructured.NestedSlice(object.Object, "webhooks")
		if err != nil {
			return err
		}

		for i := range webhooks {
			webhook, ok := webhooks[i].(map[string]any)
			if !ok {
				return fmt.Errorf("webhook %d of %s has no fields", i, object.GetName())
			}

			if err := unstructured.SetNestedField(webhook, webhookPort, "clientConfig", "service", "port"); err != nil {
				return err
			}
		}

		object.Object["webhooks"] = webhooks
	}

	return nil
}

// as reads an object as T.
func as[T any](object *unstructured.Unstructured) (T, error) {
	var typed T

	return typed, runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, &typed)
}

// rules returns the rules of the account's roles.
func (c *chart) rules(account string) []rbacv1.PolicyRule {
	var rules []rbacv1.PolicyRule

	for i := range c.objects {
		// A role has the name of the account that it is bound to.
		if object := &c.objects[i]; strings.HasSuffix(object.GetKind(), "Role") && object.GetName() == account {
			if role, err := as[rbacv1.ClusterRole](object); err == nil {
				rules = append(rules, role.Rules...)
			}
		}
	}

	return rules
}
