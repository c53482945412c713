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
	// SnapshotMaxAge is how long a reading may be used while no newer one is available. After that the metric is an error, and
	// the autoscaler keeps the number of workers.
	SnapshotMaxAge time.Duration `env:"SNAPSHOT_MAX_AGE, default=30s"`
	// ExternalMetricsAddr is the address of the external metrics API (TLS). Port 10250 is the one that managed clusters usually
	// allow the API server to reach on pods.
	ExternalMetricsAddr string `env:"EXTERNAL_METRICS_ADDR, default=:10250"`
}

// ClusterConfig describes the operator's place in its cluster.
type ClusterConfig struct {
	// Namespace is the operator's own namespace. It contains its Lease, Secret and Service.
	Namespace string `env:"POD_NAMESPACE, required"`
	// WatchNamespaces are the namespaces whose pools it manages. Empty means its own namespace, "*" means all.
	WatchNamespaces []string `env:"WATCH_NAMESPACES"`
	// LeaderElectionID is the name of the Lease that elects the replica that writes.
	LeaderElectionID string `env:"LEADER_ELECTION_ID, default=hp-analytics-operator"`
	// Kubeconfig is the file with the credentials for running outside the cluster. It stays empty inside.
	Kubeconfig string `env:"KUBECONFIG"`
}

// TLSConfig selects the source of the certificate of the external metrics API.
type TLSConfig struct {
	// Mode is self-signed (the operator creates and rotates a CA and a certificate) or files (the certificate is mounted).
	Mode string `env:"TLS_MODE, default=self-signed"`
	// ServiceName is the Service in front of the API, in the operator's own namespace.
	ServiceName string `env:"TLS_SERVICE_NAME, required"`
	// SecretName is the Secret that stores the self-signed certificate. It must exist, and may be empty.
	SecretName string `env:"TLS_SECRET_NAME"`
	// Dir contains tls.crt and tls.key. They are mounted in mode files, and written by the operator in mode self-signed. ca.crt
	// may be mounted there too.
	Dir string `env:"TLS_DIR, required"`
	// CABundle is manage (the operator writes the CA bundle into the APIService if it owns that) or external (something else
	// writes it, such as cert-manager).
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
		problems = append(problems, fmt.Errorf("POD_NAMESPACE: %q is not a valid namespace name", c.Namespace))
	}
	for _, namespace := range c.WatchNamespaces {
		if namespace == allNamespaces && len(c.WatchNamespaces) > 1 {
			problems = append(problems, errors.New(`WATCH_NAMESPACES: "*" means all namespaces and must be the only entry`))
		}
		if namespace != allNamespaces && len(validation.IsDNS1123Label(namespace)) > 0 {
			problems = append(problems, fmt.Errorf("WATCH_NAMESPACES: %q is not a valid namespace name", namespace))
		}
	}
	if len(validation.IsDNS1123Subdomain(c.LeaderElectionID)) > 0 {
		problems = append(problems, fmt.Errorf("LEADER_ELECTION_ID: %q is not a valid Lease name", c.LeaderElectionID))
	}
	return errors.Join(problems...)
}

// watched returns the namespaces to watch; nil means all.
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
		problems = append(problems, fmt.Errorf("TLS_SERVICE_NAME: %q is not a valid Service name", c.ServiceName))
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
