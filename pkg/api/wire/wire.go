// Package wire asks the agents of a pool what they saw on the wire.
//
// Nothing is kept here: each question is put to every agent of the pool at once,
// and what did not answer in time is told as a gap. So a value that is shown is
// as old as the answer, and one that is not known is not made up.
package wire

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"

	"github.com/freehold-net/freehold/pkg/apis/network.harvesterhci.io/v1alpha1"
	"github.com/freehold-net/freehold/pkg/dhcp"
	"github.com/freehold-net/freehold/pkg/kube"
	"github.com/freehold-net/freehold/pkg/observation"
)

const (
	// idleTimeout is how long the connection to an agent is kept for the next
	// question: a page that is open asks every half minute.
	idleTimeout = 45 * time.Second
	// maxReport bounds what is read of an agent's answer, in bytes: a client is
	// told in less than 4 KiB.
	maxReport = 4 << 20
)

// Pods lists the agents' Pods. Wrangler's PodCache is one.
type Pods interface {
	List(namespace string, selector labels.Selector) ([]*corev1.Pod, error)
}

// Agents asks agents, and is the API's Observer. Make one with New. It is safe for
// concurrent use.
type Agents struct {
	pods      Pods
	namespace string
	client    *http.Client
}

// New returns Agents that asks those of the Pods in the namespace where agents run.
func New(pods Pods, namespace string) *Agents {
	// Pods are asked themselves: a proxy that the environment names for the world
	// outside does not know them.
	return &Agents{pods: pods, namespace: namespace, client: &http.Client{Transport: &http.Transport{
		MaxIdleConnsPerHost: 1, IdleConnTimeout: idleTimeout,
	}}}
}

// answer is what one agent told, or why it did not.
type answer struct {
	agent  string
	report observation.Report
	err    error
}

// ask puts a question about clients to every agent of the pool, and returns the
// answers in the order of the agents' names.
func (a *Agents) ask(ctx context.Context, pool types.NamespacedName, macs []dhcp.MAC) ([]answer, error) {
	pods, err := a.pods.List(a.namespace, labels.SelectorFromSet(labels.Set{
		v1alpha1.LabelComponent:     v1alpha1.ComponentAgent,
		v1alpha1.LabelPoolNamespace: pool.Namespace,
		v1alpha1.LabelPoolName:      kube.LabelValue(pool.Name),
	}))
	if err != nil {
		return nil, fmt.Errorf("list the agents of IPPool %s: %w", pool, err)
	}

	pods = slices.DeleteFunc(slices.Clone(pods), func(pod *corev1.Pod) bool {
		return pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed
	})
	slices.SortFunc(pods, func(a, b *corev1.Pod) int { return strings.Compare(a.Name, b.Name) })

	answers := make([]answer, len(pods))

	var group sync.WaitGroup

	for i, pod := range pods {
		group.Go(func() {
			answers[i] = answer{agent: pod.Name}
			answers[i].report, answers[i].err = a.askOne(ctx, pod, macs)
		})
	}

	group.Wait()

	return answers, nil
}

func (a *Agents) askOne(ctx context.Context, pod *corev1.Pod, macs []dhcp.MAC) (observation.Report, error) {
	var report observation.Report

	if pod.Status.PodIP == "" {
		return report, errors.New("it does not run yet")
	}

	query := url.Values{}
	if len(macs) == 0 {
		query.Set(observation.DeclinedOnly, "")
	}

	for _, mac := range macs {
		query.Add("mac", mac.String())
	}

	where := url.URL{
		Scheme: "http", Host: net.JoinHostPort(pod.Status.PodIP, strconv.Itoa(portOf(pod))),
		Path: observation.Path, RawQuery: query.Encode(),
	}

	request, err := http.NewRequestWithContext(ctx, http.MethodGet, where.String(), nil)
	if err != nil {
		return report, fmt.Errorf("make a question: %w", err)
	}

	response, err := a.client.Do(request)
	if errors.Is(err, context.DeadlineExceeded) {
		return report, errors.New("it did not answer in time")
	}

	if err != nil {
		return report, fmt.Errorf("it cannot be asked: %w", err)
	}
	defer response.Body.Close()

	body := io.LimitReader(response.Body, maxReport)

	switch response.StatusCode {
	case http.StatusOK:
	case http.StatusNotFound:
		return report, errors.New("it is of a version that does not tell; it is replaced in time")
	default:
		return report, fmt.Errorf("it answered %s", response.Status)
	}

	if err := json.NewDecoder(body).Decode(&report); err != nil {
		return report, fmt.Errorf("its answer cannot be read: %w", err)
	}

	return report, nil
}

// portOf is the port at which an agent answers, as its Pod names it.
func portOf(pod *corev1.Pod) int {
	const usual = 8080

	for i := range pod.Spec.Containers {
		for _, port := range pod.Spec.Containers[i].Ports {
			if port.Name == "http" {
				return int(port.ContainerPort)
			}
		}
	}

	return usual
}
