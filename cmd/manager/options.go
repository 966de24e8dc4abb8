package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/freehold-net/freehold/pkg/apis/network.harvesterhci.io/v1alpha1"
	"github.com/freehold-net/freehold/pkg/controller/ippool"
)

// options is what the manager is told on its command line.
type options struct {
	kubeconfig       string
	namespace        string
	name             string
	identity         string
	managedByDefault bool
	serviceCIDRs     []netip.Prefix
	serviceAccount   string
	httpPort         int
	webhookPort      int
	apiPort          int
	apiService       string
	workers          int
	logLevel         slog.Level
	agents           ippool.AgentConfig
}

// maxPort is the largest TCP port.
const maxPort = 65535

// parseOptions reads the command line. The error names every flag whose value
// cannot be used, the value, and what to write.
func parseOptions(args []string, getenv func(string) string, output io.Writer) (options, error) {
	var (
		o   options
		raw rawOptions
	)

	flags := flag.NewFlagSet("manager", flag.ContinueOnError)
	flags.SetOutput(output)
	o.register(flags, &raw, getenv)

	if err := flags.Parse(args); err != nil {
		return o, err //nolint:wrapcheck // flag has said it all
	}

	var errs []error
	if flags.NArg() > 0 {
		errs = append(errs, fmt.Errorf("argument %q is not a flag; write flags as --name=value", flags.Arg(0)))
	}

	errs = append(errs, o.read(raw)...)

	return o, errors.Join(append(errs, o.complete()...)...)
}

// rawOptions are the values that are more than the text they are written as.
type rawOptions struct {
	managed, level, policy, secrets, template string
	cidrs                                     list
}

// register defines the flags.
func (o *options) register(flags *flag.FlagSet, raw *rawOptions, getenv func(string) string) {
	flags.StringVar(&o.kubeconfig, "kubeconfig", getenv("KUBECONFIG"), "kubeconfig `file`; empty: the pod's own service account")
	flags.StringVar(&o.namespace, "namespace", getenv("POD_NAMESPACE"), "the manager's own `namespace`, where agents run")
	flags.StringVar(&o.name, "name", "freehold", "`name` of the Service, the webhook configurations and the Leases")
	flags.StringVar(&o.identity, "identity", getenv("POD_NAME"), "`name` of this replica among the others")
	flags.StringVar(&o.serviceAccount, "service-account", "", "the manager's own `service account`; empty: --name")
	flags.StringVar(&raw.managed, "managed-dhcp", v1alpha1.ManagedDHCPEnabled, "whether networks without annotation get a pool: enabled or disabled")
	flags.Var(&raw.cidrs, "service-cidr", "`prefix` of the cluster's Services, which pools may not overlap; may be repeated")
	flags.StringVar(&o.agents.Image, "agent-image", getenv("AGENT_IMAGE"), "`image` of the agents")
	flags.StringVar(&raw.policy, "agent-image-pull-policy", "", "Always, IfNotPresent or Never; empty: Kubernetes' default")
	flags.StringVar(&raw.secrets, "agent-image-pull-secrets", "", "`names` of Secrets for the agents' registry, separated by commas")
	flags.StringVar(&o.agents.ServiceAccount, "agent-service-account", "", "`service account` of the agents; empty: --name and -agent")
	flags.StringVar(&raw.template, "agent-pod-template", "{}", "`JSON` object with resources, tolerations, priorityClassName and logLevel of agents")
	flags.IntVar(&o.httpPort, "http-port", 8080, "`port` of health, metrics and views")
	flags.IntVar(&o.webhookPort, "webhook-port", 8443, "`port` of the admission webhooks")
	flags.IntVar(&o.apiPort, "api-port", 9443, "`port` of the REST API and its page")
	flags.StringVar(&o.apiService, "api-service", "", "`name` of the APIService that leads to the API; empty: none")
	flags.IntVar(&o.workers, "workers", 4, "`number` of objects of one kind that are worked on at once")
	flags.StringVar(&raw.level, "log-level", "info", "debug, info, warn or error")
}

