// Package deployment runs the platform the way production does: each service as a process of its own, on a durable Postgres
// and a Redis that are started for the purpose. Every part can be killed, paused and restarted; it keeps its address.
package deployment

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// stopTimeout bounds the orderly stop of the databases.
const stopTimeout = time.Minute

// The account of the admin of every deployment.
const (
	AdminEmail    = "admin@example.com"
	AdminPassword = "correct horse battery"
)

// Config says where a deployment finds its programs and where it writes.
type Config struct {
	Bin     string   // directory of the platform's programs
	Dir     string   // directory of the databases' files and the logs
	Environ []string // NAME=value, for every service
}

// Deployment is a running platform.
type Deployment struct {
	Databases
	bin      string
	environ  []string
	services []*Service // in the order of their start
}

// Start starts the databases, migrates the schema, and starts auth, which every other service needs. Stop must be called
// even after an error.
func Start(ctx context.Context, c Config) (*Deployment, error) {
	databases, err := StartDatabases(ctx, c.Dir)
	d := &Deployment{Databases: databases, bin: c.Bin}
	if err != nil {
		return d, err
	}
	// The limits are for callers beside others; here one key sends everything.
	d.environ = append(os.Environ(), "DATABASE_URL="+d.Postgres.URL(), "REDIS_URL="+d.Redis.URL(),
		"ADMIN_PASSWORD="+AdminPassword, "SHUTDOWN_DRAIN_DELAY=0s", "INGEST_RATE_LIMIT=1000000000",
		"INGEST_MAX_CALLER_BYTES=1000000000", "INGEST_MAX_ADDRESS_BYTES=1000000000")
	d.environ = append(d.environ, c.Environ...)
	for _, args := range [][]string{{"migrate", "up"}, {"admin", "create", "--email", AdminEmail, "--if-none"}} {
		if out, err := d.Command(ctx, args...); err != nil {
			return d, fmt.Errorf("%w: %s", err, out)
		}
	}
	auth, err := d.Launch(ctx, "auth")
	if err != nil {
		return d, err
	}
	d.environ = append(d.environ, "JWKS_URL="+auth.URL()+"/auth/.well-known/jwks.json")
	return d, nil
}

// Command runs the all-in-one program with the configuration of the services and returns what it prints.
func (d *Deployment) Command(ctx context.Context, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, filepath.Join(d.bin, "hp-analytics"), args...)
	cmd.Env = d.environ
	out, err := cmd.CombinedOutput()
	if err != nil {
		return out, fmt.Errorf("hp-analytics %s: %w", strings.Join(args, " "), err)
	}
	return out, nil
}

// Service is a process that answers HTTP.
type Service struct {
	*Process
	url string
}

// URL returns the base URL of the service.
func (s *Service) URL() string { return s.url }

// Launch starts a service at a free address and waits until it is ready. environ, as NAME=value, overrides the configuration
// that all services share.
func (d *Deployment) Launch(ctx context.Context, name string, environ ...string) (*Service, error) {
	address, err := FreeAddress(ctx)
	if err != nil {
		return nil, err
	}
	s := &Service{url: "http://" + address, Process: NewProcess(Command{
		Program: filepath.Join(d.bin, name),
		Environ: slices.Concat(d.environ, []string{"HTTP_ADDR=" + address}, environ),
		Log:     filepath.Join(d.Dir, name+".log"),
	})}
	if err := s.Start(ctx); err != nil {
		return nil, err
	}
	d.services = append(d.services, s)
	return s, s.AwaitReady(ctx)
}

// AwaitReady waits until the service reports that it is ready.
func (s *Service) AwaitReady(ctx context.Context) error { return s.AwaitSuccess(ctx, s.url+"/ready") }

// Service returns the running service of a name, or nil.
func (d *Deployment) Service(name string) *Service {
	for _, s := range d.services {
		if s.Name() == name {
			return s
		}
	}
	return nil
}

// Services returns all services that were launched and not halted.
func (d *Deployment) Services() []*Service { return slices.Clone(d.services) }

// Halt stops a service, if it runs, and forgets it: Launch may start it with another configuration.
func (d *Deployment) Halt(name string) error {
	s := d.Service(name)
	if s == nil {
		return nil
	}
	d.services = slices.DeleteFunc(d.services, func(other *Service) bool { return other == s })
	return s.Stop()
}

// Stop stops everything.
func (d *Deployment) Stop() error {
	var problems []error
	for _, s := range slices.Backward(d.services) {
		problems = append(problems, s.Stop())
	}
	return errors.Join(append(problems, d.Databases.Stop())...)
}

// Crashes describes every exit of a service that was not requested.
func (d *Deployment) Crashes() (all []string) {
	for _, s := range d.services {
		all = append(all, s.Crashes()...)
	}
	return all
}
