package externalmetrics

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"path/filepath"
	"sync/atomic"

	openapinamer "k8s.io/apiserver/pkg/endpoints/openapi"
	genericapiserver "k8s.io/apiserver/pkg/server"
	"k8s.io/client-go/rest"
	openapicommon "k8s.io/kube-openapi/pkg/common"
	"sigs.k8s.io/custom-metrics-apiserver/pkg/apiserver"
	"sigs.k8s.io/custom-metrics-apiserver/pkg/cmd/options"
	"sigs.k8s.io/custom-metrics-apiserver/pkg/generated/openapi/core"
	"sigs.k8s.io/custom-metrics-apiserver/pkg/generated/openapi/externalmetrics"
	"sigs.k8s.io/custom-metrics-apiserver/pkg/provider"
)

const serverName = "hp-analytics-operator"

// Server is the HTTPS server of the API. The cluster decides who may read it: requests come through the API server, which
// authenticates its users to this server with a client certificate. Their rights are looked up there and cached for 10 s.
type Server struct {
	// Listener accepts the connections. It is open before the server starts, so early clients wait and are not refused.
	Listener net.Listener
	// Provider provides the metrics.
	Provider provider.ExternalMetricsProvider
	// CertDir contains tls.crt and tls.key. The server reloads them when they change.
	CertDir string
	// CertsReady is closed when the files in CertDir exist.
	CertsReady <-chan struct{}
	// Client reaches the cluster.
	Client *rest.Config
	// Kubeconfig is the file that Client was read from; empty inside a cluster.
	Kubeconfig string
	// anonymous disables authentication, for tests without a cluster.
	anonymous bool

	serving atomic.Bool
}

// NeedLeaderElection implements manager.LeaderElectionRunnable.
func (s *Server) NeedLeaderElection() bool { return false }

// Serving is a readiness check. It fails until the server answers requests.
func (s *Server) Serving(context.Context) error {
	if !s.serving.Load() {
		return errors.New("the external metrics API is not served yet")
	}
	return nil
}

// Start serves until ctx ends, and then completes the requests in flight. It implements manager.Runnable.
func (s *Server) Start(ctx context.Context) error {
	select {
	case <-s.CertsReady:
	case <-ctx.Done():
		return s.Listener.Close()
	}
	config, err := s.config()
	if err != nil {
		return errors.Join(fmt.Errorf("configure the external metrics API: %w", err), s.Listener.Close())
	}
	server, err := (&apiserver.Config{GenericConfig: config}).Complete(nil).New(serverName, nil, s.Provider)
	if err != nil {
		return errors.Join(fmt.Errorf("create the external metrics API: %w", err), s.Listener.Close())
	}
	err = server.GenericAPIServer.AddPostStartHook("ready", func(genericapiserver.PostStartHookContext) error {
		s.serving.Store(true)
		return nil
	})
	if err != nil {
		return errors.Join(fmt.Errorf("create the external metrics API: %w", err), s.Listener.Close())
	}
	defer s.serving.Store(false)
	if err := server.GenericAPIServer.PrepareRun().RunWithContext(ctx); err != nil {
		return fmt.Errorf("serve the external metrics API: %w", err)
	}
	return nil
}

func (s *Server) config() (*genericapiserver.Config, error) {
	o := options.NewCustomMetricsAdapterServerOptions()
	o.SecureServing.Listener = s.Listener
	o.SecureServing.ServerCert.CertKey.CertFile = filepath.Join(s.CertDir, "tls.crt")
	o.SecureServing.ServerCert.CertKey.KeyFile = filepath.Join(s.CertDir, "tls.key")
	o.Authentication.RemoteKubeConfigFile = s.Kubeconfig
	o.Authorization.RemoteKubeConfigFile = s.Kubeconfig
	o.Features.EnableProfiling = false
	if s.anonymous {
		o.Authentication, o.Authorization = nil, nil
	}
	o.OpenAPIConfig = genericapiserver.DefaultOpenAPIConfig(definitions, openapinamer.NewDefinitionNamer(apiserver.Scheme))
	o.OpenAPIConfig.Info.Title = serverName
	o.OpenAPIV3Config = genericapiserver.DefaultOpenAPIV3Config(definitions, openapinamer.NewDefinitionNamer(apiserver.Scheme))
	o.OpenAPIV3Config.Info.Title = serverName
	if err := errors.Join(o.Validate()...); err != nil {
		return nil, err
	}
	recommended := genericapiserver.NewRecommendedConfig(apiserver.Codecs)
	recommended.ClientConfig = s.Client
	if err := o.ApplyTo(recommended); err != nil {
		return nil, err
	}
	return &recommended.Config, nil
}

// definitions returns the OpenAPI schemas of the served types.
func definitions(ref openapicommon.ReferenceCallback) map[string]openapicommon.OpenAPIDefinition {
	all := core.GetOpenAPIDefinitions(ref)
	maps.Copy(all, externalmetrics.GetOpenAPIDefinitions(ref))
	return all
}