// read reads the raw values and returns what is wrong with them.
func (o *options) read(raw rawOptions) []error {
	var errs []error

	complain := func(name, value, remedy string) {
		errs = append(errs, fmt.Errorf("--%s %q cannot be used: %s", name, value, remedy))
	}

	switch raw.managed {
	case v1alpha1.ManagedDHCPEnabled:
		o.managedByDefault = true
	case v1alpha1.ManagedDHCPDisabled:
	default:
		complain("managed-dhcp", raw.managed, "write enabled or disabled")
	}

	for _, text := range raw.cidrs {
		prefix, err := netip.ParsePrefix(text)
		if err != nil || prefix != prefix.Masked() {
			complain("service-cidr", text, "write a prefix such as 10.53.0.0/16")

			continue
		}

		o.serviceCIDRs = append(o.serviceCIDRs, prefix)
	}

	if err := readTemplate(raw.template, &o.agents.Template); err != nil {
		complain("agent-pod-template", raw.template, "write a JSON object with resources, tolerations, priorityClassName and logLevel: "+err.Error())
	}

	if err := o.logLevel.UnmarshalText([]byte(raw.level)); err != nil {
		complain("log-level", raw.level, "write debug, info, warn or error")
	}

	o.agents.ImagePullPolicy = corev1.PullPolicy(raw.policy)
	o.agents.ImagePullSecrets = strings.FieldsFunc(raw.secrets, func(r rune) bool { return r == ',' })

	return errs
}

// readTemplate reads what the installer sets of agents. A slip of the pen is an
// error here and not a setting that is silently missing, or agents that fail.
func readTemplate(text string, template *ippool.AgentTemplate) error {
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.DisallowUnknownFields()

	if err := decoder.Decode(template); err != nil {
		return err //nolint:wrapcheck // the caller says what it is
	}

	if decoder.More() {
		return errors.New("something follows the object")
	}

	var level slog.Level
	if text := template.LogLevel; text != "" && level.UnmarshalText([]byte(text)) != nil {
		return fmt.Errorf("logLevel %q is none of debug, info, warn and error", text)
	}

	return nil
}

// complete fills in what follows from the rest, and returns what is missing.
func (o *options) complete() []error {
	var errs []error

	if o.namespace == "" {
		errs = append(errs, errors.New("--namespace is empty; give the manager's own, or set POD_NAMESPACE"))
	}

	if o.name == "" {
		errs = append(errs, errors.New("--name is empty; give the name of the Service, such as freehold"))
	}

	if o.agents.Image == "" {
		errs = append(errs, errors.New("--agent-image is empty; give the image that has /agent"))
	}

	if o.identity == "" {
		errs = append(errs, errors.New("--identity is empty; give a name that no other replica has, or set POD_NAME"))
	}

	switch o.agents.ImagePullPolicy {
	case "", corev1.PullAlways, corev1.PullIfNotPresent, corev1.PullNever:
	default:
		errs = append(errs, fmt.Errorf("--agent-image-pull-policy %q cannot be used: write Always, IfNotPresent or Never", o.agents.ImagePullPolicy))
	}

	errs = append(errs, o.checkPorts()...)

	if o.workers < 1 {
		errs = append(errs, fmt.Errorf("--workers %d cannot be used: write 1 or more", o.workers))
	}

	if o.serviceAccount == "" {
		o.serviceAccount = o.name
	}

	if o.agents.ServiceAccount == "" {
		o.agents.ServiceAccount = o.name + "-agent"
	}

	o.agents.Namespace = o.namespace

	return errs
}

func (o *options) checkPorts() []error {
	var errs []error

	taken := map[int]string{}

	for _, one := range []struct {
		name string
		port int
	}{{"http-port", o.httpPort}, {"webhook-port", o.webhookPort}, {"api-port", o.apiPort}} {
		if one.port < 1 || one.port > maxPort {
			errs = append(errs, fmt.Errorf("--%s %d cannot be used: write a port from 1 to %d", one.name, one.port, maxPort))
		} else if other := taken[one.port]; other != "" {
			errs = append(errs, fmt.Errorf("--%s %d cannot be used: it is --%s too; write another one", one.name, one.port, other))
		} else {
			taken[one.port] = one.name
		}
	}

	return errs
}

// list is a flag that may be repeated.
type list []string

// String implements flag.Value.
func (l *list) String() string { return strings.Join(*l, ",") }

// Set implements flag.Value.
func (l *list) Set(value string) error {
	*l = append(*l, value)

	return nil
}
