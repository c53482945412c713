package operator

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/hp-analytics/hp-analytics/internal/platform/redis"
	"github.com/hp-analytics/hp-analytics/internal/platform/service"
)

// Config is the configuration of the operator.
type Config struct {
	service.Config
	Redis   redis.Config
	TLS     TLSConfig
	Cluster ClusterConfig

	// PollInterval is how often the queues are read.
	PollInterval time.Duration `env:"QUEUE_POLL_INTERVAL, default=5s"`
	// SnapshotMaxAge is for how long a reading may be acted on while no newer one can be made. After that the metrics are
	// an error, and the number of workers stays as it is.
	SnapshotMaxAge time.Duration `env:"SNAPSHOT_MAX_AGE, default=30s"`
	// ExternalMetricsAddr is where the external metrics API is served (TLS). Managed clusters let the API server reach
	// port 10250 of pods, if any.
	ExternalMetricsAddr string `env:"EXTERNAL_METRICS_ADDR, default=:10250"`
}

// ClusterConfig says what the operator is inside its cluster.
type ClusterConfig struct {
	// Namespace is the operator's own: its Lease, its Secret and its Service are there.
	Namespace string `env:"POD_NAMESPACE, required"`
	// WatchNamespaces are the namespaces whose pools it looks after; empty means its own, "*" all.
	WatchNamespaces []string `env:"WATCH_NAMESPACES"`
	// LeaderElectionID is the name of the Lease that says which replica writes.
	LeaderElectionID string `env:"LEADER_ELECTION_ID, default=hp-analytics-operator"`
	// Kubeconfig is the file that says how to reach the cluster from outside; inside it stays empty.
	Kubeconfig string `env:"KUBECONFIG"`
}

// TLSConfig says where the certificate of the external metrics API comes from.
type TLSConfig struct {
	// Mode is self-signed (the operator makes authority and certificate and rotates them) or files (somebody mounts them).
	Mode string `env:"TLS_MODE, default=self-signed"`
	// ServiceName is the Service in front of the API, in the operator's own namespace.
	ServiceName string `env:"TLS_SERVICE_NAME, required"`
	// SecretName is the Secret that the self-signed certificate is kept in. It must exist; it may be empty.
	SecretName string `env:"TLS_SECRET_NAME"`
	// Dir is where tls.crt and tls.key are: mounted with files, and written by the operator with self-signed. ca.crt may be
	// mounted beside them.
	Dir string `env:"TLS_DIR, required"`
	// CABundle is manage (the operator writes the authorities into the APIService, as long as that is its own) or external
	// (somebody else does, such as cert-manager).
	CABundle string `env:"APISERVICE_CA_BUNDLE, default=manage"`
}

// Values of TLSConfig.
const (
	tlsSelfSigned    = "self-signed"
	tlsFiles         = "files"
	caBundleManage   = "manage"
	caBundleExternal = "external"
)

// allNamespaces is the value of WATCH_NAMESPACES that means every namespace.
const allNamespaces = "*"

// Validate implements config.Validator.
func (c *Config) Validate() error {
	var problems []error
	if c.PollInterval < time.Second {
		problems = append(problems, fmt.Errorf("QUEUE_POLL_INTERVAL: must be at least 1s, not %s", c.PollInterval))
	}
	if c.SnapshotMaxAge < 2*c.PollInterval {
		problems = append(problems, fmt.Errorf("SNAPSHOT_MAX_AGE: must be at least twice QUEUE_POLL_INTERVAL = %s, not %s", 2*c.PollInterval, c.SnapshotMaxAge))
	}
	if _, _, err := net.SplitHostPort(c.ExternalMetricsAddr); err != nil {
		problems = append(problems, fmt.Errorf("EXTERNAL_METRICS_ADDR: %w (use host:port or :port)", err))
	}
	return errors.Join(problems...)
}

// Validate implements config.Validator.
func (c *ClusterConfig) Validate() error {
	var problems []error
	if len(validation.IsDNS1123Label(c.Namespace)) > 0 {
		problems = append(problems, fmt.Errorf("POD_NAMESPACE: %q is no name of a namespace", c.Namespace))
	}
	for _, namespace := range c.WatchNamespaces {
		if namespace == allNamespaces && len(c.WatchNamespaces) > 1 {
			problems = append(problems, errors.New(`WATCH_NAMESPACES: "*" is all namespaces and stands alone`))
		}
		if namespace != allNamespaces && len(validation.IsDNS1123Label(namespace)) > 0 {
			problems = append(problems, fmt.Errorf("WATCH_NAMESPACES: %q is no name of a namespace", namespace))
		}
	}
	if len(validation.IsDNS1123Subdomain(c.LeaderElectionID)) > 0 {
		problems = append(problems, fmt.Errorf("LEADER_ELECTION_ID: %q is no name of a Lease", c.LeaderElectionID))
	}
	return errors.Join(problems...)
}

// watched returns the namespaces to watch; nil for all.
func (c *ClusterConfig) watched() []string {
	switch {
	case len(c.WatchNamespaces) == 0:
		return []string{c.Namespace}
	case slices.Contains(c.WatchNamespaces, allNamespaces):
		return nil
	default:
		return c.WatchNamespaces
	}
}

// Validate implements config.Validator.
func (c *TLSConfig) Validate() error {
	var problems []error
	if c.Mode != tlsSelfSigned && c.Mode != tlsFiles {
		problems = append(problems, fmt.Errorf("TLS_MODE: must be %s or %s, not %q", tlsSelfSigned, tlsFiles, c.Mode))
	}
	if len(validation.IsDNS1123Label(c.ServiceName)) > 0 {
		problems = append(problems, fmt.Errorf("TLS_SERVICE_NAME: %q is no name of a Service", c.ServiceName))
	}
	if c.Dir == "" {
		problems = append(problems, errors.New("TLS_DIR: must not be empty"))
	}
	if c.Mode == tlsSelfSigned && c.SecretName == "" {
		problems = append(problems, errors.New("TLS_SECRET_NAME: required with TLS_MODE=self-signed"))
	}
	if c.CABundle != caBundleManage && c.CABundle != caBundleExternal {
		problems = append(problems, fmt.Errorf("APISERVICE_CA_BUNDLE: must be %s or %s, not %q", caBundleManage, caBundleExternal, c.CABundle))
	}
	return errors.Join(problems...)
}

// apiService returns the operator's own Service.
func (c *Config) apiService() types.NamespacedName {
	return types.NamespacedName{Namespace: c.Cluster.Namespace, Name: c.TLS.ServiceName}
}
